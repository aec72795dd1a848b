"""`JOB/archive/.leaving/STAGE/`: the finished tickets of items that are on their way to the archive, or back from it.

Nobody but the holder of the publishers' lock touches them. What a crash leaves here, the next holder settles before
anything else, and the birth record alone says which way: an item that has one is in the spool, so its tickets go to
`done`; one that has none is archived, so they are removed, its large files before them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from rivus.model.states import Box
from rivus.spool import atomic
from rivus.spool.layout import Spool, names


def root(spool: Spool, job: str) -> str:
    """The folder, there only while something is on its way."""
    return f"{spool.archive(job)}/.leaving"


def place(spool: Spool, job: str, stage: str, name: str) -> str:
    """Where a ticket is meanwhile."""
    return f"{root(spool, job)}/{stage}/{name}"


def make_places(spool: Spool, job: str, stages: Iterable[str]) -> None:
    """Makes the folders for the tickets of these stages."""
    atomic.make_folder(spool.archive(job))
    atomic.make_folder(root(spool, job))
    for stage in stages:
        atomic.make_folder(f"{root(spool, job)}/{stage}")


def take(spool: Spool, job: str, stages: Sequence[str], name: str) -> bool:
    """Takes an item's tickets out of `done`: all, or none if one has just been moved by somebody else. stages: each
    before all that it needs, so that a ticket which somebody took still finds the results it is made from."""
    for number, stage in enumerate(stages):
        if not atomic.rename(spool.ticket(job, stage, Box.DONE, name), place(spool, job, stage, name)):
            give_back(spool, job, stages[:number], name)
            return False
    return True


def give_back(spool: Spool, job: str, stages: Sequence[str], name: str) -> None:
    """Returns tickets to `done`; what others need first. stages: in the order of `take`."""
    for stage in reversed(stages):
        atomic.rename(place(spool, job, stage, name), spool.ticket(job, stage, Box.DONE, name))


def settle(spool: Spool, job: str) -> None:
    """Empties the folder. One look if it is not there."""
    folder = root(spool, job)
    if not os.path.lexists(folder):
        return
    gone: dict[str, list[str]] = {}
    for stage in list(names(folder)):
        for name in list(names(f"{folder}/{stage}")):
            if spool.born(job, name):
                give_back(spool, job, [stage], name)
            else:
                gone.setdefault(name, []).append(f"{folder}/{stage}/{name}")
    for name, paths in gone.items():
        atomic.remove_tree(spool.files(job, name))
        for path in paths:
            atomic.remove(path)
    for stage in list(names(folder)):
        atomic.remove_folder(f"{folder}/{stage}")
    atomic.remove_folder(folder)
