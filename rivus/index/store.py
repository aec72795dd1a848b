"""The index's database: opening it, and writing the rows of an item. Everything here runs inside the caller's
transaction, and only under the writer's lock."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rivus.index.derive import Row, stored
from rivus.index.gather import Rows
from rivus.index.schema import APPLICATION, VERSION, Shapes, indexes, job_tables, sums, tables, triggers
from rivus.index.tables import TABLES

BUSY = 30.0
"""Seconds to wait for a checkpoint of somebody else."""
BOUGHT = 50_000
"""Pages that the cache of a writer may hold, in KiB."""


_STAGE = list(TABLES["tickets"].columns).index("stage")
_FILE = slice(-2, None)
"""inode and mtime, at the end of a ticket's row."""


class Store:
    """One connection that writes. Raises sqlite3.Error, DatabaseError for a file that is damaged or no database."""

    def __init__(self, path: str, *, new: bool = False) -> None:
        mode = "rwc" if new else "rw"
        self.db = sqlite3.connect(
            f"{Path(path).absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY, isolation_level=None
        )
        self.db.execute(f"PRAGMA cache_size = -{BOUGHT}")
        self.db.execute("PRAGMA trusted_schema = OFF")
        # While it is being built nobody reads it, and one that was not finished is thrown away.
        for pragma in ("journal_mode = OFF", "synchronous = OFF") if new else ("synchronous = NORMAL",):
            self.db.execute(f"PRAGMA {pragma}").fetchall()

    def close(self) -> None:
        self.db.close()

    def create(self, shapes: Shapes) -> None:
        """Makes the tables, without indexes."""
        for statement in (*tables(), *job_tables(shapes)):
            self.db.execute(statement)

    def complete(self, shapes: Shapes) -> None:
        """Makes what is better made once all rows are there: sums, indexes, statistics; and gives the file its name
        card, which one that was not finished does not have."""
        for statement in (*sums(), *indexes(shapes), *triggers()):
            self.db.execute(statement)
        self.db.execute("PRAGMA analysis_limit = 1000")
        self.db.execute("ANALYZE")
        self.db.execute(f"PRAGMA application_id = {APPLICATION}")
        self.db.execute(f"PRAGMA user_version = {VERSION}")

    def fits(self) -> bool:
        """Whether this is an index of this version."""
        card = [self.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        return card == [APPLICATION, VERSION]

    def fact(self, name: str) -> Any:
        """What the index remembers under `name` (JSON), None if nothing."""
        row = self.db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def remember(self, name: str, value: object) -> None:
        self.db.execute("REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def replace_all(self, table: str, rows: Iterable[Row]) -> None:
        """Writes a small table anew."""
        self.db.execute(f"DELETE FROM {table}")
        self.insert(table, rows)

    def insert(self, table: str, rows: Iterable[Row]) -> None:
        width = len(TABLES[table].columns)
        self.db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", rows)

    def put(self, job: str, name: str, rows: Rows | None) -> bool:
        """Writes an item over what the index has of it; None removes it. Whether that changed anything."""
        row = self.db.execute("SELECT * FROM items WHERE job = ? AND name = ?", (job, stored(name))).fetchone()
        if row is None:
            self.add([(job, rows)] if rows else [])
            return rows is not None
        if rows is None:
            self._remove(job, row[0])
            return True
        tickets = self.db.execute("SELECT * FROM tickets WHERE item = ?", row[:1]).fetchall()
        before = {ticket[_STAGE]: ticket for ticket in tickets}
        now = {ticket[_STAGE]: ticket for ticket in _numbered(row[0], rows.tickets)}
        if row[1:] == rows.item and before == now:
            return False  # its other rows come from the same files
        self._change("items", row, (row[0], *rows.item), list(TABLES["items"].columns))
        for stage in before.keys() | now.keys():
            self._put_stage(row[0], stage, before.get(stage), now.get(stage), rows)
        self._put_data(job, row[0], rows)
        return True

    def _put_stage(self, number: int, stage: str, before: Row | None, now: Row | None, rows: Rows) -> None:
        """Writes the ticket of one stage, and its runs if the ticket's file is not the one it was."""
        if before == now:
            return
        self.db.execute("DELETE FROM tickets WHERE item = ? AND stage = ?", (number, stage))
        self.insert("tickets", [now] if now else [])
        if before is None or now is None or before[_FILE] != now[_FILE]:
            self.db.execute("DELETE FROM runs WHERE item = ? AND stage = ?", (number, stage))
            self.insert("runs", (run for run in _numbered(number, rows.runs) if run[_STAGE] == stage))

    def _put_data(self, job: str, number: int, rows: Rows) -> None:
        found = self.db.execute(f'SELECT * FROM "data_{job}" WHERE item = ?', (number,))
        columns = [column[0] for column in found.description]
        self._change(f'"data_{job}"', found.fetchone(), (number, *rows.data), columns)
        words = self.db.execute("SELECT text FROM search WHERE rowid = ?", (number,)).fetchone()
        if (words[0] if words else "") != rows.words:
            self.db.execute("DELETE FROM search WHERE rowid = ?", (number,))
            if rows.words:
                self.db.execute("INSERT INTO search(rowid, text) VALUES (?, ?)", (number, rows.words))

    def _change(self, table: str, before: Row, now: Row, columns: list[str]) -> None:
        """Sets the columns that differ, so that only their indexes are touched. The first column is the number."""
        pairs = zip(columns, before, now, strict=True)
        changed = {column: new for column, old, new in pairs if (old, type(old)) != (new, type(new))}
        if changed:
            names = ", ".join(f'"{column}" = ?' for column in changed)
            self.db.execute(f"UPDATE {table} SET {names} WHERE {columns[0]} = ?", (*changed.values(), now[0]))

    def _remove(self, job: str, number: int) -> None:
        for table, column in (("tickets", "item"), ("runs", "item"), ("items", "id"), (f'"data_{job}"', "item")):
            self.db.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))
        self.db.execute("DELETE FROM search WHERE rowid = ?", (number,))

    def add(self, items: Iterable[tuple[str, Rows]]) -> None:
        """Writes items that the index does not have."""
        top = self.db.execute("SELECT max(id) FROM items").fetchone()[0] or 0
        whole = [(number, job, rows) for number, (job, rows) in enumerate(items, top + 1)]
        self.insert("items", ((number, *rows.item) for number, _, rows in whole))
        self.insert("tickets", (row for number, _, rows in whole for row in _numbered(number, rows.tickets)))
        self.insert("runs", (row for number, _, rows in whole for row in _numbered(number, rows.runs)))
        for job in {job for _, job, _ in whole}:
            mine = [(number, *rows.data) for number, one, rows in whole if one == job]
            self.db.executemany(f'INSERT INTO "data_{job}" VALUES ({", ".join("?" * len(mine[0]))})', mine)
        worded = ((number, rows.words) for number, _, rows in whole if rows.words)
        self.db.executemany("INSERT INTO search(rowid, text) VALUES (?, ?)", worded)


def _numbered(number: int, rows: Iterable[Row]) -> Iterator[Row]:
    return ((number, *row) for row in rows)
