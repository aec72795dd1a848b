"""doctor.yaml names a model or none, and every mistake in it is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.config.doctor import load_doctor, read_doctor
from rivus.errors import BadConfig
from tests.conftest import ROOT


def write(folder: Path, text: str) -> Path:
    (folder / "doctor.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("text", [None, "", "# nothing yet\n", "llm:\n", "llm: null\n"])
def test_without_a_model_in_the_file_there_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        write(tmp_path, text)
    assert load_doctor(tmp_path) is None


def test_an_endpoint_is_read_with_careful_defaults(tmp_path: Path) -> None:
    llm = load_doctor(write(tmp_path, "llm: {base_url: 'http://127.0.0.1:1/v1', model: small}"))
    assert llm is not None
    assert (llm.name, llm.timeout, llm.key, llm.price, llm.folder) == ("model small", 30.0, None, None, tmp_path)
    assert (llm.per_day.calls, llm.per_day.usd, llm.allow_private_hosts) == (50, None, [])


def test_a_command_is_called_by_its_program(tmp_path: Path) -> None:
    llm = load_doctor(write(tmp_path, "llm: {command: [./bin/ask, --fast], per_day: {calls: 3}}"))
    assert llm is not None
    assert (llm.name, llm.command, llm.per_day.calls) == ("command ask", ["./bin/ask", "--fast"], 3)


def test_the_example_is_a_sound_one_and_no_job(tmp_path: Path) -> None:
    example = (ROOT / "jobs.d" / "doctor.yaml.example").read_text()
    llm = load_doctor(write(tmp_path, example))
    assert llm is not None and llm.price is not None
    assert (llm.key, llm.per_day.usd, llm.price.output) == ("llm_key", 0.5, 0.6)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("llm: {}", "1:1: llm: needs either base_url or command"),
        ("llm: {command: [x], base_url: 'http://a.example'}", "llm: needs either base_url or command"),
        ("llm: {base_url: 'http://a.example/v1'}", "llm: missing field 'model'"),
        ("llm: {base_url: ftp://a.example, model: m}", "llm.base_url: 'ftp://a.example' is not the http"),
        ("llm: {base_url: 'http://[', model: m}", "is not the http"),
        ("llm: {base_url: 'http://a.example:99999', model: m}", "is not the http"),
        ("llm: {base_url: 'https://u:p@a.example', model: m}", "holds a user"),
        ("llm: {base_url: 'https://a.example?key=k', model: m}", "holds a user, a query"),
        ("llm: {base_url: 'https://a.example', model: m, key: sk-Live123}", "llm.key: is not the name of a secret"),
        ("llm: {base_url: 'https://a.example', model: m, per_day: {usd: 1}}", "usd: cannot be held without a price"),
        ("llm: {command: [x], per_day: {usd: 1}}", "usd: cannot be held without a price"),
        ("llm: {command: [x], key: llm_key}", "llm.key: has a meaning only with base_url"),
        ("llm: {command: []}", "llm.command: expected"),
        ("llm: {command: [x], timeout: 30}", "llm.timeout: expected text such as"),
        ("llm: {command: [x], timeout: 2h}", "llm.timeout: expected"),
        ("llm: {command: [x], per_day: {calls: -1}}", "llm.per_day.calls: expected"),
        ("llm: {command: [x], modell: m}", "llm.modell: unknown field, did you mean 'model'?"),
        ("llm: {base_url: 'http://a.example', model: m, allow_private_hosts: ['10.0.0.0/99']}", "hosts[0]:"),
        ("model: m", "model: unknown field"),
        ("- llm", "expected a mapping"),
        ("llm: {command: [x]", "not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    llm, problems = read_doctor(write(tmp_path, text))
    assert llm is None
    assert problem in "\n".join(map(str, problems))
    with pytest.raises(BadConfig, match=r"doctor\.yaml:\d:"):
        load_doctor(tmp_path)


def test_a_key_written_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    write(tmp_path, "llm: {base_url: 'https://u:hunter2x@a.example', model: m, key: sk-hunter2x}")
    assert "hunter2x" not in "".join(map(str, read_doctor(tmp_path)[1]))
