"""A file to which several processes add records, each once.

    under the lock of the file itself (flock):
    1  what stands behind the last whole record, a part of one that a crash left, is cut off
    2  the records behind the place that the index knows are read into it
    3  a record that is the last one of its key already is not written again
    4  the record is written in one call and made durable, then the index

The file is the truth. A crash after 4 has begun leaves a part of a record (cut off by the next 1), or a record that
the index does not know (found by the next 2). The index, in the stage's state, can be lost: all is read again then. A
file that was replaced, or became shorter, is read anew as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from rivus.model.outcome import Halt, RetryLater

if TYPE_CHECKING:
    from sqlite3 import Connection

CHUNK = 1 << 20
LONGEST = 32 * 2**20
"""Bytes of a record: beyond them the file is none of ours."""
_TABLES = (
    "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS known (file INTEGER NOT NULL, size INTEGER NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class Form:
    """What a file of records looks like.

    end: what ends a record and is never inside one. begin: how a file begins; if it ends with `end`, a head that is
    written first. key_of: the key of a record, None for one without. closed: whether a part of a record has no key, so
    that a last record without `end` can be told from one that a crash cut.
    """

    end: bytes
    begin: bytes
    key_of: Callable[[bytes], str | None]
    closed: bool = False


def add(path: Path, record: bytes, form: Form, *, index: Path, seconds: float) -> bool:
    """Adds a record, unless the last one of its key is the same. Whether it did.

    record: without its end. index: where the index is. Raises RetryLater when others keep the file longer than
    `seconds`, Halt for a file that cannot be opened or begins otherwise.
    """
    with _locked(path, seconds) as file, closing(_opened(index, seconds)) as db:
        size = os.fstat(file).st_size
        if os.pread(file, len(form.begin), 0) != form.begin[:size]:
            raise Halt(f"{path} begins otherwise than it should: move it out of the way")
        size = _mended(file, size, form)
        if size == 0 and form.begin.endswith(form.end):
            size = _written(file, form.begin, 0)
        if size <= len(form.begin):
            _keep_name(path)
        _learn(db, file, size, form)
        key, digest = form.key_of(record), sha256(record).digest()
        row = db.execute("SELECT digest FROM records WHERE key = ?", (key,)).fetchone()
        new = not row or row[0] != digest
        if new:
            size = _written(file, record + form.end, size)
            db.execute("REPLACE INTO records VALUES (?, ?)", (key, digest))
        db.execute("UPDATE known SET size = ?", (size,))
        db.execute("COMMIT")
    return new


@contextmanager
def _locked(path: Path, seconds: float) -> Iterator[int]:
    """The file, open and ours alone; made if it is not there."""
    from rivus.locks import queue

    until = monotonic() + seconds
    try:
        while True:
            held = queue(path, lambda: monotonic() > until)
            if held is None:
                raise RetryLater(f"{path.name} is in use")
            with held:
                if path.exists() and os.path.samestat(os.fstat(held.fd), os.stat(path)):  # it was not moved meanwhile
                    yield held.fd
                    return
    except OSError as error:
        if error.filename is None:
            raise
        raise Halt(f"{path} cannot be opened: {error.strerror}") from None


def _mended(file: int, size: int, form: Form) -> int:
    """The size of the file, after its last record is whole or gone. Raises Halt if no record ends near the end."""
    at, tail = size, b""
    while at and form.end not in tail:
        if len(tail) > LONGEST:
            raise Halt(f"the file that records are added to ends in more than {LONGEST:,} bytes that are none")
        piece = min(CHUNK, at)
        at -= piece
        tail = os.pread(file, piece, at) + tail
    cut = tail[tail.rfind(form.end) + len(form.end) :] if form.end in tail else tail
    if not cut:
        return size
    if form.closed and form.key_of(cut) is not None:
        return _written(file, form.end, size)
    os.ftruncate(file, size - len(cut))
    return size - len(cut)


def _written(file: int, data: bytes, at: int) -> int:
    """The size of the file with `data` at its end, which is durable."""
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, at)
        view, at = view[done:], at + done
    os.fsync(file)
    return at


def _keep_name(path: Path) -> None:
    """Makes the name of a new file durable."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _learn(db: Connection, file: int, size: int, form: Form) -> None:
    """Reads into the index what it does not know of the file."""
    inode = os.fstat(file).st_ino
    row = db.execute("SELECT file, size FROM known").fetchone()
    at = row[1] if row and row[0] == inode and row[1] <= size else 0
    if not at:
        db.execute("DELETE FROM records")
        db.execute("DELETE FROM known")
        db.execute("INSERT INTO known VALUES (?, 0)", (inode,))
    for record in _records(file, at, size, form.end):
        if (key := form.key_of(record)) is not None:
            db.execute("REPLACE INTO records VALUES (?, ?)", (key, sha256(record).digest()))


def _records(file: int, at: int, size: int, end: bytes) -> Iterator[bytes]:
    rest = b""
    while at < size:
        piece = os.pread(file, min(CHUNK, size - at), at)
        at += len(piece)
        *whole, rest = (rest + piece).split(end)
        yield from whole
        if not piece or len(rest) > LONGEST:
            return


def _opened(index: Path, seconds: float) -> Connection:
    """The index, in a transaction; one that is damaged is made anew."""
    import sqlite3

    for last in (False, True):
        db = sqlite3.connect(index, timeout=seconds, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                db.execute(table)
            return db
        except sqlite3.OperationalError:
            db.close()
            raise
        except sqlite3.DatabaseError:
            db.close()
            if last:
                raise
            index.unlink(missing_ok=True)
    raise AssertionError
