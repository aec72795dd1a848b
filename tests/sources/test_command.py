from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rivus import secrets
from rivus.model.outcome import Halt, Outcome, RetryLater
from rivus.sources.command import command

from .conftest import FakeLook


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_each_line_is_an_item(look: FakeLook) -> None:
    lines = '{"key": "a", "title": "A"}\n\n{"id": 7}\n{"url": "http://x.org/", "id": null}\n{"key": "é"}'
    found = look.take(command(look, command=python(f"print({lines!r}, end='')")))
    assert [(f.key, f.data) for f in found] == [
        ("a", {"title": "A"}), ("7", {"id": 7}), ("http://x.org/", {"url": "http://x.org/", "id": None}), ("é", {}),
    ]  # fmt: skip


BAD_LINES = [
    b"not json", b"[1]", b'{"title": "no key"}', b'{"key": ""}', b'{"key": true}', b'{"key": 1.5}', b'{"key": "a"',
    b'{"key": "a", "x": NaN}', b'{"key": "\\ud800"}', b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_bad_line_is_skipped_and_the_look_fails_after_the_good_ones(
    look: FakeLook, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[str] = []
    printed = b'{"id": 1}\n\n' + line + b'\n{"id": 2}\n'
    with pytest.raises(RetryLater, match="line 3"):
        code = f"import sys; sys.stdout.buffer.write({printed!r})"
        found.extend(item.key for item in command(look, command=python(code)))
    assert found == ["1", "2"] and "line 3" in caplog.text


def test_a_line_without_end_is_bounded(look: FakeLook) -> None:
    code = "import sys; [sys.stdout.write('x' * 100000) for _ in range(300)]; print(); print('{\"id\": 2}')"
    found: list[str] = []
    with pytest.raises(RetryLater, match="line 1: longer than"):
        found.extend(item.key for item in command(look, command=python(code)))
    assert found == ["2"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1, RetryLater), (65, RetryLater), (69, RetryLater), (75, RetryLater), (77, Halt), (78, Halt), (127, Halt)],
)
def test_the_exit_code_is_an_outcome_with_the_end_of_stderr(
    look: FakeLook, code: int, kind: type[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVUS_SECRET_API_KEY", "very-secret")
    secrets.get("api_key")
    told = "sys.stderr.write('x' * 99999 + 'bad token very-secret')"
    program = f"import sys; print('{{\"id\": 1}}'); {told}; sys.exit({code})"
    found: list[str] = []
    with pytest.raises(kind, match=rf"ended with {code}: .*bad token \[secret api_key\]$") as raised:
        found.extend(item.key for item in command(look, command=python(program)))
    assert type(raised.value) is kind and found == ["1"] and len(str(raised.value)) < 2_500


def test_the_timeout_is_a_reason_to_try_again(look: FakeLook) -> None:
    code = "import time; print('{\"id\": 1}', flush=True); time.sleep(600)"
    found: list[str] = []
    with pytest.raises(RetryLater, match=r"killed after 0\.5 s"):
        found.extend(item.key for item in command(look, command=python(code), timeout=0.5))
    assert found == ["1"]


def test_a_look_that_is_left_ends_the_program(look: FakeLook) -> None:
    source = command(
        look, command=python("import os, time; print('{\"id\": %d}' % os.getpid(), flush=True); time.sleep(60)")
    )
    pid = int(next(source).key)
    source.close()  # type: ignore[attr-defined]
    assert not Path(f"/proc/{pid}").exists()


def test_no_secret_of_the_environment_reaches_the_program(look: FakeLook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_API_KEY", "very-secret")
    (found,) = command(look, command=python("import json, os; print(json.dumps({'id': 1, **os.environ}))"))
    assert "RIVUS_SECRET_API_KEY" not in found.data and "PATH" in found.data


def test_relative_paths_start_at_the_jobs_folder_and_no_shell_reads_arguments(look: FakeLook) -> None:
    program = look.folder / "find"
    program.write_text('#!/bin/sh\nprintf \'{"key": "%s", "where": "%s"}\' "$1" "$PWD"\n')
    program.chmod(0o755)
    (found,) = command(look, command=["./find", "$(id); *"])
    assert found.key == "$(id); *" and os.path.samefile(found.data["where"], look.folder)


@pytest.mark.parametrize("argv", [[], [""], ["no-such-program-here"], ["./missing"], ["a\0b"]])
def test_a_program_that_cannot_be_run_halts(look: FakeLook, argv: list[str]) -> None:
    with pytest.raises(Halt, match="cannot be started"):
        list(command(look, command=argv))
