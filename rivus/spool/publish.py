"""From a find to tickets: move a of the state table.

The order is the promise. All tickets of an item are hard links of one file that was made durable first; `wait` before
`ready`, all directories durable, and the birth record last. A crash leaves tickets without a birth record: whoever
finds the item again adds what is missing, and so does the stage that claims such a ticket, before it runs it. The
lock of the job's publishers keeps these from doing it at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rivus.model.item import Ticket, ticket_of
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.model.states import PUBLISH, Box
from rivus.spool import atomic
from rivus.spool.journal import record
from rivus.spool.layout import Spool, names
from rivus.spool.leaving import place, root, settle
from rivus.spool.owners import Owner
from rivus.spool.planned import note_publisher
from rivus.spool.reader import dump, read_document

ARCHIVED = "is archived; rivus-prune --restore puts it back"
"""What is told of an archived item that is asked for."""


@contextmanager
def publishing(spool: Spool, job: str) -> Iterator[None]:
    """Holds the lock of the job's publishers. What one of them left half archived is settled first."""
    from rivus.locks import queue

    held = queue(Path(f"{spool.root}/{job}/discover/.lock"), stop=lambda: False)
    try:
        settle(spool, job)
        yield
    finally:
        if held is not None:
            held.release()


def settle_left(spool: Spool, job: str) -> None:
    """Settles what a dead process left half archived. Costs one look if there is nothing."""
    if os.path.lexists(root(spool, job)):
        with publishing(spool, job):
            return


def publish(spool: Spool, plan: Plan, tickets: Sequence[Ticket], owner: Owner) -> list[Ticket]:
    """Makes the unknown ones among `tickets` items of the job, durably, and gives these.

    A ticket whose `meta.entered` names a stage begins there: the stages before it are done, as skipped.
    Raises ValueError if one of them cannot be written as JSON; then none is published.
    """
    with publishing(spool, plan.job):
        fresh = {ticket.name: ticket for ticket in tickets if not spool.known(plan.job, ticket.name)}
        drafts = _draft(fresh, owner)
        _lay(spool, plan, fresh, drafts, owner)
        _record_births(spool, plan, fresh, drafts)
    return list(fresh.values())


def adopt(spool: Spool, plan: Plan, stage: str, ticket: Ticket, claim: str, owner: Owner) -> None:
    """Makes an item of a ticket without a birth record that `owner` has claimed at the path `claim`: one dropped
    in by hand, or one whose publisher was interrupted. Raises ValueError if the item is known after all."""
    with publishing(spool, plan.job):
        if other := twin(spool, plan.job, stage, ticket.name, claim):
            raise ValueError(f"{ticket.key!r} is an item already, in {other}; rivus-move retry runs it again")
        if spool.archived(plan.job, ticket.name):
            raise ValueError(is_archived(plan.job, ticket.key))
        owner.write(claim, dump(ticket.to_json()))
        if not spool.known(plan.job, ticket.name):
            fresh = {ticket.name: ticket}
            drafts = _draft(fresh, owner)
            _lay(spool, plan, fresh, drafts, owner, but=stage)
            _record_births(spool, plan, fresh, drafts)


def complete(spool: Spool, plan: Plan, stage: str, name: str, owner: Owner) -> bool:
    """Adds what the interrupted publisher of a ticket in `wait` did not come to. False if nothing was missing."""
    if spool.born(plan.job, name):
        return False
    with publishing(spool, plan.job):
        if spool.born(plan.job, name):
            return False
        ticket = ticket_of(read_document(spool.ticket(plan.job, stage, Box.WAIT, name)), plan.job)
        if spool.archived(plan.job, name):
            raise ValueError(is_archived(plan.job, ticket.key))
        drafts = _draft({name: ticket}, owner)
        _lay(spool, plan, {name: ticket}, drafts, owner)
        _record_births(spool, plan, {name: ticket}, drafts)
    return True


def twin(spool: Spool, job: str, stage: str, name: str, claim: str) -> Box | None:
    """The box in which the ticket claimed at `claim` is a second time, such as after a `cp` by hand."""
    for box in (Box.DONE, Box.LATER, Box.FAILED, Box.HELD, Box.WAIT, Box.READY):
        if os.path.lexists(spool.ticket(job, stage, box, name)):
            return box
    leaving = (place(spool, job, stage, name), spool.ticket(job, stage, Box.DONE, name))
    if any(os.path.lexists(path) for path in leaving):  # on its way to the archive, or just given back
        return Box.DONE
    for owner in names(spool.box(job, stage, Box.RUNNING)):
        path = f"{spool.claims(job, stage, owner)}/{name}"
        if path != claim and os.path.lexists(path):
            return Box.RUNNING
    return None


def is_archived(job: str, key: str) -> str:
    """Why something with the key of an archived item cannot become one."""
    return f"{key!r} is archived; rivus-prune --restore {job}/{key} puts it back"


def first_boxes(plan: Plan, entered: object) -> dict[str, Box]:
    """The box in which each stage gets a new item, in the order in which they are written: `ready` last. entered: the
    stage where it begins, if it is the name of one."""
    over = set(plan.ancestors(entered)) if isinstance(entered, str) and entered in plan.needs else set()
    boxes = {}
    for stage in plan.order:
        after = Box.READY if over.issuperset(plan.needs[stage]) else Box.WAIT
        boxes[stage] = Box.DONE if stage in over else after
    return dict(sorted(boxes.items(), key=lambda pair: pair[1] is Box.READY))


def _draft(fresh: dict[str, Ticket], owner: Owner) -> dict[str, str]:
    raws = {name: dump(ticket.to_json()) for name, ticket in fresh.items()}
    drafts = {name: owner.draft() for name in fresh}
    for name, path in drafts.items():
        atomic.write_new(path, raws[name], sync=False)
    atomic.sync_all(list(drafts.values()))
    return drafts


def _lay(
    spool: Spool, plan: Plan, fresh: dict[str, Ticket], drafts: dict[str, str], owner: Owner, but: str = ""
) -> None:
    note_publisher(spool, plan, owner)
    touched: dict[str, None] = {}
    for name, ticket in fresh.items():
        for stage, box in first_boxes(plan, ticket.meta.get("entered")).items():
            if stage == but or spool.where(plan.job, stage, name):
                continue
            path = spool.ticket(plan.job, stage, box, name)
            if box is Box.DONE:
                owner.write(path, dump(skipped(ticket)))
            else:
                atomic.link(drafts[name], path)
            touched[os.path.dirname(path)] = None
    atomic.sync_all(list(touched))


def skipped(ticket: Ticket) -> Json:
    """The ticket of a stage before the one where its item entered."""
    receipt = {"skipped": f"the item entered at {ticket.meta['entered']}"}
    return {**ticket.to_json(), "receipt": receipt}


def _record_births(spool: Spool, plan: Plan, fresh: dict[str, Ticket], drafts: dict[str, str]) -> None:
    births = spool.births(plan.job)
    for name in fresh:
        atomic.link(drafts[name], f"{births}/{name}")
    if fresh:
        atomic.sync(births)
    for name, ticket in fresh.items():
        atomic.remove(drafts[name])
        boxes = {stage: str(box) for stage, box in first_boxes(plan, ticket.meta.get("entered")).items()}
        record(spool, PUBLISH, plan.job, "discover", ticket.key, to=boxes)
