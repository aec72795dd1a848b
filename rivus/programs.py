"""Programs of others, run for a source or a handler: bounded in time and output, leaving nothing behind.

What holds for each: no shell; none of the caller's environment but PATH, HOME, LANG and TZ; nothing it does with its
pipes blocks the caller or fills its memory; it dies with the caller, even by kill -9, and when its time is over;
what it leaves running in its process group ends with it. A descendant that left the group and outlives them all
still holds the descriptors in `hold_fds`, so that a limit is waited for rather than exceeded.
"""

from __future__ import annotations

import os
import re
import selectors
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from rivus import secrets
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater

if TYPE_CHECKING:
    from subprocess import Popen

OUTCOMES: dict[int, type[Outcome]] = {
    65: ItemFailed,
    69: RetryLater,
    75: RetryLater,
    77: Halt,
    78: Halt,
}
"""What a program says with its exit code (sysexits.h)."""
MAX_OUTPUT = 16 * 2**20
MAX_TAIL = 4096
LONGEST_LINE = 2**20
_CHUNK = 65_536
_PIPE = 2**20
"""The most a pipe can still hold when the program has ended (/proc/sys/fs/pipe-max-size)."""
_KEPT = MAX_TAIL + 65_536  # a secret must be whole to be found, and is cut off with what is too much
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INHERITED = ("PATH", "HOME", "LANG", "TZ")

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


class Program:
    """A program that lives no longer than the `with` block. Leave that in the thread that made it, which must live as
    long: the kernel takes the end of the thread that started a program for the end of its parent.

    argv: the program and its arguments; a relative `argv[0]` with a slash starts at `cwd`. cwd: where it runs.
    env: added to the clean environment. question: what it gets on stdin. hold_fds: descriptors that it and its
    children inherit. Raises Halt if nothing can be started; a program that is not there ends with 78.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        question: bytes = b"",
        hold_fds: Sequence[int] = (),
    ) -> None:
        self._process = process = _start(argv, cwd, env or {}, hold_fds)
        assert process.stdin and process.stdout and process.stderr
        self._name = argv[0]
        self._heard, self._errors = bytearray(), bytearray()
        self._question = memoryview(question)
        self._streams = (process.stdin, process.stdout, process.stderr)
        self._end = os.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        for stream, talk in zip(self._streams, (self._ask, self._hear, self._hear_errors), strict=True):
            os.set_blocking(stream.fileno(), False)
            event = selectors.EVENT_WRITE if stream is process.stdin else selectors.EVENT_READ
            self._selector.register(stream, event, talk)
        self._selector.register(self._end, selectors.EVENT_READ)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        # Before it is reaped: until then no other group can have its number.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 9)
        self._selector.close()
        os.close(self._end)
        for stream in self._streams:
            stream.close()
        self._process.wait()

    @property
    def code(self) -> int:
        """After the block: its exit code, minus the number of the signal that killed it."""
        return self._process.returncode

    @property
    def tail(self) -> str:
        """The end of what it has said on stderr, without secrets and control characters."""
        text = secrets.scrub(self._errors.decode("utf-8", "replace"))
        return _CONTROL.sub("", text.replace("\r", "\n"))[-MAX_TAIL:].strip()

    @property
    def last_line(self) -> str:
        """The last line of `tail`, "" if it has said nothing."""
        return self.tail.rpartition("\n")[2].strip()[:500]

    def output(self, seconds: float) -> bytes:
        """All that it prints, or more than MAX_OUTPUT bytes of it. Raises TimeoutError when it takes longer."""
        whole = bytearray()
        for piece in self._pieces(seconds):
            whole += piece
            if len(whole) > MAX_OUTPUT:
                break
        return bytes(whole)

    def lines(self, seconds: float) -> Iterator[bytes]:
        """The lines that it prints, while it runs. A line of more than LONGEST_LINE bytes is cut one byte after them.

        Raises TimeoutError when it takes longer than `seconds`.
        """
        line = bytearray()
        for piece in self._pieces(seconds):
            *whole, rest = piece.split(b"\n")
            for part in whole:
                line += part
                yield bytes(line[: LONGEST_LINE + 1])
                line.clear()
            line += rest[: max(0, LONGEST_LINE + 1 - len(line))]
        if line:
            yield bytes(line)

    def _pieces(self, seconds: float) -> Iterator[bytes]:
        """What comes on stdout until the program has ended; the other two pipes are served meanwhile."""
        deadline, running = monotonic() + seconds, True
        while running:
            left = deadline - monotonic()
            if left <= 0:
                said = self.last_line
                raise TimeoutError(f"{self._name} was killed after {seconds:g} s{': ' if said else ''}{said}")
            for key, _ in self._selector.select(left):
                if key.fd == self._end:
                    running = False
                elif not key.data():
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
            if not running:
                self._hear_the_rest()
            if self._heard:
                yield bytes(self._heard)
                self._heard.clear()

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
        self._heard += chunk or b""
        return chunk != b""

    def _hear_errors(self) -> bool:
        chunk = _read(self._streams[2].fileno())
        self._errors = (self._errors + (chunk or b""))[-_KEPT:]
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


def _start(argv: Sequence[str], cwd: Path, env: Mapping[str, str], hold_fds: Sequence[int]) -> Popen[bytes]:
    from subprocess import PIPE, Popen

    if not argv or not argv[0]:
        raise Halt("a command without a program cannot be started")
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
