"""Readers of tables in local files. A row is an object, or a text that says what is wrong with it."""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rivus.model.document import parse_object
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.programs import LONGEST_LINE
from rivus.sources.keys import one_line

if TYPE_CHECKING:
    import sqlite3

QUERY_SECONDS, BUSY_SECONDS = 30.0, 5.0
LARGEST_CELL = 1_000_000
"""Bytes of one value of SQLite."""
_CHECKED_EVERY = 10_000
"""Instructions of SQLite's machine, some 0.1 ms."""
_AT_ONCE = 100


def csv_rows(file: Path, delimiter: str) -> Iterator[Json | str]:
    """The rows of a CSV file (RFC 4180) in UTF-8, without empty cells. Raises RetryLater for what is none."""
    import csv

    with _open(file) as raw, TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            names = [one_line(name, 200) for name in next(reader, [])]
            if not names or "" in names or len(set(names)) < len(names):
                raise RetryLater(f"{file.name}: the first row must name every column, each differently: {names[:12]}")
            for cells in reader:
                if cells:
                    yield _of_cells(names, cells)
        except (csv.Error, UnicodeDecodeError) as error:
            raise RetryLater(f"{file.name}, line {reader.line_num}: {one_line(error, 200)}") from None


def _of_cells(names: list[str], cells: list[str]) -> Json | str:
    if len(cells) > len(names):
        return f"{len(cells)} cells under {len(names)} names"
    return {name: cell for name, cell in zip(names, cells, strict=False) if cell}


def json_rows(file: Path) -> Iterator[Json | str]:
    """The objects of a JSON Lines file."""
    with _open(file) as raw:
        while line := raw.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                yield f"longer than {LONGEST_LINE:,} bytes"
                while line and not line.endswith(b"\n"):
                    line = raw.readline(LONGEST_LINE)
            elif line.strip():
                yield _parsed(line)


def _parsed(line: bytes) -> Json | str:
    try:
        return parse_object(line)
    except ValueError as error:
        return str(error)


def sqlite_rows(file: Path, query: str) -> Iterator[Json | str]:
    """The rows that a SELECT gives, without nulls and blobs. Raises Halt for a query that is none or changes
    something, RetryLater for a database that cannot be read and after QUERY_SECONDS."""
    import sqlite3

    database = _database(file)
    deadline = time.monotonic() + QUERY_SECONDS
    database.set_progress_handler(lambda: time.monotonic() > deadline, _CHECKED_EVERY)
    try:
        cursor = database.execute(query)
        names = [one_line(column[0], 200) for column in cursor.description or ()]
        if not names or len(set(names)) < len(names):
            raise Halt(f"query: it must give columns, each under a name of its own: {names[:12]}")
        while batch := cursor.fetchmany(_AT_ONCE):
            for row in batch:
                cells = dict(zip(names, row, strict=True))
                yield {name: cell for name, cell in cells.items() if _is_fit(cell)}
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        raise _mistake(file, error) from None
    finally:
        database.close()


def _database(file: Path) -> sqlite3.Connection:
    """A connection that reads, and can do nothing else: neither to this file nor to another one."""
    import sqlite3

    reading = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
    # Where nothing can be written there is no place for SQLite's own files beside a database with a log.
    still = not os.access(file.parent, os.W_OK) and not wal_of(file).exists()
    mode = "mode=ro&immutable=1" if still else "mode=ro"
    try:
        database = sqlite3.connect(f"{file.as_uri()}?{mode}", uri=True, timeout=BUSY_SECONDS)
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_CELL)
        database.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error as error:
        raise _mistake(file, error) from None
    database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in reading else sqlite3.SQLITE_DENY)
    return database


def _mistake(file: Path, error: Exception) -> Halt | RetryLater:
    """Of a query (SQLITE_ERROR, SQLITE_AUTH and what Python itself finds) or of the database."""
    import sqlite3

    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_INTERRUPT:
        return RetryLater(f"{file.name}: the query has taken {QUERY_SECONDS:g} s")
    # What the authorizer denies while a statement is prepared again comes as SQLITE_SCHEMA.
    own = isinstance(error, sqlite3.ProgrammingError | sqlite3.Warning) or str(error) == "not authorized"
    if own or code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH):
        return Halt(f"query: {one_line(error, 200)}")
    return RetryLater(f"{file.name}: {one_line(error, 200)}")


def wal_of(file: Path) -> Path:
    """Where SQLite writes first what is to stand in a database."""
    return file.with_name(f"{file.name}-wal")


def _is_fit(cell: Any) -> bool:
    return isinstance(cell, str | int) or (isinstance(cell, float) and math.isfinite(cell))


def _open(file: Path) -> IO[bytes]:
    """The file as it is now. Not blocking, for it may have become a pipe since."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise RetryLater(f"{file.name}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Halt(f"{file.name} is not a regular file")
    return open(descriptor, "rb")
