"""Answers of a model, kept in a stage's state, so that the same question is paid for once.

A cache: it holds some MAX_BYTES, the oldest give way, and a file that cannot be read only means that a model is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivus.model.document import parse_object
from rivus.model.outcome import Json

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE = "answers.sqlite3"
MAX_BYTES = 256 * 2**20
WAIT = 10.0
"""Seconds to wait for other processes."""


def digest_of(question: Any) -> str:
    """What a question is known by: two that differ in anything have different ones."""
    return sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def recall(state: Path, digest: str) -> Json | None:
    """The answer to a question; None if it is not there."""
    with _open(state) as db:
        row = db.execute("SELECT answer FROM answers WHERE digest = ?", (digest,)).fetchone() if db else None
    try:
        return parse_object(str(row[0]).encode()) if row else None
    except ValueError:
        return None


def keep(state: Path, digest: str, answer: Json) -> None:
    """Keeps an answer, if it can be kept."""
    with _open(state) as db:
        if db:
            db.execute("REPLACE INTO answers VALUES (?, ?)", (digest, json.dumps(answer)))
            if _bytes(db) > MAX_BYTES:
                tenth = "SELECT rowid FROM answers ORDER BY rowid LIMIT (SELECT count(*) / 10 + 1 FROM answers)"
                db.execute(f"DELETE FROM answers WHERE rowid IN ({tenth})")


def _bytes(db: Connection) -> int:
    """What the answers take; pages that are free again do not count."""
    pages, free, size = (db.execute(f"PRAGMA {n}").fetchone()[0] for n in ("page_count", "freelist_count", "page_size"))
    return int((pages - free) * size)


@contextmanager
def _open(state: Path) -> Iterator[Connection | None]:
    """The database, in a transaction; None, and what is done in it is lost, if it cannot be used."""
    import sqlite3

    db = None
    try:
        db = sqlite3.connect(state / FILE, timeout=WAIT)
        db.execute("CREATE TABLE IF NOT EXISTS answers (digest TEXT PRIMARY KEY, answer TEXT NOT NULL)")
    except sqlite3.Error:
        if db:
            db.close()
        db = None
    try:
        yield db
        if db:
            db.commit()
    except sqlite3.Error:
        if db is None:
            raise
    finally:
        if db:
            db.close()
