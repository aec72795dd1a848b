"""Moves k and n of the state table: finished items go to the job's archive as lines of JSON, and come back.

    {"name", "key", "ended", "birth": {…}, "stages": {STAGE: the ticket, …}, "files": [{"file", "bytes"}, …]}

All of it under the publishers' lock. Archiving: the tickets are taken aside by renames, each of which one process wins
(`rivus.spool.leaving`); they are read; their lines are added to the files of the months in which they ended, and to
the index of these (`known.db`), both durable; then the birth records go, durably; then the rest. So an item always has
its birth record or its line, and both only while nothing of the spool's is missing. Restoring is the same backwards:
the tickets aside, the birth record, then `done`. Large files are not archived.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rivus.errors import BadConfig
from rivus.model.item import ticket_of
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.model.states import ARCHIVE, RESTORE, Box
from rivus.model.times import epoch, utc
from rivus.spool import atomic, known, leaving, members
from rivus.spool.journal import record
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.planned import note_publisher
from rivus.spool.publish import publishing
from rivus.spool.reader import Unreadable, dump, read_document

MEMBER = 1 << 20
"""Bytes of lines in one member, about."""
ROOM = 16 << 20
"""Bytes of lines that are in the memory at a time, about."""


class _Item(NamedTuple):
    key: str
    month: str
    line: known.Line


def archive(spool: Spool, plan: Plan, names: Sequence[str], before: float) -> int:
    """Archives those of these items that are whole and whose stages have all ended before that time. Gives how many.
    Raises RivusError, OSError: the archive cannot be written; the items stay in the spool."""
    job = plan.job
    stages = [*(stage for stage in spool.stages(job) if stage not in plan.needs), *reversed(plan.order)]
    with publishing(spool, job):
        leaving.make_places(spool, job, stages)
        left = iter(names)
        gone: list[tuple[str, str]] = []
        try:
            while taken := _some(spool, plan, stages, left, before):
                _write(spool.archive(job), taken)
                for item in taken:
                    atomic.remove(f"{spool.births(job)}/{item.line.name}")
                atomic.sync(spool.births(job))
                gone += [(item.key, item.month) for item in taken]
        finally:
            leaving.settle(spool, job)
    for key, month in gone:
        record(spool, ARCHIVE, job, "discover", key, to=month)
    return len(gone)


def finished(spool: Spool, plan: Plan, name: str) -> float | None:
    """When the last of an item's tickets was written if all are in `done`, else None: a quick look."""
    try:
        return max(os.lstat(spool.ticket(plan.job, stage, Box.DONE, name)).st_mtime for stage in plan.needs)
    except FileNotFoundError:
        return None


def archived_item(spool: Spool, job: str, name: str) -> Json | None:
    """The whole line of an archived item (see the module), None if there is none. Raises RivusError."""
    entry = None if spool.born(job, name) else known.find(spool.archive(job), name)
    return _read(spool, job, name, entry) if entry else None


def restore(spool: Spool, plan: Plan, name: str, owner: Owner) -> bool:
    """Puts an archived item back as it was, all stages in `done`. False if it is not archived. Raises RivusError."""
    with publishing(spool, plan.job):
        return put_back(spool, plan, name, owner)


def put_back(spool: Spool, plan: Plan, name: str, owner: Owner, unless: bytes = b"") -> bool:
    """As `restore`, for who holds the publishers' lock. unless: not if the item's data has this digest."""
    job = plan.job
    entry = None if spool.born(job, name) else known.find(spool.archive(job), name)
    if entry is None or entry.data == unless:
        return False
    item = _read(spool, job, name, entry)
    here = {stage: item["stages"][stage] for stage in item["stages"] if os.path.isdir(spool.stage(job, stage))}
    if here.keys() != plan.needs.keys():
        note_publisher(spool, Plan(job, dict.fromkeys(here, ())), owner)  # the sweep adds what is missing
    _lay(spool, job, name, here, owner)
    owner.write(f"{spool.births(job)}/{name}", dump(item["birth"]))
    atomic.sync(spool.births(job))
    leaving.settle(spool, job)
    known.forget(spool.archive(job), name)
    record(spool, RESTORE, job, "discover", str(item["key"]))
    return True


