"""Keeping the index in step: what the journal tells, what the directories show, or all of it anew.

One process writes, under the lock `_index/lock`; each update is one transaction. A file that is missing, damaged, of
another version or made for other jobs is replaced, never mended.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.errors import TryAgain
from rivus.index import rebuild
from rivus.index.folders import changed_items
from rivus.index.fresh import NEVER, builds, database, lock_file, note
from rivus.index.gather import look_up, places_of
from rivus.index.schema import Shapes, digest
from rivus.index.shapes import KEPT, job_rows, limit_rows, shapes, shapes_in, source_rows, verdict_files, verdict_rows
from rivus.index.store import Store
from rivus.index.tail import MOST, Items, News, Position, news, size
from rivus.limits.bucket import this_boot
from rivus.locks import lock, try_lock
from rivus.model.times import epoch, utc
from rivus.spool import atomic
from rivus.spool.layout import Spool

if TYPE_CHECKING:
    from rivus.config.load import Jobs

SAMPLED = 30.0
"""Seconds between two samples of the limits at least."""
_PASSING = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PERM,
})  # fmt: skip
"""Errors that a new file would not help against."""


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did. items: how many were read again and had changed. rebuilt: why all was made anew, or ""."""

    items: int
    rebuilt: str = ""


@contextmanager
def writing(spool: Spool, wait: Callable[[], bool] | None) -> Iterator[bool]:
    """Holds the writer's lock. wait: None gives False at once if another process has it; else waits until that is
    true."""
    atomic.make_folder(builds(spool))
    path = Path(lock_file(spool))
    held = try_lock(path) if wait is None else lock(path, wait)
    try:
        yield held is not None
    finally:
        if held:
            held.release()


def update(spool: Spool, jobs: Jobs, patient: bool = False, anew: bool = False) -> Updated:
    """Brings the index up to date. Only under the writer's lock. patient: put off listing large directories again.
    anew: from the spool alone, whatever there is. Raises TryAgain if the database cannot be written now."""
    started = time.time()
    try:
        rebuild.clear(spool)
        why = "asked to" if anew else ""
        try:
            if not why:
                items, all_seen, why = _step(spool, jobs, patient)
        except sqlite3.Error as error:
            if _passing(error):
                raise
            why = str(error)
        if why:
            rebuild.swap_in(spool, jobs, shapes(spool, jobs, shapes_there(spool)))
            items, all_seen, again = _step(spool, jobs, patient)
            if again:
                raise TryAgain(f"{database(spool)}: made anew, and still {again}")
    except sqlite3.Error as error:
        raise TryAgain(f"{database(spool)}: {error}") from error
    note(spool, started if all_seen else NEVER)
    return Updated(items, why)


def _passing(error: sqlite3.Error) -> bool:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _PASSING


def shapes_there(spool: Spool) -> Shapes:
    """The shapes of the index that is there, as far as it can be read."""
    try:
        with opened(spool) as store:
            return _shapes(store)
    except sqlite3.Error:
        return {}


@contextmanager
def opened(spool: Spool) -> Iterator[Store]:
    store = Store(database(spool))
    try:
        yield store
    finally:
        store.close()


def _shapes(store: Store) -> Shapes:
    return shapes_in(store.db.execute("SELECT name, stages, columns, search FROM jobs").fetchall())


def _step(spool: Spool, jobs: Jobs, patient: bool) -> tuple[int, bool, str]:
    """One update in one transaction: how many items had changed, whether everything was looked at, and why the index
    must be made anew instead, or ""."""
    if not os.path.exists(database(spool)):
        return 0, False, "there is none"
    with opened(spool) as store:
        if not store.fits():
            return 0, False, "it is of another version"
        known = shapes(spool, jobs, _shapes(store))
        if store.fact("digest") != digest(known):
            return 0, False, "it was made for other jobs, columns or stages"
        since = Position(*store.fact("journal"))
        if size(spool, since) > MOST:
            return 0, False, "too much has happened since"
        store.db.execute("BEGIN IMMEDIATE")
        told = news(spool, since)
        count, all_seen = _write(store, spool, known, told, patient)
        _surroundings(store, spool, jobs, known)
        store.remember("journal", told.position)
        store.remember("boot", this_boot())
        store.db.execute("COMMIT")
        return count, all_seen, ""


def _write(store: Store, spool: Spool, known: Shapes, told: News, patient: bool) -> tuple[int, bool]:
    careful = not told.whole or store.fact("boot") not in (None, this_boot())
    sources = {source.job: source for source in rebuild.sources(spool, known)}
    items: Items = told.items
    seen, all_seen = changed_items(store, sources.values(), patient and not careful, careful)
    items |= seen
    where = {job: places_of(sources[job]) for job in {job for job, _ in items} & sources.keys()}
    count = 0
    for job, name in items:
        if job in where:
            count += store.put(job, name, look_up(sources[job], name, where[job]))
    return count, all_seen


def _surroundings(store: Store, spool: Spool, jobs: Jobs, known: Shapes) -> None:
    """The small tables."""
    now = time.time()
    store.replace_all("jobs", job_rows(spool, jobs, known))
    store.replace_all("sources", source_rows(spool, known))
    verdicts = verdict_files(spool)
    if store.fact("verdicts") != (noted := [list(one) for one in verdicts]):
        store.replace_all("verdicts", verdict_rows(spool, [one[0] for one in verdicts]))
        store.remember("verdicts", noted)
    last = store.db.execute("SELECT max(t) FROM limits").fetchone()[0]
    if last is None or abs(now - epoch(last)) >= SAMPLED:
        store.insert("limits", limit_rows(spool, jobs, now))
        store.db.execute("DELETE FROM limits WHERE t < ?", (utc(now - KEPT),))
