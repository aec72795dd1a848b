from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rivus import secrets
from rivus.handlers.command import CommandFailed, run_command
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a Python program, given as text, or an argument list."""

    def call(program: str | list[str], item: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
        argv = program if isinstance(program, list) else [sys.executable, "-c", program]
        return run_command(argv, item or {}, **{"timeout": 20, "cwd": tmp_path, "env": {}, **given})

    return call


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_item_goes_in_and_the_object_comes_out(run: Run) -> None:
    output = run(
        "import json, sys; print(json.dumps({'got': json.load(sys.stdin)}))", {"title": "Größe \u2028"}
    )
    assert output == {"got": {"title": "Größe \u2028"}}


@pytest.mark.parametrize(
    ("code", "outcome"), [(65, ItemFailed), (69, RetryLater), (75, RetryLater), (77, Halt), (78, Halt)]
)
def test_an_exit_code_of_sysexits_is_an_outcome_with_the_last_line_as_its_reason(
    run: Run, code: int, outcome: type[Outcome]
) -> None:
    with pytest.raises(outcome, match=r"^the reason$"):
        run(f"import sys; print('talk\\nthe reason\\n', file=sys.stderr); sys.exit({code})")
    with pytest.raises(outcome, match=f"ended with {code}"):
        run(f"raise SystemExit({code})")


def test_any_other_end_is_a_failure_with_the_end_of_what_it_said(run: Run) -> None:
    with pytest.raises(CommandFailed, match="ended with 3\nwhy\nso") as failed:
        run("import sys; print('why\\nso', file=sys.stderr); sys.exit(3)")
    assert (failed.value.code, failed.value.tail) == (3, "why\nso")
    with pytest.raises(CommandFailed, match="killed by signal 11") as failed:
        run("import os; os.kill(os.getpid(), 11)")
    assert failed.value.code == -11


@pytest.mark.parametrize(
    ("output", "reason"),
    [("", "no JSON"), ("[1]", "JSON list, not an object"), ("null", "NoneType"), ("{} {}", "no JSON"),
     ('{"a": NaN}', "NaN is no JSON number"), ('{"a": -Infinity}', "-Infinity"), ('{"a": 1e999}', "1e999"),
     ('{"a": "\\xff"}', "no JSON"), ("[" * 100_000, "no JSON")],
)  # fmt: skip
def test_output_that_is_no_json_object_is_a_failure(
    run: Run, tmp_path: Path, output: str, reason: str
) -> None:
    (tmp_path / "out").write_bytes(output.encode("latin-1"))
    with pytest.raises(CommandFailed, match=reason):
        run(["cat", "out"])


def test_output_above_the_cap_is_a_failure_and_ends_the_program(run: Run) -> None:
    with pytest.raises(CommandFailed, match="more than 16 MiB"):
        run(["cat", "/dev/zero"])


def test_a_program_that_cannot_be_started_halts_the_job(run: Run, tmp_path: Path) -> None:
    with pytest.raises(Halt, match="no-such-program cannot be started: No such file"):
        run(["no-such-program"])
    (tmp_path / "text").write_text("not a program")
    with pytest.raises(Halt, match="Permission denied"):
        run(["./text"])
    with pytest.raises(Halt, match="cannot be started"):
        run(["true"], cwd=tmp_path / "gone")
    with pytest.raises(Halt, match="cannot be started"):
        run(["a\0b"])


def test_arguments_reach_the_program_and_never_a_shell(run: Run) -> None:
    tricky = ["$(id)", "; rm -rf /", "a b", "*", ""]
    program = [sys.executable, "-c", "import json, sys; print(json.dumps({'args': sys.argv[1:]}))", *tricky]
    assert run(program) == {"args": tricky}


def test_the_environment_is_clean(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_TOKEN", "hunter22")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/secret")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    given = run(program, env={"RIVUS_JOB": "dml"})
    assert given["RIVUS_JOB"] == "dml" and given["TZ"] == "Europe/Berlin"
    assert set(given) <= {"PATH", "HOME", "LANG", "TZ", "RIVUS_JOB", "LC_CTYPE"}


def test_a_secret_is_taken_out_of_what_a_program_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_COMMAND_TEST", "swordfish-9000")
    secrets.get("command_test")
    # 4,090 bytes after its beginning: what is kept begins in the middle of it.
    program = "import sys; sys.stderr.write('swordfish-9000' + 'x' * 4085 + 'y'); sys.exit(1)"
    with pytest.raises(CommandFailed) as failed:
        run(program)
    assert "fish" not in failed.value.tail and "9000" not in str(failed.value)
    assert len(failed.value.tail) <= 4096


def test_a_program_that_ignores_a_large_item_still_ends(run: Run) -> None:
    assert run(["echo", '{"a": 1}'], {"text": "x" * 5_000_000}) == {"a": 1}


def test_large_input_output_and_talk_flow_at_the_same_time(run: Run) -> None:
    program = (
        "import sys, threading\n"
        "talk = threading.Thread(target=lambda: [sys.stderr.write('y' * 65536) for _ in range(1600)])\n"
        "talk.start()\n"
        "while chunk := sys.stdin.read(1000): sys.stdout.write(chunk)\n"
        "talk.join(); sys.stderr.write('the end')"
    )
    item = {"text": "x" * 8_000_000}
    assert run(program, item) == item


def test_a_program_over_its_time_is_killed_with_its_children(run: Run, tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}'); print('last words', file=sys.stderr)\n"
        "sys.stderr.flush(); time.sleep(600)"
    )
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="killed after 1 s: last words"):
        run(program, timeout=1)
    assert time.monotonic() - started < 5
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        until(partial(gone, pid), f"the end of {pid}")


def test_what_a_program_leaves_running_ends_with_it_and_is_not_waited_for(run: Run, tmp_path: Path) -> None:
    script = "sleep 600 & echo $! > pid; echo '{\"done\": true}'"
    started = time.monotonic()
    assert run(["sh", "-c", script]) == {"done": True}
    assert time.monotonic() - started < 5
    pid = int((tmp_path / "pid").read_text())
    until(lambda: gone(pid), "the end of what was left")


def test_a_descendant_that_escapes_is_not_waited_for_but_holds_the_lock(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "slot").open("w") as slot:
        fcntl.flock(slot, fcntl.LOCK_EX)
        script = (
            "setsid sh -c 'echo $$ > pid; exec sleep 600' & while [ ! -s pid ]; do :; done; echo '{\"a\": 1}'"
        )
        assert run(["sh", "-c", script], hold_fds=[slot.fileno()]) == {"a": 1}
    pid = int((tmp_path / "pid").read_text())
    with (tmp_path / "slot").open() as again:
        with pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(pid, 9)
        until(lambda: _locked(again.fileno()), "the slot")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_other_descriptors_are_not_inherited(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "other").open("w") as other:
        os.set_inheritable(other.fileno(), True)
        program = "import json, os; print(json.dumps({'fds': os.listdir('/proc/self/fd')}))"
        assert set(run(program)["fds"]) <= {"0", "1", "2", "3"}


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_a_program_dies_with_a_caller_that_is_killed(tmp_path: Path, in_a_thread: bool) -> None:
    caller = (
        "import threading, sys; from pathlib import Path\n"
        "from rivus.handlers.command import run_command\n"
        "def call():\n"
        "    argv = ['sh', '-c', 'echo $$ > pid; exec sleep 600']\n"
        "    run_command(argv, {}, timeout=600, cwd=Path(sys.argv[1]), env={})\n"
        f"threading.Thread(target=call).start() if {in_a_thread} else call()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", caller, str(tmp_path)], cwd=ROOT)
    file = tmp_path / "pid"
    until(lambda: file.exists() and file.read_text().strip(), "the program")
    pid = int(file.read_text())
    end = os.pidfd_open(pid)
    assert not gone(pid)
    parent.kill()
    parent.wait()
    assert select.select([end], [], [], 5)[0], "the program outlived its caller"
    os.close(end)


def test_many_programs_run_at_once_from_threads(run: Run) -> None:
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda n: run(["echo", f'{{"n": {n}}}']), range(40)))
    assert outputs == [{"n": n} for n in range(40)]


def test_no_descriptor_and_no_zombie_is_left(run: Run) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    run(["echo", "{}"])
    with pytest.raises(TimeoutError):
        run(["sleep", "600"], timeout=0.05)
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_pipe_that_closes_ends_the_program_as_usual(run: Run) -> None:
    assert run(["sh", "-c", "yes | head -n 1 > /dev/null; echo '{\"a\": 1}'"]) == {"a": 1}