def _lay(spool: Spool, job: str, name: str, tickets: Json, owner: Owner) -> None:
    leaving.make_places(spool, job, tickets)
    for stage, ticket in tickets.items():
        owner.write(leaving.place(spool, job, stage, name), dump(ticket))
    atomic.sync_all([os.path.dirname(leaving.place(spool, job, stage, name)) for stage in tickets])


def _some(spool: Spool, plan: Plan, stages: Sequence[str], names: Iterator[str], before: float) -> list[_Item]:
    """The next of these items that may go, no more than fit into the memory; [] if there are none left."""
    taken: list[_Item] = []
    room = ROOM
    while room > 0 and (name := next(names, None)) is not None:
        if item := _taken(spool, plan, stages, name, before):
            taken.append(item)
            room -= len(item.line.text)
    return taken


def _taken(spool: Spool, plan: Plan, stages: Sequence[str], name: str, before: float) -> _Item | None:
    """Takes an item's tickets aside and gives its line; None, with all of them in `done`, if it may not go."""
    job = plan.job
    places = {stage: spool.where(job, stage, name) for stage in stages}
    mine = [stage for stage in stages if places[stage] or stage in plan.needs]
    if any(place is None or place[0] is not Box.DONE for stage, place in places.items() if stage in mine):
        return None
    if not spool.born(job, name) or not leaving.take(spool, job, mine, name):
        return None
    item = None
    try:
        item = _item(spool, job, mine, name, before)
    finally:
        if item is None:
            leaving.give_back(spool, job, mine, name)
    return item


def _item(spool: Spool, job: str, stages: Sequence[str], name: str, before: float) -> _Item | None:
    paths = {stage: leaving.place(spool, job, stage, name) for stage in reversed(stages)}
    try:
        birth = read_document(f"{spool.births(job)}/{name}")
        tickets = {stage: read_document(path) for stage, path in paths.items()}
        parsed = [ticket_of(one, job) for one in (birth, *tickets.values())]
        ended = max(_ended(path, tickets[stage]) for stage, path in paths.items())
        files = list(_files(spool.files(job, name)))
    except (FileNotFoundError, Unreadable, ValueError, KeyError, TypeError):  # rivus-doctor --fsck tells of such a file
        return None
    if ended >= before or any(one.name != name for one in parsed) or not all(one.receipt for one in parsed[1:]):
        return None
    when = utc(ended)
    whole: Json = {"name": name, "key": parsed[0].key, "ended": when, "birth": birth, "stages": tickets, "files": files}
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    return _Item(parsed[0].key, when[:7], known.Line(name, known.short_digest(birth["data"]), text))


def _ended(path: str, ticket: Json) -> float:
    """When a stage was done with it: by its receipt, or when the file was written, whichever is later."""
    receipt = ticket.get("receipt")
    told = receipt.get("ended") if isinstance(receipt, dict) else None
    written = os.lstat(path).st_mtime
    return max(written, epoch(told)) if isinstance(told, str) else written


def _files(folder: str) -> Iterator[Json]:
    for where, _, here in os.walk(folder):
        for one in here:
            path = f"{where}/{one}"
            shown = os.fsencode(os.path.relpath(path, folder)).decode(errors="replace")
            yield {"file": shown, "bytes": os.lstat(path).st_size}


def _write(folder: str, items: Sequence[_Item]) -> None:
    for month in sorted({item.month for item in items}):
        for lines in _members([item.line for item in items if item.month == month]):
            known.add(folder, month, lines)


def _members(lines: Sequence[known.Line]) -> Iterator[list[known.Line]]:
    part: list[known.Line] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line.text)
        if size >= MEMBER:
            yield part
            part, size = [], 0
    if part:
        yield part


def _read(spool: Spool, job: str, name: str, entry: known.Entry) -> Json:
    path = f"{spool.archive(job)}/{entry.month}{members.ENDING}"
    try:
        item = json.loads(members.read_line(path, entry.start, entry.line))
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"{path}: the line of {name} cannot be read: {error}") from None
    if not isinstance(item, dict) or item.get("name") != name:
        raise BadConfig(f"{path}: {name} is not where the index says; remove {spool.archive(job)}/known.db")
    return item
