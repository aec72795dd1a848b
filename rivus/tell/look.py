"""Reading the spool for people: counts, lists, one item whole. Nothing here changes anything."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from rivus.model.decide import FOREVER
from rivus.model.item import Ticket, file_name, is_ticket, ticket_of
from rivus.model.outcome import Json
from rivus.model.states import BOXES, Box
from rivus.model.times import utc
from rivus.spool.layout import Spool, names
from rivus.spool.pause import paused
from rivus.spool.reader import Unreadable, read_document
from rivus.tell.history import history

if TYPE_CHECKING:
    from rivus.config.schema import Job


class Address(Protocol):
    """What names an item."""

    @property
    def job(self) -> str: ...
    @property
    def key(self) -> str: ...


def counts(spool: Spool, job: str, stages: list[str]) -> dict[str, dict[str, int]]:
    """How many tickets are in each box of each stage."""
    return {stage: {str(box): len(entries(spool, job, stage, box)) for box in BOXES} for stage in stages}


def entries(spool: Spool, job: str, stage: str, box: Box) -> list[str]:
    """The paths of the tickets in a box, in no order."""
    folder = spool.box(job, stage, box)
    if box is Box.RUNNING:
        return [f"{folder}/{owner}/{name}" for owner in names(folder) for name in names(f"{folder}/{owner}")]
    return [f"{folder}/{name}" for name in names(folder)]


def stages_of(spool: Spool, name: str, job: Job | None) -> list[str]:
    """The stages of a job in order, and after them those that only the spool still has."""
    order = list(job.order) if job else []
    return order + [stage for stage in spool.stages(name) if stage not in order]


def overview(spool: Spool, name: str, job: Job | None) -> Json:
    """One job: title, its pause if there is one, how many items are archived if any, the counts of its stages."""
    whole: Json = {"job": name, "title": job.title if job else name}
    if pause := paused(spool, name):
        whole["paused"] = pause
    if os.path.lexists(spool.archive(name)):
        from rivus.spool.known import count as count_archived

        whole["archived"] = count_archived(spool.archive(name))
    whole["stages"] = counts(spool, name, stages_of(spool, name, job))
    return whole


def listing(spool: Spool, job: str, stage: str, box: Box) -> Iterator[Json]:
    """The tickets in a box, by name: job, key, stage, state and a note (why it failed, until when it waits, who
    runs it, else its title)."""
    for path in sorted(entries(spool, job, stage, box)):
        try:
            document = read_document(path)
            note = _note(box, path, document)
        except FileNotFoundError:
            continue
        except Unreadable as error:
            document, note = {}, f"cannot be read: {error}"
        key = document.get("key") or os.path.basename(path).removesuffix(".json")
        yield {"job": job, "key": key, "stage": stage, "state": str(box), "note": note}


def _note(box: Box, path: str, document: Json) -> str:
    if box is Box.LATER:
        due = os.lstat(path).st_mtime
        when = "until a person resumes it" if due >= FOREVER else f"until {utc(due)}"
        attempts = document.get("attempts")
        last = attempts[-1] if isinstance(attempts, list) and attempts else None
        return f"{when}: {_part(last, 'reason') or 'put off'}"
    if box is Box.RUNNING:
        return f"by {os.path.basename(os.path.dirname(path))}"
    data = document.get("data")
    named = _part(data, "title") or _part(data, "url")
    return _part(document.get("error"), "reason") or _part(document.get("receipt"), "skipped") or named


def _part(whole: object, name: str) -> str:
    """A field as text; "" if there is none, whatever somebody has written there."""
    value = whole.get(name) if isinstance(whole, dict) else None
    return "" if value is None else str(value)


def something_rests(spool: Spool) -> bool:
    """Whether any job may be paused or any source parked, or a limit's state is odd: a look at names only."""
    if any(os.path.lexists(spool.pause(job)) for job in spool.jobs()):
        return True
    return any(os.path.lexists(f"{spool.limits}/{limit}/parked.json") for limit in names(spool.limits))


def ready_now(spool: Spool, jobs: Iterable[str], stage: str) -> Iterator[Json]:
    """What is ready in a stage of these jobs: job, key, stage and state of each."""
    for job in jobs:
        for line in listing(spool, job, stage, Box.READY):
            yield {name: line[name] for name in ("job", "key", "stage", "state")}


def asked_now(spool: Spool, jobs: Container[str], stage: str, asked: Iterable[Address]) -> Iterator[Json]:
    """Where the items are that were asked for; state None: nowhere."""
    for one in asked:
        place = spool.where(one.job, stage, file_name(one.key)) if one.job in jobs else None
        yield {"job": one.job, "key": one.key, "stage": stage, "state": str(place[0]) if place else None}


def item(spool: Spool, name: str, stages: list[str], key: str) -> Json | None:
    """One item whole: data, meta, for each stage where its ticket is and what is in it, files, history. None if it
    is not in the spool."""
    from rivus.tell.family import children_of, known_note

    file = file_name(key)
    birth = _ticket(f"{spool.births(name)}/{file}", name)
    whole: Json = {"job": name, "key": key, "data": birth.data if birth else {}, "meta": birth.meta if birth else {}}
    places = {stage: spool.where(name, stage, file) for stage in stages}
    if birth is None and not any(places.values()):
        return _archived(spool, name, key)
    whole["stages"] = {stage: _stage(place, name) for stage, place in places.items() if place}
    if children := children_of(whole["stages"]):
        whole["children"] = children
    if note := known_note(part.get("receipt") for part in whole["stages"].values()):
        whole["known"] = note
    folder = spool.files(name, file)
    whole["files"] = sorted(f"{where}/{one}" for where, _, here in os.walk(folder) for one in here)
    whole["history"] = history(spool, name, key)
    return whole


def _archived(spool: Spool, name: str, key: str) -> Json | None:
    """As `item`, from the archive; `archived`: when the item ended."""
    from rivus.spool.archive import archived_item

    line = archived_item(spool, name, file_name(key))
    if line is None:
        return None
    parts = {stage: _parts(ticket_of(ticket, name)) for stage, ticket in line["stages"].items()}
    return {
        "job": name, "key": key, "data": line["birth"]["data"], "meta": line["birth"]["meta"],
        "archived": line["ended"], "stages": {stage: {"state": "archived", **part} for stage, part in parts.items()},
        "files": [], "history": history(spool, name, key),
    }  # fmt: skip


def _ticket(path: str, job: str) -> Ticket | None:
    try:
        document = read_document(path)
        return ticket_of(document, job) if is_ticket(document) else None
    except (FileNotFoundError, Unreadable, ValueError):
        return None


def _stage(place: tuple[Box, str], job: str) -> Json:
    box, path = place
    whole: Json = {"state": str(box), "path": path}
    if box is Box.LATER:
        whole["due"] = utc(os.lstat(path).st_mtime)
    if ticket := _ticket(path, job):
        whole |= _parts(ticket)
    return whole


def _parts(ticket: Ticket) -> Json:
    parts = {"output": ticket.output, "receipt": ticket.receipt, "error": ticket.error, "attempts": ticket.attempts}
    return {name: part for name, part in parts.items() if part}
