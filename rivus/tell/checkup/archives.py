"""The archive of one job: every line can be read, and its index says of each item where it is. Read only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rivus.errors import BadConfig
from rivus.spool.known import FIND, ends_of, looking
from rivus.spool.layout import Spool, names
from rivus.spool.members import ENDING, scan
from rivus.tell.checkup.finding import Commands, Finding, one_line, word
from rivus.tell.checkup.visit import counted

if TYPE_CHECKING:
    from sqlite3 import Connection

_FILE = re.compile(r"\d{4}-\d\d" + re.escape(ENDING))
_OWN = frozenset({"known.db", "known.db-journal"})


def archive_findings(spool: Spool, job: str, mending: Commands) -> Iterator[Finding]:
    """All that is wrong with the archive of a job; nothing if it has none."""
    folder = spool.archive(job)
    for name in sorted(names(folder)):
        if name not in _OWN and not _FILE.fullmatch(name):
            path = f"{folder}/{name}"
            yield Finding(f"{one_line(path)} does not belong here", mending.aside(path, f"{job}.{name}"))
    if not any(names(folder)):
        return
    import sqlite3

    try:
        with looking(folder) as db:
            yield from _compared(spool, job, db, mending)
    except sqlite3.DatabaseError as error:
        yield Finding(f"{folder}/known.db cannot be read: {error}; it is made anew", _anew(folder, mending))


def _compared(spool: Spool, job: str, db: Connection, mending: Commands) -> Iterator[Finding]:
    folder = spool.archive(job)
    (rows,) = db.execute("SELECT count(*) FROM items").fetchone()
    damaged = lacking = 0
    for month, known in sorted(ends_of(db).items()):
        path, end = f"{folder}/{month}{ENDING}", 0
        fault = "is not whole"
        try:
            for member, lines in scan(path):
                end = member.start + member.length
                for number, line in enumerate(lines):
                    name = json.loads(line)["name"]
                    row = db.execute(FIND, (name,)).fetchone()
                    rows -= row is not None and row[:3] == (month, member.start, number)
                    lacking += row is None and not spool.born(job, name)
        except (BadConfig, FileNotFoundError, ValueError, KeyError, TypeError) as error:
            fault = one_line(error)
        if end < known:
            damaged += 1
            copy = f"cp -- BACKUP/{month}{ENDING} {word(path)}"
            yield Finding(f"{one_line(path)}, byte {end} of {known}: {fault}; put a whole copy back", copy, grave=True)
    if lacking or (rows and not damaged):
        what = f"{folder}/known.db is not in step with the files beside it: {counted(lacking or rows, 'item')}"
        yield Finding(what, _anew(folder, mending), grave=True)


def _anew(folder: str, mending: Commands) -> str:
    return f"rm -- {word(f'{folder}/known.db')} && {mending.rivus('ls')}"
