"""Owners: who holds a claim, and whether it still lives.

An owner is a process that changes the spool. It holds an exclusive flock on `_owners/<owner>.lock` for its life, from
before its first claim; the kernel frees the lock when the process is gone, whatever killed it. So an owner is dead
exactly when its lock can be taken: no lease, no heartbeat, no clock. The lock file gets its name only once it is
locked, so nobody takes a starting owner for a dead one. `_owners/<owner>/` is its scratch folder: files are written
there and renamed to where they belong.

A crash leaves: a hidden lock file (removed by the sweep), or a lock file nobody holds, a scratch folder and claims
(the sweep recovers the claims, then removes both).
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.spool import atomic
from rivus.spool.layout import Spool, names

if TYPE_CHECKING:
    from rivus.locks import Held


class Owner:
    """This process's right to change the spool. Use it as a context manager, or call `close`."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.name, self._held = _sign_on(spool)
        self.scratch = f"{spool.owners}/{self.name}"
        self._count = itertools.count(1)
        self._folders: set[str] = set()
        atomic.make_folder(self.scratch)

    def draft(self) -> str:
        """A new path in the scratch folder."""
        return f"{self.scratch}/{next(self._count)}"

    def write(self, path: str, data: bytes) -> None:
        """Puts a file at `path` with these bytes, durably and at once: over what was there, or not at all."""
        draft = self.draft()
        atomic.write_new(draft, data)
        atomic.rename(draft, path)

    def claims(self, job: str, stage: str) -> str:
        """This owner's folder in `running`, made when it is first asked for."""
        path = self.spool.claims(job, stage, self.name)
        if path not in self._folders:
            atomic.make_folder(path)
            self._folders.add(path)
        return path

    def close(self) -> None:
        """Removes what this owner made for itself. A folder with claims stays, and is recovered."""
        try:
            for path in self._folders:
                atomic.remove_folder(path)
            atomic.remove_tree(self.scratch)
            atomic.remove(f"{self.scratch}.lock")
        finally:
            self._held.release()

    def __enter__(self) -> Owner:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _sign_on(spool: Spool) -> tuple[str, Held]:
    """A new name and its lock. A sweep that takes the lock file before it is locked costs a second try."""
    from rivus.locks import queue

    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    while True:
        name = f"{stamp}-{os.getpid()}-{os.urandom(4).hex()}"
        hidden = f"{spool.owners}/.{name}.lock"
        atomic.write_new(hidden, b"", sync=False)
        held = queue(Path(hidden), stop=lambda: True)
        if held and atomic.rename(hidden, f"{spool.owners}/{name}.lock"):
            return name, held
        if held:
            held.release()


@contextmanager
def buried(spool: Spool, owner: str) -> Iterator[bool]:
    """Holds the lock of `owner` while the body runs, and gives True, if that owner is dead; else gives False.

    Only one process at a time gets True, so that one alone recovers what the dead one held.
    """
    from rivus.locks import try_lock

    path = f"{spool.owners}/{owner}.lock"
    held = try_lock(Path(path))
    try:
        yield held is not None
    finally:
        if held is not None:
            held.release()


def forget(spool: Spool, owner: str) -> None:
    """Removes the lock file and the scratch folder of a dead owner without claims. Call it inside `buried`."""
    atomic.remove_tree(f"{spool.owners}/{owner}")
    atomic.remove(f"{spool.owners}/{owner}.lock")


def forget_unborn(spool: Spool) -> None:
    """Removes the hidden lock files of processes that died before they were owners."""
    from rivus.locks import try_lock

    for name in os.listdir(spool.owners):
        path = f"{spool.owners}/{name}"
        if name.startswith(".") and os.path.lexists(path) and (held := try_lock(Path(path))):
            atomic.remove(path)
            held.release()


def owners(spool: Spool) -> list[str]:
    """All owners with a lock file or a scratch folder, dead or alive."""
    return sorted({name.removesuffix(".lock") for name in names(spool.owners)})
