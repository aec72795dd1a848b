"""Whether the index says what the spool says: a second index is made from the spool alone and compared row by row.

Only under the writer's lock. What moves while that goes on, or has moved since the last update, is a difference too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rivus.index.derive import named, shown
from rivus.index.fresh import builds, database
from rivus.index.rebuild import build, clear
from rivus.index.schema import Shapes, digest
from rivus.index.shapes import shapes, source_rows, verdict_files, verdict_rows
from rivus.index.store import Store
from rivus.index.tables import TABLES
from rivus.index.update import shapes_there
from rivus.model.outcome import Json
from rivus.spool import atomic
from rivus.spool.layout import Spool

if TYPE_CHECKING:
    from rivus.config.load import Jobs

ALONE = frozenset({"id", "item", "inode", "mtime"})
"""Columns that mean something within one index only."""
_COMPARED = ("items", "tickets", "runs", "days", "jobs", "sources", "verdicts")


def differences(spool: Spool, jobs: Jobs) -> Iterator[Json]:
    """Every row that only one of the two has: `in` says which, `table` where, and then what the row says."""
    clear(spool)
    known = shapes(spool, jobs, shapes_there(spool))
    try:
        yield from _differences(spool, jobs, known)
    except sqlite3.Error as error:
        yield {"in": "index", "problem": f"{database(spool)}: {error}"}


def _differences(spool: Spool, jobs: Jobs, known: Shapes) -> Iterator[Json]:
    path = f"{builds(spool)}/.check.db"
    try:
        build(spool, jobs, known, path)
        store = Store(path)
        try:
            store.replace_all("sources", source_rows(spool, known))
            store.replace_all("verdicts", verdict_rows(spool, [one[0] for one in verdict_files(spool)]))
            store.db.execute("ATTACH ? AS old", (f"file:{os.path.realpath(database(spool))}?mode=ro",))
            yield from _compare(store.db, known)
        finally:
            store.close()
    finally:
        for end in ("", "-wal", "-shm"):
            atomic.remove(f"{path}{end}")


def _compare(db: sqlite3.Connection, known: Shapes) -> Iterator[Json]:
    made = db.execute("SELECT value FROM old.facts WHERE name = 'digest'").fetchone()
    if made is None or digest(known) not in made[0]:
        yield {"in": "index", "problem": "it was made for other jobs, columns or stages"}
        return
    tables = {name: list(TABLES[name].columns) for name in _COMPARED}
    tables |= {f"data_{job}": list(shape.fields()) for job, shape in known.items()}
    for table, columns in (*tables.items(), ("search", ["text"])):
        kept = [column for column in columns if column not in ALONE]
        sides = {"spool": _select("main", table, columns, kept), "index": _select("old", table, columns, kept)}
        heads = [*([] if table in _COMPARED and "item" not in columns else ["name"]), *kept]
        for side, other in (("spool", "index"), ("index", "spool")):
            for row in db.execute(f"{sides[side]} EXCEPT {sides[other]}"):
                yield {"in": side, "table": table, **{head: _plain(one) for head, one in zip(heads, row, strict=True)}}


def _select(where: str, table: str, columns: list[str], kept: list[str]) -> str:
    """The rows of a table, with the name of the item in place of its number."""
    if table != "search" and "item" not in columns:
        return f"SELECT {', '.join(kept)} FROM {where}.{table}"
    number = "rowid" if table == "search" else "item"
    texts = ", ".join(f'one."{column}"' for column in kept)
    join = f'FROM {where}."{table}" AS one JOIN {where}.items ON items.id = one.{number}'
    return f"SELECT items.name, {texts} {join}"


def _plain(value: Any) -> Any:
    return shown(named(value)) if isinstance(value, bytes) else value
