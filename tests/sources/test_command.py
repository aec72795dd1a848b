from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rivus import secrets
from rivus.model.outcome import Halt, Outcome, RetryLater
from rivus.sources.command import command

from .conftest import FakeLook


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_each_line_is_an_item(look: FakeLook) -> None:
    lines = '{"key": "a", "title": "A"}\n\n{"id": 7}\n{"url": "http://x.org/", "id": null}\n{"key": "é"}'
    found = look.take(command(look, command=python(f"print({lines!r}, end='')")))
    assert [(f.key, f.data) for f in found] == [
        ("a", {"title": "A"}), ("7", {"id": 7}), ("http://x.org/", {"url": "http://x.org/", "id": None}), ("é", {}),
    ]  # fmt: skip


def test_items_come_while_the_program_runs(look: FakeLook) -> None:
    code = "import time; print('{\"id\": 1}', flush=True); time.sleep(60)"
    source = command(look, command=python(code))
    started = time.monotonic()
    assert next(source).key == "1"
    source.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 20


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
    [(1, RetryLater), (65, RetryLater), (69, RetryLater), (75, RetryLater), (77, Halt), (78, Halt)],
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


def test_the_timeout_kills_the_whole_group(look: FakeLook) -> None:
    start = "child = subprocess.Popen(['sleep', '600'])"
    code = (
        f"import subprocess, time; {start}; print('{{\"id\": %d}}' % child.pid, flush=True); time.sleep(600)"
    )
    found: list[str] = []
    with pytest.raises(RetryLater, match=r"killed after 0\.5 s"):
        found.extend(item.key for item in command(look, command=python(code), timeout=0.5))
    assert until(lambda: not alive(int(found[0])))


def test_what_a_program_leaves_running_is_ended_with_it(look: FakeLook) -> None:
    start = "child = s.Popen(['sleep', '600'], stdout=s.DEVNULL, stderr=s.DEVNULL)"
    code = f"import subprocess as s; {start}; print('{{\"id\": %d}}' % child.pid)"
    (found,) = command(look, command=python(code))
    assert until(lambda: not alive(int(found.key)))


def test_a_program_dies_with_the_process_that_runs_it(tmp_path: Path) -> None:
    inner = "import os, time; print('{\"id\": %d}' % os.getpid(), flush=True); time.sleep(600)"
    outer = f"""
import sys, types, logging, os, pathlib
from rivus.sources.command import command
look = types.SimpleNamespace(folder=pathlib.Path({str(tmp_path)!r}), log=logging.getLogger())
for item in command(look, command=[sys.executable, "-c", {inner!r}]):
    print(item.key, flush=True)
"""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert alive(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    assert until(lambda: not alive(pid))


def test_relative_paths_start_at_the_jobs_folder_and_no_shell_reads_arguments(look: FakeLook) -> None:
    program = look.folder / "find"
    program.write_text('#!/bin/sh\nprintf \'{"key": "%s", "where": "%s"}\' "$1" "$PWD"\n')
    program.chmod(0o755)
    (found,) = command(look, command=["./find", "$(id); *"])
    assert found.key == "$(id); *" and os.path.samefile(found.data["where"], look.folder)


@pytest.mark.parametrize("argv", [[], [""], ["no-such-program-here"], ["./missing"], ["a\0b"]])
def test_a_program_that_cannot_be_run_halts(look: FakeLook, argv: list[str]) -> None:
    with pytest.raises(Halt, match="command"):
        list(command(look, command=argv))
