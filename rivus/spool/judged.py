"""`JOB/STAGE/.judged.json`: what a language model has said about the difference between two versions of a stage.

    {"judged": [{"version": "3f9c…", "as": "a01b…", "verdict": "cosmetic", "why": "only names", "by": "model small",
                 "diff": "77aa…", "when": "2026-…Z"}]}

`diff` is the digest of what it was shown. A pair that stands here is not asked about again; who removes the file asks
anew. The last KEPT are kept.
"""

from __future__ import annotations

import time
from typing import Any

from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publishing
from rivus.spool.reader import Unreadable, dump, read_document

KEPT = 200
_TEXTS = ("version", "as", "verdict", "why", "by", "diff")


def judged(spool: Spool, job: str, stage: str, version: str, current: str, diff: str) -> Json | None:
    """What was said of this pair of versions when it was shown with this digest; None if nothing was."""
    for row in reversed(_rows(spool, job, stage)):
        if (row["version"], row["as"], row["diff"]) == (version, current, diff):
            return row
    return None


def note_judged(spool: Spool, job: str, stage: str, row: Json, owner: Owner) -> None:
    """Keeps one row, without `when`, durably."""
    with publishing(spool, job):
        rows = [*_rows(spool, job, stage), {**row, "when": utc(time.time())}]
        owner.write(_path(spool, job, stage), dump({"judged": rows[-KEPT:]}))
        atomic.sync(spool.stage(job, stage))


def _rows(spool: Spool, job: str, stage: str) -> list[Json]:
    """A file that cannot be read says nothing."""
    try:
        rows = read_document(_path(spool, job, stage)).get("judged")
    except (FileNotFoundError, Unreadable):
        return []
    return [row for row in rows if _whole(row)] if isinstance(rows, list) else []


def _path(spool: Spool, job: str, stage: str) -> str:
    return f"{spool.stage(job, stage)}/.judged.json"


def _whole(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in _TEXTS)
