"""`JOB/STAGE/.blessed.json`: which versions of a stage count as equal to a later one, because a person said so,
or a language model whose word the stage takes (`auto_bless`; then `diff` is the digest of what it was shown).

    {"blessed": [{"version": "3f9c…", "as": "a01b…", "why": "only a log line", "by": "anna", "when": "2026-…Z"}]}

`version` is "" for results from before there were versions. Results are never rewritten for it. A file that cannot be
read blesses nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publishing
from rivus.spool.reader import Unreadable, dump, read_document


def blessings(spool: Spool, job: str, stage: str) -> list[Json]:
    """All that was said, oldest first. Raises Unreadable."""
    path = _path(spool, job, stage)
    try:
        rows = read_document(path).get("blessed")
    except FileNotFoundError:
        return []
    except Unreadable as error:
        raise Unreadable(f"{path}: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and _whole(row) for row in rows):
        raise Unreadable(f"{path} is not a list of blessings")
    return rows


def equal_to(rows: Iterable[Json], current: str) -> set[str]:
    """The ids of all versions that count as equal to `current`: also what counts as equal to one of these."""
    equal, todo = {current}, [current]
    pairs = [(row["version"], row["as"]) for row in rows]
    while todo:
        wanted = todo.pop()
        fresh = {version for version, other in pairs if other == wanted} - equal
        equal |= fresh
        todo += fresh
    return equal


def bless(
    spool: Spool, job: str, stage: str, versions: Iterable[str], current: str, why: str, owner: Owner, **said: str
) -> None:
    """Makes these versions count as equal to `current`, durably. said: `by` and `diff`, unless a person does it. Raises
    Unreadable: it says something else already."""
    more = {"by": _person(), "when": utc(time.time()), **said}
    with publishing(spool, job):
        rows = blessings(spool, job, stage)
        rows += [{"version": one, "as": current, "why": why, **more} for one in sorted(versions)]
        owner.write(_path(spool, job, stage), dump({"blessed": rows}))
        atomic.sync(spool.stage(job, stage))


def _path(spool: Spool, job: str, stage: str) -> str:
    return f"{spool.stage(job, stage)}/.blessed.json"


def _whole(row: Json) -> bool:
    return isinstance(row.get("version"), str) and isinstance(row.get("as"), str)


def _person() -> str:
    import pwd

    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
