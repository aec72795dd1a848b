"""The whole index from the spool alone, into a new file that then takes the old one's place. Readers of the old one
read on; a build that is cut short leaves a hidden file, which the next one removes."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from rivus.index.folders import Folder, folders, modified, remember
from rivus.index.fresh import builds, database
from rivus.index.gather import Rows, Source, gather
from rivus.index.reading import Place, entries
from rivus.index.schema import Shapes, digest
from rivus.index.shapes import job_rows
from rivus.index.store import Store
from rivus.index.tail import end
from rivus.spool import atomic
from rivus.spool.layout import Spool

if TYPE_CHECKING:
    from concurrent.futures import Future

    from rivus.config.load import Jobs

CHUNK = 500
AHEAD = 8
"""Chunks that may be read and not yet written: what bounds the memory."""
MANY = 4000
"""Items of one job above which a second and a third process pay for their start."""

Where = tuple[Place, ...]


@dataclass(slots=True)
class Listing:
    """The items of a job: each name with the places of its tickets. Equal places are one object, so that a million
    items cost little more than their names."""

    source: Source
    items: dict[str, Where] = field(default_factory=dict)
    _same: dict[Where, Where] = field(default_factory=dict)

    def add(self, folder: Folder) -> None:
        """Reads one directory."""
        for name in entries(folder.path):
            where = self.items.get(name, ())
            place = folder.place
            if place and not any(place.stage == other.stage for other in where):
                where = (*where, place)
            self.items[name] = self._same.setdefault(where, where)


def sources(spool: Spool, shapes: Shapes) -> list[Source]:
    """The jobs as their items are read."""
    return [
        Source(spool, job, shape, tuple(sorted({*shape.stages, *spool.stages(job)}))) for job, shape in shapes.items()
    ]


def build(spool: Spool, jobs: Jobs, shapes: Shapes, path: str) -> None:
    """Makes a complete index at `path`, where nothing is. What moves meanwhile is in the journal after the position
    that the index then has, or in a directory whose time is another one."""
    store = Store(path, new=True)
    try:
        store.create(shapes)
        store.db.execute("BEGIN")
        store.remember("journal", end(spool))
        store.remember("digest", digest(shapes))
        store.insert("jobs", job_rows(spool, jobs, shapes))
        for source in sources(spool, shapes):
            _fill(store, source)
        store.complete(shapes)
        store.db.execute("COMMIT")
        store.db.execute("PRAGMA journal_mode = WAL").fetchall()
    finally:
        store.close()


def _fill(store: Store, source: Source) -> None:
    listing = Listing(source)
    for folder in folders(source):
        started, mtime = time.time(), modified(folder.path)
        listing.add(folder)
        if mtime:
            remember(store, folder, mtime, started)
    for chunk in _rows(listing):
        store.add((source.job, rows) for rows in chunk)


def _rows(listing: Listing) -> Iterator[list[Rows]]:
    """The rows of all items, read by two more processes if there are many."""
    items = iter(listing.items.items())
    chunks = ((listing.source, chunk) for chunk in iter(lambda: list(islice(items, CHUNK)), []))
    if len(listing.items) < MANY:
        yield from map(_read, chunks)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        ahead: deque[Future[list[Rows]]] = deque()
        for chunk in chunks:
            ahead.append(pool.submit(_read, chunk))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
        yield from (future.result() for future in ahead)


def _read(chunk: tuple[Source, list[tuple[str, Where]]]) -> list[Rows]:
    source, items = chunk
    found = (gather(source, name, places) for name, places in items)
    return [rows for rows in found if rows]


def swap_in(spool: Spool, jobs: Jobs, shapes: Shapes) -> None:
    """Builds the index and puts it into its place. Only under the writer's lock."""
    folder = builds(spool)
    numbers = [int(name.removesuffix(".db")) for name in os.listdir(folder) if _is_build(name)]
    name = f"{max(numbers, default=0) + 1}.db"
    clear(spool)
    build(spool, jobs, shapes, f"{folder}/.{name}")
    atomic.sync(f"{folder}/.{name}")
    atomic.rename(f"{folder}/.{name}", f"{folder}/{name}")
    atomic.symlink(f"_index/{name}", f"{folder}/.link")
    atomic.rename(f"{folder}/.link", database(spool))


def clear(spool: Spool) -> None:
    """Removes builds that were not finished or are not in use any more. Only under the writer's lock."""
    try:
        current = os.path.basename(os.readlink(database(spool)))
    except OSError:
        current = ""
    for name in os.listdir(builds(spool)):
        if name != "lock" and not (current and name.startswith(current)):
            atomic.remove(f"{builds(spool)}/{name}")


def _is_build(name: str) -> bool:
    return name.endswith(".db") and name.removesuffix(".db").isdecimal()
