"""Conservation: of every item, each stage of its job holds exactly one ticket, and each file says what its name says.

Everything in the spool is looked at and nothing is changed. Workers may run meanwhile: whatever looks wrong is looked
at once more before it is told. Of one kind 20 findings are told and the others counted: mend these and look again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.config.folders import jobs_folder
from rivus.model.item import NAME
from rivus.model.states import Box
from rivus.spool.layout import Spool, names
from rivus.spool.owners import owners
from rivus.tell.checkup.archives import archive_findings
from rivus.tell.checkup.finding import Commands, Finding, commands, edit, one_line, word
from rivus.tell.checkup.jobfiles import YOUNG, JobFiles
from rivus.tell.checkup.visit import counted, is_locked

if TYPE_CHECKING:
    from rivus.config.load import Jobs

IN_SPOOL = frozenset({"README.md", "index.db", "index.db-wal", "index.db-shm", "lost+found"})


def fsck(spool: Spool, jobs: Jobs) -> list[Finding]:
    """All that is not as it should be, the grave first. jobs: those that are not sound are told and passed over."""
    mending = commands(spool, _folder(jobs))
    found = [*_strays(spool, mending), *_leftovers(spool, mending)]
    for name in spool.jobs():
        if not os.path.isdir(f"{spool.root}/{name}"):
            continue
        if job := jobs.jobs.get(name):
            found += JobFiles(spool, job.plan, mending).findings()
            found += archive_findings(spool, name, mending)
        else:
            found.append(_unknown(spool, jobs, name))
    return sorted(found, key=lambda finding: not finding.grave)


def _strays(spool: Spool, mending: Commands) -> Iterator[Finding]:
    for name in names(spool.root):
        path = f"{spool.root}/{name}"
        job = NAME.fullmatch(name) and os.path.isdir(path)
        if not (job or name.startswith("_") or name in IN_SPOOL):
            yield Finding(f"{one_line(path)} does not belong here", mending.aside(path, name))


def _unknown(spool: Spool, jobs: Jobs, name: str) -> Finding:
    if name in jobs.broken:
        file = str(_folder(jobs) / f"{name}.yaml")
        return Finding(f"{name}: not looked at, because its configuration is broken", edit(file), grave=True)
    hidden = f"mv -n -- {word(f'{spool.root}/{name}')} {word(f'{spool.root}/.{name}')}"
    return Finding(f"{name} is in the spool and not in jobs.d; write its file, or put it out of sight", hidden)


def _folder(jobs: Jobs) -> Path:
    files = [job.file for job in jobs.drafts.values()] + [Path(problem.file) for problem in jobs.problems]
    return files[0].parent if files else jobs_folder(None)


def _leftovers(spool: Spool, mending: Commands) -> Iterator[Finding]:
    """What dead owners left in `_owners`; while they hold claims it is needed."""
    places = ((job, stage) for job in spool.jobs() for stage in spool.stages(job))
    claiming = {owner for job, stage in places for owner in names(spool.box(job, stage, Box.RUNNING))}
    dead = [name for name in owners(spool) if name not in claiming and _is_left(f"{spool.owners}/{name}.lock")]
    with os.scandir(spool.owners) as entries:
        hidden = [entry for entry in entries if entry.name.startswith(".") and entry.name.endswith(".lock")]
    dead += [entry.name for entry in hidden if _age(entry.path) > YOUNG and _is_left(entry.path)]
    if dead:
        yield Finding(f"_owners holds what {counted(len(dead), 'dead worker')} left", mending.rivus("sweep"))


def _age(path: str) -> float:
    try:
        return time.time() - os.lstat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def _is_left(lock: str) -> bool:
    """Whether nobody holds a lock that is still there: one that ends just now removes its own before it lets go."""
    return not is_locked(lock) and os.path.lexists(lock)
