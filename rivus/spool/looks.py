"""`JOB/discover/looks.json`: what the last looks at a source found, so that one gone quiet can be noticed."""

from __future__ import annotations

from rivus.model.outcome import Json
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable, dump, read_document

KEPT = 40


def looks(spool: Spool, job: str) -> list[Json]:
    """The last looks at the source, oldest first: `t` when, `seen` how many things it showed, known ones included,
    `new` how many of them were published."""
    try:
        noted = read_document(_file(spool, job)).get("looks")
    except (FileNotFoundError, Unreadable):
        return []
    rows = noted if isinstance(noted, list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("seen"), int)]


def note_look(spool: Spool, job: str, owner: Owner, look: Json) -> None:
    """Adds one look to those that are kept."""
    owner.write(_file(spool, job), dump({"looks": [*looks(spool, job), look][-KEPT:]}))


def _file(spool: Spool, job: str) -> str:
    return f"{spool.root}/{job}/discover/looks.json"
