"""Which directories of the spool have changed, and which items that concerns: finds what the journal does not tell.

A directory is listed again when its time of modification is another one. A small one is compared file by file (inode
and time), a large one by names, unless the journal has lost lines. `later` is always listed: a `touch` reschedules.
With patience a directory that took a second to list is listed once in 100 seconds, so that looking never costs more
than a hundredth of the time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rivus.index.derive import named, shown, stored
from rivus.index.gather import Source
from rivus.index.reading import Place, entries, places
from rivus.index.store import Store
from rivus.index.tail import Items
from rivus.model.states import Box

LARGE = 20_000
"""Files above which a directory is compared by names."""
SHARE = 100
SETTLED = 50_000_000
"""Nanoseconds after which a change cannot have the same time as the one before: clocks of file systems are coarse."""
Stamp = tuple[int, int] | None
"""Inode and time of a file; None if that was not looked at."""


@dataclass(slots=True)
class Folder:
    """One directory with tickets, or with a job's birth records (place None)."""

    source: Source
    path: str
    place: Place | None

    @property
    def below(self) -> str | bytes:
        """The path below the spool, as it stands in the index."""
        return stored(self.path.removeprefix(f"{self.source.spool.root}/"))

    @property
    def timed(self) -> bool:
        return self.place is not None and self.place.box is Box.LATER


def folders(source: Source) -> Iterator[Folder]:
    """All directories of a job that the index looks at."""
    yield Folder(source, source.spool.births(source.job), None)
    for stage in source.stages:
        for place in places(source.spool, source.job, stage):
            yield Folder(source, place.path, place)


def changed_items(store: Store, sources: Iterable[Source], patient: bool, careful: bool) -> tuple[Items, bool]:
    """The items in directories that have changed since the last call, as (job, file name), and whether all such
    directories were looked at. careful: compare every file, and every directory."""
    items: Items = {}
    all_seen = True
    for source in sources:
        for folder in [*folders(source), *_gone(store, source)]:
            seen = _look(store, folder, patient, careful, items)
            all_seen = all_seen and seen
    return items, all_seen


def _look(store: Store, folder: Folder, patient: bool, careful: bool, items: Items) -> bool:
    started = time.time()
    row = store.db.execute("SELECT mtime, listed, took FROM folders WHERE path = ?", (folder.below,)).fetchone()
    before, listed, took = row or (None, 0.0, 0.0)
    mtime = modified(folder.path)
    if mtime == before and mtime and not folder.timed and not careful:
        return True
    if patient and 0 <= started - listed < SHARE * took:
        return False
    here, known = stamps(folder.path, careful), _known(store, folder)
    differing = (name for name in here.keys() | known.keys() if _differ(here.get(name, ()), known.get(name, ())))
    items.update(dict.fromkeys((folder.source.job, name) for name in differing))
    remember(store, folder, mtime, started)
    return True


def remember(store: Store, folder: Folder, mtime: int, started: float) -> None:
    """Notes that a directory was listed. mtime: as it was before. started: seconds since the epoch."""
    if not mtime:
        store.db.execute("DELETE FROM folders WHERE path = ?", (folder.below,))
        return
    settled = started * 1e9 - mtime > SETTLED
    row = (folder.below, mtime if settled else 0, started, time.time() - started)
    store.db.execute("REPLACE INTO folders VALUES (?, ?, ?, ?)", row)


def modified(path: str) -> int:
    """When a directory was changed last, in nanoseconds; 0 if it is not there."""
    try:
        return os.stat(path).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


def stamps(path: str, careful: bool) -> dict[str, Stamp]:
    """The files in a directory."""
    found = entries(path)
    if len(found) > LARGE and not careful:
        return dict.fromkeys(found)
    stamped: dict[str, Stamp] = {}
    for name in found:
        try:
            status = os.lstat(f"{path}/{name}")
        except FileNotFoundError:
            continue
        stamped[name] = (status.st_ino, status.st_mtime_ns)
    return stamped


def _known(store: Store, folder: Folder) -> dict[str, tuple[int, int]]:
    """The files that the index has in a directory."""
    job, place = folder.source.job, folder.place
    if place is None:
        rows = store.db.execute("SELECT name, inode, mtime FROM items WHERE job = ? AND inode NOT NULL", (job,))
    else:
        rows = store.db.execute(
            "SELECT items.name, tickets.inode, tickets.mtime FROM tickets JOIN items ON items.id = tickets.item "
            "WHERE tickets.job = ? AND stage = ? AND tickets.state = ? AND owner IS ?",
            (job, place.stage, str(place.box), place.owner and shown(place.owner)),
        )
    return {named(name): (inode, mtime) for name, inode, mtime in rows}


def _differ(here: Stamp | tuple[()], known: tuple[int, int] | tuple[()]) -> bool:
    return not known if here is None else here != known


def _gone(store: Store, source: Source) -> Iterator[Folder]:
    """The directories that the index remembers and that are no more: of dead owners, of stages that were removed."""
    for (below,) in store.db.execute("SELECT path FROM folders").fetchall():
        job, stage, *rest = named(below).split("/")
        path = f"{source.spool.root}/{named(below)}"
        if job == source.job and stage != "discover" and not modified(path):
            yield Folder(source, path, Place(stage, Box(rest[0]), rest[1] if len(rest) > 1 else None, path))


