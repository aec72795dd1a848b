"""The index as Datasette opens it: read only, within limits, and again when another build has taken its place."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from datasette.database import Database

from rivus.errors import TryAgain

T = TypeVar("T")

LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 50_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
LENGTH = 200_000
LENGTH_OF_VISITORS = 50_000
"""Bytes of a value, and of a row. No column of the index is longer than some thousand; what people may write
themselves is kept so short that a thousand rows of it do no harm."""
HEAP = 256 << 20
"""Bytes that SQLite may use in all; where it is exceeded the query fails."""


class Index(Database):  # type: ignore[misc]
    """Each thread has one connection, as with Datasette's own; before each use it is compared with the file."""

    def __init__(self, datasette: Any, path: str) -> None:
        super().__init__(datasette, path)
        self._mine = threading.local()

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `fn` with a connection, in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.ds.executor, lambda: fn(self._connection()))

    async def execute(self, sql: str, params: Any = None, *args: Any, **more: Any) -> Any:
        """As in Datasette, without a line on stderr for what a visitor mistyped."""
        return await super().execute(sql, params, *args, **{**more, "log_sql_errors": False})

    def _connection(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        build = _build(self.path)
        if known is not None and build in (None, self._mine.build):
            return known
        try:
            fresh = sqlite3.connect(f"file:{_quoted(self.path)}?mode=ro", uri=True, check_same_thread=False)
            self.ds._prepare_connection(fresh, self.name)
        except sqlite3.Error as error:  # one that Datasette would take for a mistake in a query
            raise TryAgain(f"The index cannot be opened just now ({error}). It is being made; try again.") from error
        if known is not None:
            known.close()
        self._mine.connection, self._mine.build = fresh, build
        return fresh


def restrict(connection: sqlite3.Connection, visitors: bool) -> None:
    """Puts a connection within the limits; visitors: whether statements of theirs come. It can only read, whatever a
    statement says."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LENGTH_OF_VISITORS if visitors else LENGTH)
    for limit, most in LIMITS.items():
        connection.setlimit(limit, most)
    for pragma in ("query_only = ON", "trusted_schema = OFF", f"hard_heap_limit = {HEAP}", "cache_size = -16000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _build(path: str) -> tuple[int, int] | None:
    """Which file it is; None if there is none just now."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(os.fsencode(path))
