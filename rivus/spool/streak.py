"""How often in a row one stage has failed in the same way: `JOB/STAGE/.streak.json`, shared by all its workers.

    {"fingerprint": "1f0c…", "count": 3, "since": "2026-07-01T06:00:00Z", "last": "2026-07-01T06:00:04Z"}

A success removes it, another fingerprint begins at 1. It is not durable, and what cannot be read counts as no streak:
a crash may lose a count, and a breaker that trips one failure later is no harm. Counts of live processes are exact.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable, dump, read_document
from rivus.talk import say

PATIENCE = 2.0
"""Seconds to wait for a process that was stopped while it counted; then counting goes on without it."""


def failed(spool: Spool, job: str, stage: str, fingerprint: str, owner: Owner) -> int:
    """Counts one more failure, and gives how many of its kind there were in a row. Never fails itself."""
    path, now = _path(spool, job, stage), utc(time.time())
    count = 1
    try:
        with _alone(path):
            streak = _read(path)
            if streak.get("fingerprint") != fingerprint:
                streak = {"count": 0, "since": now}
            count = streak["count"] + 1
            draft = owner.draft()
            line = {"fingerprint": fingerprint, "count": count, "since": streak.get("since"), "last": now}
            atomic.write_new(draft, dump(line), sync=False)
            atomic.rename(draft, path)
    except OSError as error:
        say(f"{path}: cannot be written: {error.strerror}")
    return count


def succeeded(spool: Spool, job: str, stage: str) -> None:
    """Ends the streak. Costs one look when there is none. Never fails itself."""
    path = _path(spool, job, stage)
    if not os.path.lexists(path):
        return
    try:
        with _alone(path):
            atomic.remove(path)
    except OSError as error:
        say(f"{path}: cannot be removed: {error.strerror}")


def _path(spool: Spool, job: str, stage: str) -> str:
    return f"{spool.stage(job, stage)}/.streak.json"


def _read(path: str) -> Json:
    try:
        streak = read_document(path)
    except (FileNotFoundError, Unreadable):
        return {}
    count = streak.get("count")
    return streak if type(count) is int and count > 0 else {}


@contextmanager
def _alone(path: str) -> Iterator[None]:
    from rivus.locks import queue

    end = time.monotonic() + PATIENCE
    held = queue(Path(path).with_name(".streak.lock"), lambda: time.monotonic() > end)
    try:
        yield
    finally:
        if held:
            held.release()
