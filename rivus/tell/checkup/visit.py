"""What every check gets, and how it looks at directories without ever looking at too much."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.locks import is_held
from rivus.spool.layout import Spool, names
from rivus.spool.pause import paused
from rivus.tell.checkup.finding import Commands, commands

if TYPE_CHECKING:
    from rivus.config.load import Jobs
    from rivus.config.schema import Job

MANY = 200_000
"""Names in one directory beyond which it is not counted on."""
SAMPLE = 2_000
"""Files of one directory that are looked at one by one."""


@dataclass(frozen=True)
class Visit:
    """One check-up. folder: jobs.d. now: seconds since the epoch."""

    spool: Spool
    jobs: Jobs
    folder: Path
    now: float

    @cached_property
    def commands(self) -> Commands:
        return commands(self.spool, self.folder)

    @cached_property
    def stages(self) -> tuple[tuple[str, str], ...]:
        """Every job and stage that has a directory."""
        return tuple((job, stage) for job in self.spool.jobs() for stage in self.spool.stages(job))

    @cached_property
    def enabled(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs.jobs.values() if job.enabled)

    @cached_property
    def active(self) -> dict[str, Job]:
        """The sound jobs that are enabled and not paused."""
        return {job.name: job for job in self.enabled if not paused(self.spool, job.name)}


def is_locked(path: str) -> bool:
    """Whether anybody has the lock on that file; not, if it cannot be one."""
    try:
        return is_held(Path(path))
    except OSError:
        return False


def count(folder: str) -> int:
    """How many names are in a directory, hidden ones left out; MANY at the most."""
    return sum(1 for _ in itertools.islice(names(folder), MANY))


def counted(number: int, noun: str) -> str:
    """`3 files`, `1 file`, `200000 files or more`."""
    return f"{number} {noun}{'s' * (number != 1)}{' or more' * (number >= MANY)}"


def sample(folder: str, most: int = SAMPLE) -> Iterator[tuple[str, os.stat_result]]:
    """The path and state of up to `most` entries of a directory, hidden ones left out; links are not followed."""
    for name in itertools.islice(names(folder), most):
        try:
            yield f"{folder}/{name}", os.lstat(f"{folder}/{name}")
        except FileNotFoundError:
            continue


def walk(root: str, each: int, most: int) -> Iterator[tuple[str, os.stat_result]]:
    """The path and state of what is below a directory, the directory first: up to `each` entries of one directory,
    `most` in all. What cannot be listed is passed over."""
    todo, left = [root], most
    yield root, os.lstat(root)
    while todo and left > 0:
        try:
            found = list(_entries(todo.pop(0), min(each, left)))
        except OSError:
            continue
        left -= len(found)
        for entry, state in found:
            yield entry.path, state
            if entry.is_dir(follow_symlinks=False):
                todo.append(entry.path)


def _entries(folder: str, most: int) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in itertools.islice(entries, most):
            try:
                yield entry, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
