"""What the tries of a job have cost, counted anew from what the spool has recorded of them: the journal's lines, the
attempts in the tickets and the receipts. Looking changes nothing.

The same try may stand in all three; owner and end tell which it is. The journal may have lost lines, a ticket may have
dropped its oldest attempts, so all are laid together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from rivus.model.item import file_name
from rivus.model.money import Spent, cost_of
from rivus.model.outcome import Json
from rivus.model.states import BOXES, Box
from rivus.spool.layout import Spool, names
from rivus.spool.reader import Unreadable, read_document

LONGEST = 1 << 20
"""Bytes of a line of the journal; a longer one is none of ours."""
Try = tuple[str, str, str, str]
"""Stage, file, owner and end of a try."""


def recount(spool: Spool, job: str, since: str, tickets: bool = False) -> dict[str, dict[str, Spent]]:
    """Day -> stage -> what it cost, for the tries that ended on the day `since` or later. tickets: look into all of
    the job's tickets too, which takes time for each. A day of the journal that is compressed is passed over."""
    tries = dict(_of_journal(spool, job, since))
    if tickets:
        tries |= dict(_of_tickets(spool, job))
    days: dict[str, dict[str, Spent]] = {}
    for (stage, _, _, ended), cost in tries.items():
        if ended[:10] >= since:
            stages = days.setdefault(ended[:10], {})
            stages[stage] = stages.get(stage, Spent()) + cost
    return days


def _of_journal(spool: Spool, job: str, since: str) -> Iterator[tuple[Try, Spent]]:
    for day in sorted(names(spool.journal)):
        if day[:10] >= since and day.endswith(".jsonl"):
            for entry in _entries(f"{spool.journal}/{day}"):
                if entry.get("job") == job:
                    yield from _tries(str(entry.get("stage")), file_name(str(entry.get("key"))), [entry])


def _entries(path: str) -> Iterator[Json]:
    with open(path, "rb") as file:
        while line := file.readline(LONGEST):
            if b'"cost":{' in line and (entry := _entry(line)):
                yield entry


def _entry(line: bytes) -> Json | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _of_tickets(spool: Spool, job: str) -> Iterator[tuple[Try, Spent]]:
    for stage in spool.stages(job):
        for path, name in _paths(spool, job, stage):
            try:
                document = read_document(path)
            except (FileNotFoundError, Unreadable):
                continue
            attempts = document.get("attempts")
            records = [*(attempts if isinstance(attempts, list) else []), document.get("receipt")]
            yield from _tries(stage, name, records)


def _paths(spool: Spool, job: str, stage: str) -> Iterator[tuple[str, str]]:
    for box in BOXES:
        folder = spool.box(job, stage, box)
        folders = [f"{folder}/{owner}" for owner in names(folder)] if box is Box.RUNNING else [folder]
        for place in folders:
            yield from ((f"{place}/{name}", name) for name in names(place))


def _tries(stage: str, name: str, records: list[object]) -> Iterator[tuple[Try, Spent]]:
    for record in records:
        if isinstance(record, dict) and (cost := cost_of(record)):
            yield (stage, name, str(record.get("owner")), str(record.get("ended"))), cost
