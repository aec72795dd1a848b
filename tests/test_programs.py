from __future__ import annotations

import fcntl
import json
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
from rivus.model.outcome import Halt
from rivus.programs import LONGEST_LINE, MAX_OUTPUT, MAX_TAIL, Program

ROOT = Path(__file__).resolve().parent.parent


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(argv: list[str], cwd: Path = ROOT, seconds: float = 20, **given: Any) -> tuple[Program, bytes]:
    with Program(argv, cwd=cwd, **given) as program:
        output = program.output(seconds)
    return program, output


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


def test_the_question_goes_in_and_the_output_comes_out() -> None:
    program, output = run(["tr", "a-z", "A-Z"], question=b"hello")
    assert (program.code, output, program.tail, program.last_line) == (0, b"HELLO", "", "")
    assert run(["cat"])[1] == b""


def test_lines_come_while_the_program_runs_and_leaving_ends_it() -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with Program(python(code), cwd=ROOT) as program:
        pid = int(next(program.lines(20)))
        assert not gone(pid)
    assert gone(pid) and program.code == -9


def test_lines_are_whole_bounded_and_the_last_needs_no_end() -> None:
    code = f"import sys; sys.stdout.write('a\\n\\n' + 'x' * {3 * LONGEST_LINE} + '\\nb\\r\\nc')"
    with Program(python(code), cwd=ROOT) as program:
        lines = list(program.lines(20))
    assert lines == [b"a", b"", b"x" * (LONGEST_LINE + 1), b"b\r", b"c"]


def test_too_much_output_is_not_read_to_the_end() -> None:
    program, output = run(["cat", "/dev/zero"])
    assert MAX_OUTPUT < len(output) < MAX_OUTPUT + 2 * 2**20 and program.code == -9


def test_the_end_of_what_it_said_is_kept() -> None:
    program, _ = run(python("import sys; sys.stderr.write('x' * 99999 + '\\nwhy\\x1b[1m\\rso\\n'); sys.exit(3)"))
    assert (program.code, program.last_line, len(program.tail)) == (3, "so", MAX_TAIL - 1)
    assert program.tail.endswith("x\nwhy[1m\nso")


def test_a_secret_is_taken_out_of_what_a_program_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_COMMAND_TEST", "swordfish-9000")
    secrets.get("command_test")
    # 4,090 bytes after its beginning: what is kept begins in the middle of it.
    program, _ = run(python("import sys; sys.stderr.write('swordfish-9000' + 'x' * 4085 + 'y')"))
    assert "fish" not in program.tail and "9000" not in program.tail and len(program.tail) <= MAX_TAIL


def test_a_program_that_cannot_be_started_ends_with_78_or_halts(tmp_path: Path) -> None:
    program, _ = run(["no-such-program"])
    assert (program.code, program.tail) == (78, "no-such-program cannot be started: No such file or directory")
    (tmp_path / "text").write_text("not a program")
    assert "Permission denied" in run(["./text"], tmp_path)[0].tail
    for argv, cwd in ((["true"], tmp_path / "gone"), (["a\0b"], tmp_path), ([], tmp_path), ([""], tmp_path)):
        with pytest.raises(Halt, match="cannot be started"):
            run(argv, cwd)


def test_arguments_reach_the_program_and_never_a_shell() -> None:
    tricky = ["$(id)", "; rm -rf /", "a b", "*", ""]
    _, output = run([*python("import json, sys; print(json.dumps(sys.argv[1:]))"), *tricky])
    assert json.loads(output) == tricky


def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_TOKEN", "hunter22")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/secret")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    _, output = run(python("import json, os; print(json.dumps(dict(os.environ)))"), env={"RIVUS_JOB": "dml"})
    given = json.loads(output)
    assert given["RIVUS_JOB"] == "dml" and given["TZ"] == "Europe/Berlin"
    assert set(given) <= {"PATH", "HOME", "LANG", "TZ", "RIVUS_JOB", "LC_CTYPE"}


def test_a_program_that_ignores_a_large_question_still_ends() -> None:
    assert run(["echo", "a"], question=b"x" * 5_000_000)[1] == b"a\n"


def test_large_input_output_and_talk_flow_at_the_same_time() -> None:
    program = (
        "import sys, threading\n"
        "talk = threading.Thread(target=lambda: [sys.stderr.write('y' * 65536) for _ in range(1600)])\n"
        "talk.start()\n"
        "while chunk := sys.stdin.read(1000): sys.stdout.write(chunk)\n"
        "talk.join(); sys.stderr.write('the end')"
    )
    done, output = run(python(program), question=b"x" * 8_000_000)
    assert output == b"x" * 8_000_000 and done.tail.endswith("the end")


def test_a_program_over_its_time_is_killed_with_its_children(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}'); print('last words', file=sys.stderr)\n"
        "sys.stderr.flush(); time.sleep(600)"
    )
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="killed after 1 s: last words"):
        run(python(program), tmp_path, seconds=1)
    assert time.monotonic() - started < 5
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        until(partial(gone, pid), f"the end of {pid}")


def test_what_a_program_leaves_running_ends_with_it_and_is_not_waited_for() -> None:
    started = time.monotonic()
    _, output = run(["sh", "-c", "sleep 600 & echo $!"])
    assert time.monotonic() - started < 5
    until(lambda: gone(int(output)), "the end of what was left")


def test_a_descendant_that_escapes_is_not_waited_for_but_holds_the_lock(tmp_path: Path) -> None:
    with (tmp_path / "slot").open("w") as slot:
        fcntl.flock(slot, fcntl.LOCK_EX)
        script = "setsid sh -c 'echo $$ > pid; exec sleep 600' & while [ ! -s pid ]; do :; done; echo a"
        assert run(["sh", "-c", script], tmp_path, hold_fds=[slot.fileno()])[1] == b"a\n"
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


def test_other_descriptors_are_not_inherited(tmp_path: Path) -> None:
    with (tmp_path / "other").open("w") as other:
        os.set_inheritable(other.fileno(), True)
        _, output = run(python("import json, os; print(json.dumps(os.listdir('/proc/self/fd')))"))
        assert set(json.loads(output)) <= {"0", "1", "2", "3"}


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_a_program_dies_with_a_caller_that_is_killed(in_a_thread: bool) -> None:
    caller = (
        "import threading; from pathlib import Path\n"
        "from rivus.programs import Program\n"
        "def call():\n"
        "    with Program(['sh', '-c', 'echo $$; exec sleep 600'], cwd=Path('/')) as program:\n"
        "        for line in program.lines(600): print(line.decode(), flush=True)\n"
        f"threading.Thread(target=call).start() if {in_a_thread} else call()\n"
    )
    with subprocess.Popen(python(caller), cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        end = os.pidfd_open(pid)
        assert not gone(pid)
        parent.kill()
    assert select.select([end], [], [], 5)[0], "the program outlived its caller"
    os.close(end)


def test_many_programs_run_at_once_from_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda n: run(["echo", str(n)])[1], range(40)))
    assert outputs == [f"{n}\n".encode() for n in range(40)]


def test_no_descriptor_and_no_zombie_is_left() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    run(["true"])
    with pytest.raises(TimeoutError):
        run(["sleep", "600"], seconds=0.05)
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_pipe_that_closes_ends_the_program_as_usual() -> None:
    assert run(["sh", "-c", "yes | head -n 1 > /dev/null; echo a"])[1] == b"a\n"
