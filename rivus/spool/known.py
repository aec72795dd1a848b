"""`JOB/archive/known.db`: where each archived item stands in the files beside it. A copy for quick looking.

    members(id, month, start, length)    items(name, member, line, data)

`data` is the first half of the SHA-256 of the item's data. The `.jsonl.gz` files are the truth: whatever they hold that
the database does not know is read in when it is opened, and a database that is missing or broken is made anew. Where
that fails, it raises: what may be archived is never taken for unknown. A row of an item that has a birth record means
nothing; the spool has that item.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rivus.errors import TryAgain
from rivus.model.item import digest
from rivus.spool import atomic, members

if TYPE_CHECKING:
    from sqlite3 import Connection

BUSY = 30.0
CARD = 0x52564B31
"""The application_id of such a database; one of another form gets another."""
_SCHEMA = """
CREATE TABLE members (id INTEGER PRIMARY KEY, month TEXT, start INTEGER, length INTEGER, UNIQUE (month, start));
CREATE TABLE items (name TEXT PRIMARY KEY, member INTEGER, line INTEGER, data BLOB) WITHOUT ROWID;
"""
FIND = "SELECT month, start, line, data FROM items JOIN members ON members.id = items.member WHERE items.name = ?"
_Stamp = tuple[int, int, int]
_open: dict[str, tuple[_Stamp, Connection]] = {}
_turn = threading.Lock()


class Entry(NamedTuple):
    """Where an item stands: the file of its month, the member's first byte, the line in it. data: see the module."""

    month: str
    start: int
    line: int
    data: bytes


class Line(NamedTuple):
    """What is to be archived."""

    name: str
    data: bytes
    text: bytes


def short_digest(data: object) -> bytes:
    """What tells whether an item's data is the archived one."""
    return bytes.fromhex(digest(data)[:32])


def find(folder: str, name: str) -> Entry | None:
    """Where an item is archived. Costs one look where nothing ever was. Raises TryAgain, BadConfig, OSError."""
    row = _ask(folder, FIND, name) if os.path.lexists(folder) else None
    return Entry(*row) if row else None


def count(folder: str) -> int:
    """How many items are archived. Raises as `find`."""
    row = _ask(folder, "SELECT count(*) FROM items") if os.path.lexists(folder) else None
    return int(row[0]) if row else 0


def add(folder: str, month: str, lines: Sequence[Line]) -> None:
    """Archives these in one member of the month's file, durably: first the file, then the database."""
    with _writing(folder) as db:
        end = ends_of(db).get(month, 0)
        member = members.add(_file(folder, month), end, [line.text for line in lines])
        _note(db, month, member, [(line.name, line.data) for line in lines])


def forget(folder: str, name: str) -> None:
    """Takes an item out of the database; its line stays in its file."""
    with _writing(folder) as db:
        db.execute("DELETE FROM items WHERE name = ?", (name,))


@contextmanager
def looking(folder: str) -> Iterator[Connection]:
    """The database as it is, to look at. Raises sqlite3.DatabaseError."""
    db = _connect(folder, mode="ro")
    try:
        yield db
    finally:
        db.close()


def _ask(folder: str, query: str, *values: str) -> tuple[Any, ...] | None:
    import sqlite3

    path = _database(folder)
    with _turn:
        for last in (False, True):
            try:
                return _reader(folder).execute(query, values).fetchone()  # type: ignore[no-any-return]
            except sqlite3.DatabaseError as error:
                _close(folder)
                if last or not _broken(error):
                    raise TryAgain(f"{path}: {error}") from error
                with _alone(folder):
                    _make(folder)
    return None


def _broken(error: Exception) -> bool:
    """Whether making the database anew helps: it is none, damaged, or of another form."""
    import sqlite3

    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT)


def _reader(folder: str) -> Connection:
    """This process's connection, as long as it is to the file that is there; so what others write is seen."""
    stamp, known = _stamp(folder), _open.get(folder)
    if known and stamp and known[0] == stamp:
        return known[1]
    _close(folder)
    if stamp is None or _is_behind(folder):
        with _writing(folder):
            pass
        stamp = _stamp(folder)
    db = _connect(folder)
    if stamp:
        _open[folder] = (stamp, db)
    return db


def _close(folder: str) -> None:
    known = _open.pop(folder, None)
    if known and known[0][2] == os.getpid():
        known[1].close()


def _stamp(folder: str) -> _Stamp | None:
    try:
        status = os.stat(_database(folder))
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, os.getpid()


