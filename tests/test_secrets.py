from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rivus import secrets
from rivus.model.outcome import Halt


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(secrets, "_handed_out", {})


def test_a_credential_file_comes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "api_key").write_text("from-file\n")
    monkeypatch.setenv("RIVUS_SECRET_API_KEY", "from-environment")
    assert secrets.get("api_key") == "from-environment"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert secrets.get("api_key") == "from-file"


def test_a_missing_secret_halts_and_names_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Halt, match=r"\$CREDENTIALS_DIRECTORY/api_key.*RIVUS_SECRET_API_KEY"):
        secrets.get("api_key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(Halt, match="api_key"):
        secrets.get("api_key")


@pytest.mark.parametrize("name", ["", "Upper", "../etc", "a/b", "1st", "a-b", "a\n"])
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(Halt, match="not the name of a secret"):
        secrets.get(name)


@pytest.mark.parametrize("content", [b"tiny", b"\xff\xfe\xfd bytes", b"x" * 70_000])
def test_what_cannot_be_a_secret_halts_without_its_value(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "api_key").write_bytes(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(Halt) as raised:
        secrets.get("api_key")
    assert content.decode("latin-1") not in str(raised.value)


def test_a_value_is_scrubbed_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_API_KEY", 'a/b+c d"é')
    secrets.get("api_key")
    forms = [
        'a/b+c d"é',
        "a%2Fb%2Bc%20d%22%C3%A9",
        "a/b%2Bc%20d%22%C3%A9",
        "a%2Fb%2Bc+d%22%C3%A9",
        'a/b+c d\\"\\u00e9',
    ]
    for form in forms:
        assert secrets.scrub(f"<{form}>") == "<[secret api_key]>"


def test_a_secret_that_holds_another_is_scrubbed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_SHORT", "abcdef")
    monkeypatch.setenv("RIVUS_SECRET_LONG", "abcdefghij")
    secrets.get("short")
    secrets.get("long")
    assert secrets.scrub("abcdefghij abcdef") == "[secret long] [secret short]"


def test_logs_are_scrubbed_with_their_arguments_and_tracebacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIVUS_SECRET_API_KEY", "very-secret")
    value = secrets.get("api_key")
    handler = logging.StreamHandler()
    handler.addFilter(secrets.Scrubber())
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError(f"token {value} refused")
    except ValueError:
        log.exception("asked with %s", value)
    told = capsys.readouterr().err
    assert "asked with [secret api_key]" in told and "token [secret api_key] refused" in told
    assert "very-secret" not in told
