"""The moves a person makes, or discovery for a changed item: f, i, s, t and x of the state table."""

from __future__ import annotations

import time

from rivus.model.item import Ticket, digest, is_ticket, ticket_of
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.model.states import DROP, HOLD, RESET, RETRY, UNHOLD, Box, Move
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.journal import record
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publishing
from rivus.spool.reader import Unreadable, dump, read_document
from rivus.spool.release import release, release_after


def move(spool: Spool, job: str, stage: str, name: str, row: Move, **more: str) -> Box | None:
    """Makes the move `row` with one rename, from whichever of its boxes holds the ticket. Gives that box; None if
    the ticket is in none of them."""
    found = spool.where(job, stage, name)
    if found is None or found[0] not in row.sources or row.target is None:
        return None
    box, path = found
    if not atomic.rename(path, spool.ticket(job, stage, row.target, name)):
        return None
    record(spool, row, job, stage, name.removesuffix(".json"), **{"from": str(box)}, **more)
    return box


def hold(spool: Spool, plan: Plan, stage: str, name: str, why: str) -> Box | None:
    return move(spool, plan.job, stage, name, HOLD, why=why)


def retry(spool: Spool, plan: Plan, stage: str, name: str, why: str) -> Box | None:
    return move(spool, plan.job, stage, name, RETRY, why=why)


def redo(spool: Spool, job: str, stage: str, name: str, why: str) -> bool:
    """Runs again what is done. False if it is not, or if its finisher has not dropped its claim yet. The ticket carries
    its old result until a new one is written over it."""
    found = spool.where(job, stage, name)
    return found is not None and found[0] is Box.DONE and move(spool, job, stage, name, RETRY, why=why) is not None


def unhold(spool: Spool, plan: Plan, stage: str, name: str, why: str) -> Box | None:
    """From `held` to where it belongs: `wait`, and on to `ready` if its needs are done."""
    box = move(spool, plan.job, stage, name, UNHOLD, why=why)
    if box:
        release(spool, plan, stage, name, name.removesuffix(".json"))
    return box


def drop(spool: Spool, plan: Plan, stage: str, name: str, why: str, owner: Owner) -> Box | None:
    """The stage is done with the item, without a result, because a person says so. What cannot be read stays."""
    found = spool.where(plan.job, stage, name)
    try:
        document = read_document(found[1]) if found else {}
    except (FileNotFoundError, Unreadable):
        return None
    box = move(spool, plan.job, stage, name, DROP, why=why)
    if box is None:
        return None
    receipt = {"skipped": f"dropped: {why}" if why else "dropped", "owner": owner.name, "ended": utc(time.time())}
    document.pop("output", None)  # that of an earlier run
    owner.write(spool.ticket(plan.job, stage, Box.DONE, name), dump({**document, "receipt": receipt}))
    release_after(spool, plan, stage, name, name.removesuffix(".json"), document.get("meta"))
    return box


def change(spool: Spool, plan: Plan, ticket: Ticket, owner: Owner, rerun: bool) -> bool:
    """Gives a known item the data in `ticket`; stages take it from the birth record when they next run. rerun: all
    its stages run again. An archived one is put back first. False, with nothing changed, if the data is the same or a
    stage is running now: the change is found again."""
    birth = f"{spool.births(plan.job)}/{ticket.name}"
    with publishing(spool, plan.job):
        if spool.archived(plan.job, ticket.name) and not _put_back(spool, plan, ticket, owner):
            return False
        old = read_document(birth)
        if digest(old.get("data")) == digest(ticket.data):
            return False
        if rerun and not _reset(spool, plan, ticket.name):
            return False
        owner.write(birth, dump({**old, "data": ticket.data, "meta": {**ticket.meta, **_first_meta(old)}}))
        atomic.sync(spool.births(plan.job))
    if rerun:
        for stage in plan.order:
            release(spool, plan, stage, ticket.name, ticket.key)
    return True


def _put_back(spool: Spool, plan: Plan, ticket: Ticket, owner: Owner) -> bool:
    """Restores an archived item whose data is not that of `ticket`. False, with nothing changed, if it is."""
    from rivus.spool.archive import put_back
    from rivus.spool.known import short_digest

    return put_back(spool, plan, ticket.name, owner, unless=short_digest(ticket.data))


def _first_meta(old: Json) -> Json:
    meta = dict(old.get("meta") or {})
    return {**meta, "changed": utc(time.time())}


def _reset(spool: Spool, plan: Plan, name: str) -> bool:
    places = {stage: spool.where(plan.job, stage, name) for stage in plan.needs}
    if any(place is not None and place[0] is Box.RUNNING for place in places.values()):
        return False
    for stage in reversed(plan.order):
        place = places[stage]
        if place and place[0] in RESET.sources and not move(spool, plan.job, stage, name, RESET):
            return False
    return True


def birth(spool: Spool, job: str, name: str) -> Ticket | None:
    """The ticket with which an item was published, or None."""
    try:
        document = read_document(f"{spool.births(job)}/{name}")
    except FileNotFoundError:
        return None
    return ticket_of(document, job) if is_ticket(document) else None


def key_at(spool: Spool, job: str, name: str) -> str:
    """The key of an item, to be shown; without a birth record that can be read, the name of its files."""
    try:
        ticket = birth(spool, job, name)
    except (Unreadable, ValueError, KeyError):
        ticket = None
    return ticket.key if ticket else name.removesuffix(".json")
