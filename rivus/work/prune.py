"""Retention: what a job's `keep` does not keep any longer is archived or removed.

`done`: whole items go to the archive (`rivus.spool.archive`), and their large files with them. `files`: the large files
of items that stay. `journal`: days that no job wants. Whatever is interrupted is done by the next run. What was spent,
versions of the code and what was rejected stay.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.errors import TryAgain
from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.archive import archive, finished
from rivus.spool.hands import key_at
from rivus.spool.journal import record
from rivus.spool.layout import Spool, names

if TYPE_CHECKING:
    from rivus.config.load import Jobs
    from rivus.config.schema import Job

BATCH = 1000
"""Items for which the publishers' lock is held at a time."""
AHEAD = 50_000
"""Items that are looked at before they are put in order: what bounds the memory."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d\.jsonl(\.gz)?")


def prune(spool: Spool, job: Job, now: float, stop: Callable[[], bool] = lambda: False) -> Json:
    """Archives and removes what is due of one job. Gives how many items and how many folders of files. Raises TryAgain:
    another process is at it; RivusError: the archive cannot be read or written."""
    archived = removed = 0
    with _alone(spool, job.name):
        for batch in _due(spool, job, now):
            if stop():
                break
            archived += archive(spool, job.plan, batch, now - (job.keep.done or 0.0))
        for name in _filed(spool, job, now):
            if stop():
                break
            atomic.remove_tree(spool.files(job.name, name))
            record(spool, "prune files", job.name, "discover", key_at(spool, job.name, name))
            removed += 1
    return {"job": job.name, "archived": archived, "files": removed}


def due(spool: Spool, job: Job, now: float) -> Iterator[Json]:
    """What `prune` would take, as far as the times of the files tell."""
    gone = set()
    for name in itertools.chain.from_iterable(_due(spool, job, now)):
        gone.add(name)
        yield {"job": job.name, "key": key_at(spool, job.name, name), "what": "archive"}
    for name in _filed(spool, job, now):
        if name not in gone:
            yield {"job": job.name, "key": key_at(spool, job.name, name), "what": "files"}


def old_days(spool: Spool, jobs: Jobs, now: float) -> list[str]:
    """The files of the journal that no job keeps. None if there is a job which does not say so, or cannot be read."""
    wanted = {*jobs.jobs, *jobs.broken, *(name for name in spool.jobs() if os.path.isdir(f"{spool.root}/{name}"))}
    spans = [job.keep.journal if (job := jobs.jobs.get(name)) else None for name in wanted]
    longest = max((span for span in spans if span is not None), default=None)
    if longest is None or None in spans:
        return []
    first = utc(max(now - longest, 0.0))[:10]
    return sorted(day for day in names(spool.journal) if _DAY.fullmatch(day) and day[:10] < first)


def remove_days(spool: Spool, days: Sequence[str]) -> None:
    """Removes files of the journal."""
    for day in days:
        atomic.remove(f"{spool.journal}/{day}")


def _due(spool: Spool, job: Job, now: float) -> Iterator[list[str]]:
    """The items to be archived, in batches; within a bounded number of them the oldest first."""
    if job.keep.done is None:
        return
    before = now - job.keep.done
    found = ((finished(spool, job.plan, name), name) for name in names(spool.births(job.name)))
    old = ((when, name) for when, name in found if when is not None and when < before)
    while chunk := sorted(itertools.islice(old, AHEAD)):
        for start in range(0, len(chunk), BATCH):
            yield [name for _, name in chunk[start : start + BATCH]]


def _filed(spool: Spool, job: Job, now: float) -> Iterator[str]:
    """The items whose large files are to be removed."""
    if job.keep.files is None:
        return
    for folder in names(f"{spool.root}/{job.name}/files"):
        name = f"{folder}.json"
        when = finished(spool, job.plan, name)
        if when is not None and when < now - job.keep.files and spool.born(job.name, name):
            yield name


@contextmanager
def _alone(spool: Spool, job: str) -> Iterator[None]:
    from rivus.locks import try_lock

    folder = f"{spool.root}/{job}/discover"
    held = try_lock(Path(f"{folder}/.prune.lock")) if os.path.isdir(folder) else None
    if held is None and os.path.isdir(folder):
        raise TryAgain(f"{job}: another rivus-prune is at work")
    try:
        yield
    finally:
        if held is not None:
            held.release()
