"""Hooks: programs of the user's that hear of what happened, once per group and day, and can harm nothing.

In `jobs.d/hooks.d`, the file `on-EVENT` and all files `on-EVENT.NAME` in order of their names get one JSON object on
stdin: event, t, host, and what the caller knows. Files that are not executable, or end in `.example`, are off. One that
somebody else could have written is refused.

That a group was told of is a stamp `_hooks/EVENT.DIGEST` in the spool; whoever makes it starts the hooks, so a crash
between the two tells nobody. After a day, or `rearm`, the group is told of again. Hooks run one at a time beside the
work, in a clean environment, for 10 s at most each, and end with this process.
"""

from __future__ import annotations

import json
import os
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.layout import Spool, names
from rivus.talk import say, scrubbed

Event = Literal["failed", "paused", "parked", "held", "done", "resumed", "unit"]
FOLDER = "hooks.d"
SECONDS = 10.0
"""What a hook may take."""
AGAIN = 86_400.0
"""Seconds after which a group is told of again."""
_WAITING = 32
_LONGEST = 1000
_PATIENCE = 2.0
_unstamped: set[str] = set()


def fire(folder: Path, spool: Spool, event: Event, group: str, payload: Mapping[str, Any]) -> None:
    """Starts the hooks for `event` unless this `group` was told of; does not wait for them, and never fails.

    folder: jobs.d. group: what belongs together, such as a fingerprint. payload: JSON values; texts are cut at 1000
    characters, and secrets taken out.
    """
    stamp = _stamp(spool, event, group)
    try:
        if _fresh(stamp):
            return
        hooks = _hooks(folder / FOLDER, event)
        if hooks and _first(stamp, f"{event} {group}\n"):
            _runner.add(hooks, _question(event, payload))
    except (OSError, ValueError, RuntimeError) as error:
        say(f"hooks for {event}: {error}")


def rearm(spool: Spool, event: Event, group: str) -> None:
    """The next time, the group is told of again. Raises OSError."""
    stamp = _stamp(spool, event, group)
    _unstamped.discard(stamp)
    atomic.remove(stamp)


def drain(timeout: float = SECONDS) -> None:
    """Waits for the hooks that were started, at most so many seconds. Call it before the process ends."""
    _runner.drain(timeout)


def _question(event: str, payload: Mapping[str, Any]) -> bytes:
    known = {name: scrubbed(value)[:_LONGEST] if isinstance(value, str) else value for name, value in payload.items()}
    whole = {"event": event, "t": utc(time.time()), "host": os.uname().nodename, **known}
    return scrubbed(json.dumps(whole, default=str)).encode() + b"\n"


def _stamp(spool: Spool, event: str, group: str) -> str:
    return f"{spool.root}/_hooks/{event}.{sha256(group.encode(errors='replace')).hexdigest()[:32]}"


def _fresh(stamp: str) -> bool:
    try:
        return abs(time.time() - os.lstat(stamp).st_mtime) < AGAIN
    except FileNotFoundError:
        return False


def _first(stamp: str, text: str) -> bool:
    """Whether this process is to tell. A full disk silences nobody: then each process tells once."""
    try:
        return _stamped(stamp, text)
    except OSError as error:
        first = stamp not in _unstamped
        _unstamped.add(stamp)
        if first:
            say(f"{stamp} cannot be written: {error.strerror}")
        return first


def _stamped(stamp: str, text: str) -> bool:
    """Makes the stamp, and removes those that are too old. False if it is there."""
    folder = os.path.dirname(stamp)
    atomic.make_folder(folder)
    with _alone(folder):
        for name in names(folder):
            if not _fresh(f"{folder}/{name}"):
                atomic.remove(f"{folder}/{name}")
        try:
            atomic.write_new(stamp, scrubbed(text).encode(errors="replace"), sync=False)
        except FileExistsError:
            return False
    return True


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    from rivus.locks import queue

    end = time.monotonic() + _PATIENCE
    held = queue(Path(folder, ".lock"), lambda: time.monotonic() > end)
    try:
        yield
    finally:
        if held:
            held.release()


def _hooks(folder: Path, event: str) -> list[Path]:
    """The hooks that may run, in order."""
    pattern = re.compile(rf"on-{event}(\.[A-Za-z0-9_-]+)*")
    found = (name for name in names(str(folder)) if pattern.fullmatch(name) and not name.endswith(".example"))
    hooks = [folder.absolute() / name for name in sorted(found) if os.access(folder / name, os.X_OK)]
    if not hooks or _refused(folder, stat.S_IWOTH):
        return []
    return [path for path in hooks if path.is_file() and not _refused(path, stat.S_IWOTH | stat.S_IWGRP)]


def _refused(path: Path, writers: int) -> bool:
    """Whether somebody else could have written this; says so once."""
    status = path.stat()
    if status.st_uid not in (0, os.geteuid()):
        _say_once(f"{path}: not run, as it belongs to another user")
    elif status.st_mode & writers:
        _say_once(f"{path}: not run, as others may write to it (chmod go-w)")
    else:
        return False
    return True


@cache
def _say_once(text: str) -> None:
    say(text)


class _Runner:
    """Runs hooks one after the other, in a thread that is there while there are any."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._waiting: deque[tuple[Path, bytes]] = deque()
        self._busy = False

    def add(self, hooks: list[Path], question: bytes) -> None:
        """Raises RuntimeError if no thread can be started."""
        with self._turn:
            room = _WAITING - len(self._waiting)
            self._waiting.extend((hook, question) for hook in hooks[:room])
            if not self._busy:
                threading.Thread(target=self._work, name="rivus-hooks", daemon=True).start()
                self._busy = True
        for hook in hooks[room:]:
            say(f"{hook}: not run, as {_WAITING} hooks wait already")

    def drain(self, timeout: float) -> None:
        with self._turn:
            if self._turn.wait_for(lambda: not self._busy, timeout):
                return
            left = 1 + len(self._waiting)
            self._waiting.clear()
        say(f"hooks that had no time to end: {left}")

    def _work(self) -> None:
        while hook := self._next():
            try:
                _run(*hook)
            except Exception as error:  # noqa: BLE001 - a hook harms nothing
                say(f"a hook failed: {error}")

    def _next(self) -> tuple[Path, bytes] | None:
        with self._turn:
            if self._waiting:
                return self._waiting.popleft()
            self._busy = False
            self._turn.notify_all()
            return None


def _run(hook: Path, question: bytes) -> None:
    """Raises Halt if it cannot be started, TimeoutError when it was killed."""
    from rivus.programs import Program

    with Program([str(hook)], cwd=hook.parent, question=question) as program:
        for _ in program.lines(SECONDS):
            pass
    if program.tail:
        say(f"{hook}: {program.tail}", 1)
    if program.code:
        say(f"{hook}: ended with {program.code}")


_runner = _Runner()
