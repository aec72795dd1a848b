"""The strategy `rows`: the rows of a local table: CSV, JSON Lines or SQLite."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, Literal, TypeAlias

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.sources import tables
from rivus.sources.dates import Span, from_any, span_of
from rivus.sources.keys import digest, key_of, text_of
from rivus.sources.listed import note_listed

NETWORK = False
SETTLED = 2_000_000_000
"""Nanoseconds after which a file that changes has another time."""
Format: TypeAlias = Literal["csv", "jsonl", "sqlite"]
Asked: TypeAlias = tuple[str | None, ...]
SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite",
}  # fmt: skip


def rows(
    look: Look,
    *,
    path: str,
    key: str,
    format: Format | None = None,
    delimiter: str | None = None,
    query: str | None = None,
    published: str | None = None,
    max_rows: int = 10_000,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The rows of a table in a file below jobs.d, in their order, when the file has changed.

        discover: {strategy: rows, path: data/companies.csv, key: symbol, every: 10min}
        discover: {strategy: rows, path: shop.db, query: "SELECT id, name, made FROM orders", key: id, every: 1h}

    path:      the file, relative to jobs.d.
    key:       the column that makes a row the same when it is found again.
    format:    csv, jsonl or sqlite; default: by the suffix (.csv .tsv .jsonl .ndjson .db .sqlite .sqlite3).
    delimiter: between the cells of a CSV file; default: a comma, in .tsv a tab.
    query:     one SELECT, for SQLite. It can change nothing and gets 30 seconds.
    published: the column with the row's date, which becomes the field `published` in UTC.
    max_rows:  so many rows at the most; that there are more is logged.
    since:     only rows published from this date or moment on (ISO 8601, UTC); until: only earlier ones.

    The data is the row: texts in CSV (whose first row has the names), without empty cells and, in SQLite, without
    blobs. Of several rows with one key the first counts. Raises Halt for a path, query or column that makes no sense,
    RetryLater if the file is not there or cannot be read and, after all good rows, for bad ones.
    """
    span = span_of(since, until)
    if published is None and not span.open:
        raise Halt("since, until: `published` must say which column has the date")
    file = _file(look, path)
    kind = format or SUFFIXES.get(PurePath(path).suffix.lower())
    if kind is None:
        raise Halt(f"path: {path!r} does not end as known: say `format`")
    state = _state(file, digest(repr((path, key, kind, delimiter, query, published, max_rows, since, until))))
    if state and look.cursor.get("validators") == state:
        return
    table = _opened(file, kind, delimiter or ("\t" if path.lower().endswith(".tsv") else ","), query)
    yield from _found(look, table, key, published, span, max_rows, (path, key, query))
    look.cursor["validators"] = state


def _opened(file: Path, kind: Format, delimiter: str, query: str | None) -> Iterator[Json | str]:
    """The rows, or what is wrong with one."""
    if (kind == "sqlite") != (query is not None):
        raise Halt("query: SQLite needs one" if query is None else "query: only for SQLite")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise Halt(f"delimiter: {delimiter!r} is not one character between cells")
    readers: dict[str, Callable[[], Iterator[Json | str]]] = {
        "csv": partial(tables.csv_rows, file, delimiter), "jsonl": partial(tables.json_rows, file),
        "sqlite": partial(tables.sqlite_rows, file, query or ""),
    }  # fmt: skip
    return readers[kind]()


def _found(
    look: Look, table: Iterator[Json | str], key: str, published: str | None, span: Span, most: int, asked: Asked
) -> Iterator[Found]:
    seen: set[str] = set()
    bad: list[str] = []
    repeated = 0
    for number, row in enumerate(islice(table, most), 1):
        found = _row(row, key, published)
        if isinstance(found, str):
            bad.append(f"row {number}: {found}")
            look.log.warning("%s", bad[-1])
        elif found.key in seen:
            repeated += 1
        else:
            seen.add(found.key)
            if span.holds(found.data.get("published")):
                yield found
    if repeated:
        look.log.warning("%d rows are left out: others before them have the same %s", repeated, key)
    if more := next(table, None) is not None:
        look.log.warning("there are more than the %d rows of max_rows", most)
    if bad:
        raise RetryLater(f"{len(bad)} rows are no items, the first: {bad[0]}")
    if not more and span.open:
        note_listed(look, asked, {"": seen})


def _row(row: Json | str, key: str, published: str | None) -> Found | str:
    if isinstance(row, str):
        return row
    if not (name := text_of(row.get(key))):
        return f"without {key}; it has {', '.join(list(row)[:12])[:300]}"
    date: Any = from_any(row.get(published)) if published else None
    return Found(key_of(name), {**row, "published": date} if date else row)


def _file(look: Look, path: str) -> Path:
    """The regular file of that name below jobs.d. Raises Halt if it leads out, RetryLater if there is none."""
    root = look.folder.resolve()
    if not path or "\0" in path or PurePath(path).is_absolute() or ".." in PurePath(path).parts:
        raise Halt(f"path: {path!r} must be relative to jobs.d and stay below it")
    try:
        file = (root / path).resolve()
        regular = stat.S_ISREG(file.stat().st_mode)
    except (OSError, RuntimeError) as error:
        raise RetryLater(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not file.is_relative_to(root):
        raise Halt(f"path: {path!r} leads out of jobs.d")
    if not regular:
        raise Halt(f"path: {path!r} is not a regular file")
    return file


def _state(file: Path, about: str) -> Json:
    """What changes when the file, or what is asked of it, does; {} while that cannot be told from its times."""
    import time

    log = tables.wal_of(file)
    # An empty one comes and goes with readers.
    states = [os.stat(file), *([os.stat(log)] if log.exists() and log.stat().st_size else [])]
    if any(time.time_ns() - state.st_mtime_ns < SETTLED for state in states):
        return {}
    return {"of": about, "files": [[state.st_ino, state.st_size, state.st_mtime_ns] for state in states]}