def _connect(folder: str, file: str = "known.db", mode: str = "rw") -> Connection:
    import sqlite3

    uri = f"{Path(folder, file).absolute().as_uri()}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        # EXTRA: the end of a transaction is durable too, not only its beginning.
        db.execute("PRAGMA synchronous = EXTRA")
        if mode != "rwc" and db.execute("PRAGMA application_id").fetchone()[0] != CARD:
            raise _not_ours()
    except BaseException:
        db.close()
        raise
    return db


def _not_ours() -> Exception:
    import sqlite3

    error = sqlite3.DatabaseError("not an index of this form")
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    from rivus.locks import queue

    held = queue(Path(folder, ".known.lock"), stop=lambda: False)
    try:
        yield
    finally:
        if held is not None:
            held.release()


@contextmanager
def _writing(folder: str) -> Iterator[Connection]:
    """The database, brought in step with the files, in a transaction that ends durably."""
    import sqlite3

    with _alone(folder):
        try:
            db = _begun(folder)
            try:
                yield db
                db.execute("COMMIT")
            finally:
                db.close()
        except sqlite3.DatabaseError as error:
            raise TryAgain(f"{_database(folder)}: {error}") from error


def _begun(folder: str) -> Connection:
    import sqlite3

    if not os.path.lexists(_database(folder)):
        _make(folder)
    try:
        return _in_step(folder)
    except sqlite3.DatabaseError as error:
        if not _broken(error):
            raise
        _make(folder)
        return _in_step(folder)


def _in_step(folder: str) -> Connection:
    db = _connect(folder)
    try:
        db.execute("BEGIN IMMEDIATE")
        _follow(db, folder)
    except BaseException:
        db.close()
        raise
    return db


def _make(folder: str) -> None:
    """Makes the database from the files alone. A crash leaves a hidden file, which the next one writes anew."""
    draft = f"{folder}/.known.db"
    for end in ("", "-journal"):
        atomic.remove(f"{draft}{end}")
    db = _connect(folder, ".known.db", "rwc")
    try:
        db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA application_id = {CARD}; BEGIN;{_SCHEMA}")
        _follow(db, folder)
        db.execute("COMMIT")
    finally:
        db.close()
    atomic.sync(draft)
    atomic.remove(f"{_database(folder)}-journal")  # that of the one which is replaced
    atomic.rename(draft, _database(folder))
    atomic.sync(folder)


def _follow(db: Connection, folder: str) -> None:
    """Reads in what the files hold and the database does not know. Of an item that is there twice the later counts."""
    ends, sizes = ends_of(db), sorted(_sizes(folder).items())
    for month, size in sizes:
        if size > ends.get(month, 0):
            for member, lines in members.scan(_file(folder, month), ends.get(month, 0)):
                _note(db, month, member, [_told(line) for line in lines])
    ends = ends_of(db)
    for month, _ in sizes:
        members.check_end(_file(folder, month), ends.get(month, 0), lambda name: _is_kept(db, folder, name))


def _is_kept(db: Connection, folder: str, name: str) -> bool:
    birth = f"{os.path.dirname(folder)}/discover/done/{name}"
    return os.path.lexists(birth) or db.execute(FIND, (name,)).fetchone() is not None


def _told(line: bytes) -> tuple[str, bytes]:
    item = json.loads(line)
    return item["name"], short_digest(item["birth"].get("data"))


def _note(db: Connection, month: str, member: members.Member, items: Sequence[tuple[str, bytes]]) -> None:
    number = db.execute("INSERT INTO members (month, start, length) VALUES (?, ?, ?)", (month, *member)).lastrowid
    rows = ((name, number, line, data) for line, (name, data) in enumerate(items))
    db.executemany("REPLACE INTO items VALUES (?, ?, ?, ?)", rows)


def _is_behind(folder: str) -> bool:
    with closing(_connect(folder)) as db:
        ends = ends_of(db)
    return any(size > ends.get(month, 0) for month, size in _sizes(folder).items())


def ends_of(db: Connection) -> dict[str, int]:
    """Up to which byte each month's file is known."""
    return dict(db.execute("SELECT month, max(start + length) FROM members GROUP BY month"))


def _sizes(folder: str) -> dict[str, int]:
    found = [entry for entry in os.scandir(folder) if entry.name.endswith(members.ENDING) and entry.name[0] != "."]
    return {entry.name.removesuffix(members.ENDING): entry.stat().st_size for entry in found}


def _file(folder: str, month: str) -> str:
    return f"{folder}/{month}{members.ENDING}"


def _database(folder: str) -> str:
    return f"{folder}/known.db"
