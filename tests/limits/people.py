"""Other processes for the tests: small scripts that answer line by line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 20.0


class Person:
    """A process that runs `script` with `args` as sys.argv[1:]; its stdin and stdout are ours.

    It is killed after `PATIENCE` seconds, so that a test that would hang fails instead.
    """

    def __init__(self, script: str, *args: object, pass_fds: tuple[int, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.pid = self._process.pid
        self._end = threading.Timer(PATIENCE, self._process.kill)
        self._end.daemon = True
        self._end.start()

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def say(self, line: str = "") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def rest(self) -> str:
        """All that is still to hear until the process ends."""
        assert self._process.stdout is not None
        return self._process.stdout.read()

    def wait(self) -> int:
        return self._process.wait(PATIENCE)

    def hang_up(self) -> None:
        """Whoever reads our lines, child processes too, comes to the end of the file."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._end.cancel()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]


def until(true: Callable[[], object], patience: float = PATIENCE) -> None:
    """Polls until `true()`; fails after `patience` seconds."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


def deadline(seconds: float = PATIENCE) -> Callable[[], bool]:
    """A `stop` that turns true after `seconds`, so that a test that would hang fails instead."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def waiting(path: Path, people: int) -> bool:
    """Whether so many wait for the lock on `path`, as the kernel sees it."""
    inode = path.stat().st_ino
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return people == sum(row[6].endswith(f":{inode}") for row in rows)
