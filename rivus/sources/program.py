"""A program's output as lines while it runs: bounded in time and in the length of a line, leaving nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

LONGEST_LINE = 2**20
TAIL = 2_000
CHUNK = 65_536
POLL = 0.005
"""Seconds; programs end within moments of closing their output."""


class Ended(Exception):
    """The program has ended badly: `code` as subprocess gives it, `tail` the end of its stderr."""

    def __init__(self, code: int, tail: str) -> None:
        super().__init__(code)
        self.code, self.tail = code, tail


class TooLong(Exception):
    """The program was killed at its timeout."""


def run_lines(argv: list[str], folder: Path, seconds: float) -> Iterator[bytes]:
    """The lines that `argv` prints, run in `folder`. A line of more than LONGEST_LINE bytes is cut after them.

    Raises Ended for any exit code but 0, and TooLong; both after the lines that came before.
    """
    import subprocess

    guard = shutil.which("setpriv")
    process = subprocess.Popen(
        [guard, "--pdeathsig", "KILL", *argv] if guard else argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    tail = bytearray()
    end = monotonic() + seconds
    try:
        yield from _lines(_output(process, end, tail))
        _await_exit(process, end)
    finally:
        _kill(process)
    if process.returncode:
        raise Ended(process.returncode, tail.decode("utf-8", "replace"))


def _output(process: subprocess.Popen[bytes], end: float, tail: bytearray) -> Iterator[bytes]:
    """What comes on stdout, piece by piece; the end of stderr gathers in `tail`."""
    import selectors

    assert process.stdout is not None and process.stderr is not None
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = end - monotonic()
            if left <= 0:
                raise TooLong
            for ready, _ in selector.select(left):
                piece = os.read(ready.fd, CHUNK)
                if not piece:
                    selector.unregister(ready.fileobj)
                elif ready.fileobj is process.stdout:
                    yield piece
                else:
                    tail += piece
                    del tail[:-TAIL]


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    line = bytearray()
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for part in whole:
            line += part
            yield bytes(line[: LONGEST_LINE + 1])
            line.clear()
        line += rest[: max(0, LONGEST_LINE + 1 - len(line))]
    if line:
        yield bytes(line)


def _await_exit(process: subprocess.Popen[bytes], end: float) -> None:
    """Returns when the program has ended. Its id stays taken, so that no other group is killed for it."""
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if monotonic() >= end:
            raise TooLong
        sleep(POLL)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole group, also what the program has left running, and closes the pipes."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
