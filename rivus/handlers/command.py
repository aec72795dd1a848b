"""Runs any program as a handler: the item as JSON on stdin, its output as a JSON object on stdout.

    exit code   0      done: the object on stdout is the output
                69, 75 the world is at fault: RetryLater
                65     this item is at fault: ItemFailed
                77, 78 the job is broken: Halt (also for a program that cannot be started)
                other  CommandFailed

What holds for it: no shell; none of the caller's environment but PATH, HOME, LANG and TZ; nothing it does with its
pipes blocks the caller or fills its memory; it dies with the caller, even by kill -9, and when its time is over;
what it leaves running in its process group ends with it. A descendant that left the group and outlives them all
still holds the descriptors in `hold_fds`, so that a limit is waited for rather than exceeded.
"""

from __future__ import annotations

import json
import math
import os
import re
import selectors
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from rivus.model.outcome import Halt, ItemFailed, Json, Outcome, RetryLater

if TYPE_CHECKING:
    from subprocess import Popen

MAX_OUTPUT = 16 * 2**20
MAX_TAIL = 4096
_CHUNK = 65_536
_PIPE = 2**20
"""The most a pipe can still hold when the program has ended (/proc/sys/fs/pipe-max-size)."""
_KEPT = MAX_TAIL + 65_536  # a secret must be whole to be found, and is cut off with what is too much
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INHERITED = ("PATH", "HOME", "LANG", "TZ")
_OUTCOMES: dict[int, type[Outcome]] = {
    65: ItemFailed,
    69: RetryLater,
    75: RetryLater,
    77: Halt,
    78: Halt,
}

# Asks the kernel to kill it with its parent (PR_SET_PDEATHSIG, 1), then becomes the program. The parent may have died
# before it could ask: then it has another one by now. A program of its own, because code between fork and exec
# (preexec_fn) can deadlock in a process with threads. It costs 8 ms.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(75)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(print(f"{sys.argv[2]} cannot be started: {error.strerror}", file=sys.stderr) or 78)
"""


class CommandFailed(Exception):
    """A program ended in a way that says nothing about whose fault it is, or gave what is no output.

    code: its exit code, minus the number of the signal that killed it. tail: the end of its stderr, without secrets.
    """

    def __init__(self, reason: str, code: int, tail: str) -> None:
        super().__init__(f"{reason}\n{tail}" if tail else reason)
        self.code = code
        self.tail = tail


def run_command(
    argv: Sequence[str],
    item: Json,
    *,
    timeout: float,
    cwd: Path,
    env: Mapping[str, str],
    hold_fds: Sequence[int] = (),
) -> Json:
    """The output of the program `argv` for `item`. Blocks the calling thread, which must live as long as the program:
    the kernel takes the end of the thread that started it for the end of the parent.

    timeout: seconds. cwd: where it runs; a relative `argv[0]` with a slash starts there. env: added to the clean
    environment. hold_fds: descriptors that it and its children inherit.
    Raises the outcome of its exit code, CommandFailed, or TimeoutError when it had to be killed.
    """
    process = _start(argv, cwd, env, hold_fds)
    talk = _Talk(process, json.dumps(item, ensure_ascii=False).encode(errors="replace") + b"\n")
    try:
        finished = talk.until_it_ends(monotonic() + timeout)
    finally:
        # Before it is reaped: until then no other group can have its number.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, 9)
        talk.close()
        process.wait()
    tail = _tail(talk.errors)
    if not finished:
        raise TimeoutError(f"{argv[0]} was killed after {timeout:g} s{': ' if tail else ''}{_last_line(tail)}")
    return _result(argv[0], process.returncode, talk.output, tail)


def _start(argv: Sequence[str], cwd: Path, env: Mapping[str, str], hold_fds: Sequence[int]) -> Popen[bytes]:
    from subprocess import PIPE, Popen

    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *argv]
    try:
        return Popen(
            command,
            cwd=cwd,
            env={"PATH": os.defpath, **inherited, **env},
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            bufsize=0,
            pass_fds=tuple(hold_fds),
            start_new_session=True,  # its own process group, and no terminal to ask for passwords on
        )
    except (OSError, ValueError) as error:
        raise Halt(f"{argv[0]} cannot be started: {error}") from None


class _Talk:
    """The three pipes of a process, and its end, waited for together."""

    def __init__(self, process: Popen[bytes], question: bytes) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.output, self.errors = bytearray(), bytearray()
        self._question = memoryview(question)
        self._streams = (process.stdin, process.stdout, process.stderr)
        self._end = os.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        for stream, say in zip(self._streams, (self._ask, self._hear, self._hear_errors), strict=True):
            os.set_blocking(stream.fileno(), False)
            event = selectors.EVENT_WRITE if stream is process.stdin else selectors.EVENT_READ
            self._selector.register(stream, event, say)
        self._selector.register(self._end, selectors.EVENT_READ)

    def until_it_ends(self, deadline: float) -> bool:
        """Talks until the process has ended or said too much: True; False if `deadline` (monotonic) came first."""
        while len(self.output) <= MAX_OUTPUT:
            left = deadline - monotonic()
            if left <= 0:
                return False
            ready = [key for key, _ in self._selector.select(left)]
            for key in ready:
                if key.data and not key.data():
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
            if any(key.fd == self._end for key in ready):
                self._hear_the_rest()
                break
        return True

    def close(self) -> None:
        """Gives the descriptors back."""
        self._selector.close()
        os.close(self._end)
        for stream in self._streams:
            stream.close()

    def _ask(self) -> bool:
        """Whether there is more to write."""
        try:
            written = os.write(self._streams[0].fileno(), self._question[:_CHUNK])
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it does not want to know
            return False
        self._question = self._question[written:]
        return len(self._question) > 0

    def _hear(self) -> bool:
        """Whether there may be more to read."""
        chunk = _read(self._streams[1].fileno())
        self.output += chunk or b""
        return chunk != b""

    def _hear_errors(self) -> bool:
        chunk = _read(self._streams[2].fileno())
        self.errors = (self.errors + (chunk or b""))[-_KEPT:]
        return chunk != b""

    def _hear_the_rest(self) -> None:
        """What the pipes still hold; not more, as a descendant may go on writing."""
        for stream, hear in zip(self._streams[1:], (self._hear, self._hear_errors), strict=True):
            for _ in range(_PIPE // _CHUNK):
                if stream.closed or not hear():
                    break


def _read(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return None


def _tail(errors: bytearray) -> str:
    from rivus.secrets import scrub

    text = scrub(errors.decode("utf-8", "replace"))
    return _CONTROL.sub("", text.replace("\r", "\n"))[-MAX_TAIL:].strip()


def _last_line(tail: str) -> str:
    return tail.rpartition("\n")[2].strip()[:500]


def _result(program: str, code: int, output: bytearray, tail: str) -> Json:
    if len(output) > MAX_OUTPUT:
        raise CommandFailed(f"{program} wrote more than {MAX_OUTPUT // 2**20} MiB of output", code, tail)
    if code in _OUTCOMES:
        raise _OUTCOMES[code](_last_line(tail) or f"{program} ended with {code}")
    if code:
        how = f"ended with {code}" if code > 0 else f"was killed by signal {-code}"
        raise CommandFailed(f"{program} {how}", code, tail)
    try:
        result = json.loads(output, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{program} gave no JSON: {error}", code, tail) from None
    if not isinstance(result, dict):
        raise CommandFailed(f"{program} gave a JSON {type(result).__name__}, not an object", code, tail)
    return result


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits[:40])
