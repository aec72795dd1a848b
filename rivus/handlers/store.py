"""Stages that store items outside the spool: `store.sqlite`, `store.csv` and `store.jsonl`.

`file` is a path, from jobs.d on if it is relative; without one it is `items.sqlite3`, `.csv` or `.jsonl` in the stage's
state (`spool/JOB/STAGE/state/`), of which --test has its own. The folder of a file elsewhere must stand under
`sandbox: {write: [...]}`, for systemd. Several processes may write at once, and a try that is repeated after a crash
stores nothing twice. `columns` says what is stored, beside `key`: name -> field of the item (`live.title`: in the
object `live`).
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivus.handlers.fields import value_at
from rivus.handlers.lines import Form, add
from rivus.model.document import parse_object
from rivus.model.outcome import Halt, Json, RetryLater

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_END = b"\r\n"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sqlite(item: Json, ctx: Context, *, columns: dict[str, str], table: str = "items", file: str | None = None) -> Json:
    """A row in a table of an SQLite database.

    Takes: the fields that `columns` names.
    Gives: `stored`: the database's file name, the `table`, the `key`.

    table: made if it is not there, with the primary key `key`; columns that it lacks are added, none is removed.
    A row of the same key gets the new values. Lists and objects are stored as JSON, true and false as 1 and 0.
    Raises Halt for names and files that cannot be used, RetryLater when others keep the database for too long.

        store: {handler: store.sqlite, with: {columns: {title: title, points: score.value}, file: ../out/news.db}}
    """
    names = _checked(["key", *columns], "column")
    _checked([table], "table")
    values = [ctx.key, *(_plain(value_at(item, field)) for field in columns.values())]
    path = _place(ctx, file, "items.sqlite3")
    _upsert(path, table, names, values, min(30.0, ctx.timeout))
    return {"stored": {"file": path.name, "table": table, "key": ctx.key}}


def csv_(item: Json, ctx: Context, *, columns: dict[str, str], file: str | None = None) -> Json:
    """A line in a CSV file (RFC 4180, UTF-8).

    Takes: the fields that `columns` names.
    Gives: `stored`: the `file`'s name and the `key`.

    The first line names the columns. An item that is made again adds a line if it became another one: of the lines of
    a key the last one counts. Line breaks inside a value are \\n. A text that a spreadsheet would take for a formula
    (it begins with = + - @ or a tab) gets a ' before it.
    Raises Halt for a file that cannot be used, or has other columns; RetryLater when others keep it for too long.

        store: {handler: store.csv, with: {columns: {title: title, url: url}, file: ../out/news.csv}}
    """
    head, row = _row(["key", *columns]), _row([ctx.key, *(value_at(item, field) for field in columns.values())])
    return _add(ctx, file, "items.csv", row, Form(_END, head + _END, _key_of_row))


def jsonl(item: Json, ctx: Context, *, columns: dict[str, str] | None = None, file: str | None = None) -> Json:
    """A line in a JSON Lines file: an object with `key` first.

    Takes: the fields that `columns` names, all of the item without it.
    Gives: `stored`: the `file`'s name and the `key`.

    An item that is made again adds a line if it became another one: of the lines of a key the last one counts.
    Raises Halt for a file that cannot be used, RetryLater when others keep it for too long.

        store: {handler: store.jsonl, with: {columns: {title: title, points: score.value}}}
    """
    told = item if columns is None else {name: value_at(item, field) for name, field in columns.items()}
    line = json.dumps({"key": ctx.key, **{name: value for name, value in told.items() if name != "key"}})
    return _add(ctx, file, "items.jsonl", line.encode(), Form(b"\n", b'{"key": "', _key_of_line, closed=True))


def _add(ctx: Context, file: str | None, name: str, record: bytes, form: Form) -> Json:
    path = _place(ctx, file, name)
    index, seconds = ctx.state / f"{name}.index.sqlite3", min(30.0, ctx.timeout)
    if not add(path, record, form, index=index, seconds=seconds):
        ctx.log.info("%s has this line already", path.name)
    return {"stored": {"file": path.name, "key": ctx.key}}


def _place(ctx: Context, file: str | None, name: str) -> Path:
    path = ctx.state / name if file is None else ctx.folder / file
    if not path.parent.is_dir():
        raise Halt(f"{path.parent} is no directory")
    return path


def _checked(names: list[str], what: str) -> list[str]:
    """Raises Halt: SQLite takes names of any form, and the case of their letters for nothing."""
    for number, name in enumerate(names):
        if not _NAME.fullmatch(name) or name.lower().startswith("sqlite_"):
            raise Halt(f"{name!r} is no name for a {what}: letters, digits and _, no digit first")
        if name.lower() in (other.lower() for other in names[:number]):
            raise Halt(f"the {what} {name!r} is there twice")
    return names


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode(errors="replace").decode()


def _upsert(path: Path, table: str, names: list[str], values: list[Any], seconds: float) -> None:
    import sqlite3

    try:
        db = sqlite3.connect(path, timeout=seconds, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise Halt(f"{path.name} cannot be opened: {error}") from None
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute(f'CREATE TABLE IF NOT EXISTS "{table}" (key TEXT PRIMARY KEY)')
        there = {row[1].lower() for row in db.execute(f'PRAGMA table_info("{table}")')}
        for name in names:
            if name.lower() not in there:
                db.execute(f'ALTER TABLE "{table}" ADD COLUMN "{name}"')
        listed, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
        query = f'INSERT INTO "{table}" ({listed}) VALUES ({marks}) ON CONFLICT (key) DO UPDATE SET {changes}'
        db.execute(query, values)
        db.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        raise _outcome_of(error, path.name) from error
    finally:
        db.close()


def _outcome_of(error: Exception, name: str) -> Exception:
    """In use: later; no database, or a table of another form: the job is at fault; a full disk is the doctor's."""
    import sqlite3

    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RetryLater(f"{name} is in use")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return error
    return Halt(f"{name} cannot be used: {error}")


def _row(values: list[Any]) -> bytes:
    """A line of CSV without its end, which is nowhere inside."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(map(_cell, values))
    return line.getvalue().encode(errors="replace")


def _cell(value: Any) -> str | int | float | None:
    plain = _plain(value)
    if not isinstance(plain, str):
        return plain
    text = plain.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA) else text


def _key_of_row(record: bytes) -> str | None:
    try:
        return next(csv.reader(io.StringIO(record.decode(), newline="")), [None])[0]
    except (ValueError, csv.Error):
        return None


def _key_of_line(record: bytes) -> str | None:
    try:
        key = parse_object(record).get("key")
    except ValueError:
        return None
    return key if isinstance(key, str) else None
