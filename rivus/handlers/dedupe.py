"""The stage `dedupe.near`: whether an earlier item says nearly the same.

What it knows of each text is a sketch in a database in the stage's state. The first look at an item decides its place
among the others, in one transaction, and a later look leaves it there: of two items that are alike only the later one
is ever near the other, whatever runs at once or again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rivus.handlers.fields import value_at
from rivus.handlers.sketch import bands, likeness, sketch
from rivus.model.outcome import Halt, ItemFailed, Json, RetryLater

if TYPE_CHECKING:
    from pathlib import Path
    from sqlite3 import Connection

    from rivus.model.context import Context

NETWORK = False
FILE = "near.sqlite3"
_kept = threading.local()
MOST_ALIKE = 50
"""Earlier texts that are compared for each band: of the same page a thousand times, the first fifty do."""
_TABLES = (
    "CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, sketch BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS bands (band INTEGER, id INTEGER, PRIMARY KEY (band, id)) WITHOUT ROWID",
)


def near(item: Json, ctx: Context, *, field: str = "text", threshold: float = 0.8) -> Json:
    """The earlier item of this stage whose text is most like this one's.

    Takes: the field named by `field`: a text (`live.text`: in the object `live`).
    Gives: `near` (the key of that item, or null), `similarity` (0 to 1, 0 without one: the share of the runs of four
           words that the two have in common, estimated within 0.04 on average, 0.1 for texts of ten words).

    threshold: less is not near; from 0.5 on. Below 0.7 some that are near are missed.
    Raises ItemFailed when the field holds no text, RetryLater when others keep the database for too long, Halt
    when it is damaged.

        dedupe: {handler: dedupe.near, with: {threshold: 0.85}}
    """
    if not 0.5 <= threshold <= 1:
        raise Halt(f"`threshold` is not between 0.5 and 1: {threshold!r}")
    text = value_at(item, field)
    sketched = sketch(text) if isinstance(text, str) else b""
    if not sketched:
        raise ItemFailed(f"`{field}` holds no text to compare")
    with _opened(ctx) as db:
        number = _placed(db, ctx.key, sketched)
        best = max(_earlier(db, sketched, number), default=(0.0, 0, ""))
    similarity, _, key = best
    found = similarity >= threshold
    return {"near": key if found else None, "similarity": round(similarity, 3) if found else 0.0}


def _placed(db: Connection, key: str, sketched: bytes) -> int:
    """The item's place among the others, with its text as it is now."""
    row = db.execute("SELECT id, sketch FROM texts WHERE key = ?", (key,)).fetchone()
    if row and row[1] == sketched:
        return int(row[0])
    if row:
        number = int(row[0])
        db.execute("UPDATE texts SET sketch = ? WHERE id = ?", (sketched, number))
        db.executemany("DELETE FROM bands WHERE band = ? AND id = ?", [(band, number) for band in bands(row[1])])
    else:
        number = db.execute("INSERT INTO texts (key, sketch) VALUES (?, ?)", (key, sketched)).lastrowid or 0
    db.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", [(band, number) for band in bands(sketched)])
    return number


def _earlier(db: Connection, sketched: bytes, number: int) -> Iterator[tuple[float, int, str]]:
    """The earlier texts that may be alike: how much, and of which item; the first of equals sorts last."""
    seen: set[int] = set()
    for band in bands(sketched):
        query = "SELECT id FROM bands WHERE band = ? AND id < ? ORDER BY id LIMIT ?"
        seen.update(row[0] for row in db.execute(query, (band, number, MOST_ALIKE)))
    for other in seen:
        key, theirs = db.execute("SELECT key, sketch FROM texts WHERE id = ?", (other,)).fetchone()
        yield likeness(sketched, theirs), -other, key


@contextmanager
def _opened(ctx: Context) -> Iterator[Connection]:
    """The database, in one transaction."""
    import sqlite3

    db = None
    try:
        db = _connected(ctx.state / FILE)
        db.execute(f"PRAGMA busy_timeout = {int(min(30.0, ctx.timeout) * 1000)}")
        db.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            db.execute(table)
        yield db
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        raise RetryLater(f"{FILE} is in use") from None
    except sqlite3.DatabaseError as error:
        raise Halt(f"{ctx.state / FILE}: {error}; without the file all texts count as new") from None
    finally:
        if db and db.in_transaction:
            db.execute("ROLLBACK")


def _connected(path: Path) -> Connection:
    """This thread's connection to the database. It stays open: to close the last one costs more than a look. A database
    that was replaced is opened anew."""
    import sqlite3

    here = path.stat().st_ino if path.exists() else 0
    if not here or getattr(_kept, "file", None) != (path, here):
        if old := getattr(_kept, "db", None):
            old.close()
        _kept.file, _kept.db = None, sqlite3.connect(path, isolation_level=None)
        _kept.db.execute("PRAGMA journal_mode = WAL")
        _kept.db.execute("PRAGMA synchronous = NORMAL")  # what a power loss takes is only a memory of texts
        _kept.file = path, path.stat().st_ino
    kept: Connection = _kept.db
    return kept
