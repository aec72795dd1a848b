"""Whether the index may be behind the spool: some hundred looks at times, without a database. And where its files are.

`index.db` is a link into `_index/`, where each build has a number, so that the files that SQLite puts beside a database
(-wal, -shm) never meet another one, and whoever reads an old build reads on. `_index/lock` is held by the one writer;
its time is that of the last update, less what a file system's clock may be behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rivus.model.states import BOXES, Box
from rivus.spool import atomic
from rivus.spool.layout import Spool, names

BEHIND = 0.05
NEVER = 0.0


def database(spool: Spool) -> str:
    """The path by which everybody opens the index."""
    return f"{spool.root}/index.db"


def builds(spool: Spool) -> str:
    return f"{spool.root}/_index"


def lock_file(spool: Spool) -> str:
    return f"{builds(spool)}/lock"


def note(spool: Spool, started: float) -> None:
    """Remembers that the index has all that had happened at `started`; NEVER: that it has not."""
    atomic.set_time(lock_file(spool), max(0.0, started - BEHIND))


def wanted(spool: Spool) -> bool:
    """Whether there is an index, or anything to make one of."""
    return os.path.lexists(database(spool)) or any(True for job in spool.jobs() for _ in names(spool.births(job)))


def is_fresh(spool: Spool, jobs_folder: Path, now: float) -> bool:
    """Whether nothing that the index shows has changed since its last update."""
    if not os.path.exists(database(spool)):
        return False
    last = _changed(lock_file(spool))
    if not 0 < last <= now:
        return False
    return all(_changed(path) < last for path in _watched(spool, jobs_folder)) and _touched(spool) < last


def _watched(spool: Spool, jobs_folder: Path) -> Iterator[str]:
    yield from (f"{spool.journal}/{day}" for day in sorted(names(spool.journal))[-1:])
    yield from (str(jobs_folder), spool.journal, spool.verdicts)
    yield from (f"{jobs_folder}/{name}" for name in names(str(jobs_folder)) if name.endswith(".yaml"))
    yield from (f"{spool.verdicts}/{name}" for name in names(spool.verdicts))
    for job in spool.jobs():
        yield from (f"{spool.root}/{job}", f"{spool.root}/{job}/discover", spool.births(job))
        for stage in spool.stages(job):
            yield from (spool.box(job, stage, box) for box in BOXES)
            running = spool.box(job, stage, Box.RUNNING)
            yield from (f"{running}/{owner}" for owner in names(running))


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return 0.0


def _touched(spool: Spool) -> float:
    """When a file in `later` was changed last, or its time set."""
    last = 0.0
    for job in spool.jobs():
        for stage in spool.stages(job):
            later = spool.box(job, stage, Box.LATER)
            for name in names(later):
                try:
                    last = max(last, os.lstat(f"{later}/{name}").st_ctime)
                except FileNotFoundError:
                    continue
    return last
