"""A job whose stages have changed: every item gets a ticket for each new stage, and what must wait now waits.

New tickets are laid in `wait` and released from there, never made in `ready`, so that none can run twice. The note of
the plan is written last: whatever is interrupted is done again, and adds only what is missing. When nothing has changed
it costs reading that note.
"""

from __future__ import annotations

from collections.abc import Iterable

from rivus.model.item import Ticket, ticket_of
from rivus.model.plan import Plan
from rivus.model.states import PUBLISH, PUT_BACK, Box
from rivus.spool import atomic
from rivus.spool.journal import record
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.planned import note_plan, planned
from rivus.spool.publish import first_boxes, publishing, skipped
from rivus.spool.reader import Unreadable, dump, read_document
from rivus.spool.release import may_go


def follow_plan(spool: Spool, plan: Plan, owner: Owner) -> int | None:
    """Makes the tickets follow the stages of the job, whose directories exist. Gives how many were added, None if there
    was nothing to follow; after that what waits is to be released (`release_all`)."""
    if planned(spool, plan.job).fits(plan):
        return None
    with publishing(spool, plan.job):
        before = planned(spool, plan.job)
        if before.fits(plan):
            return None
        new = [stage for stage in plan.order if not (before.whole and stage in before.needs)]
        count = sum(_add(spool, plan, name, new, owner) for name in names(spool.births(plan.job)))
        if count:
            atomic.sync_all([spool.box(plan.job, stage, box) for stage in new for box in (Box.WAIT, Box.DONE)])
        for stage in plan.needs:
            if stage in before.needs and not before.follows(plan, stage):
                _put_back(spool, plan, stage)
        note_plan(spool, plan, owner)
    return count


def _add(spool: Spool, plan: Plan, name: str, stages: Iterable[str], owner: Owner) -> int:
    """Gives one item the tickets that it lacks in these stages."""
    missing = [stage for stage in stages if not _has(spool, plan.job, stage, name)]
    birth = f"{spool.births(plan.job)}/{name}"
    try:
        ticket = ticket_of(read_document(birth), plan.job) if missing else None
    except (FileNotFoundError, Unreadable, ValueError, KeyError):  # rivus-doctor --fsck tells of such a record
        return 0
    if ticket is None:
        return 0
    for stage in missing:
        _lay(spool, plan, stage, ticket, birth, owner)
    return len(missing)


def _lay(spool: Spool, plan: Plan, stage: str, ticket: Ticket, birth: str, owner: Owner) -> None:
    box = first_boxes(plan, ticket.meta.get("entered"))[stage]
    if box is Box.DONE:
        owner.write(spool.ticket(plan.job, stage, box, ticket.name), dump(skipped(ticket)))
    else:
        box = Box.WAIT
        atomic.link(birth, spool.ticket(plan.job, stage, box, ticket.name))
    record(spool, PUBLISH, plan.job, stage, ticket.key, to={stage: str(box)})


def _has(spool: Spool, job: str, stage: str, name: str) -> bool:
    """Looked for twice: a person may move a ticket back between two boxes while this looks."""
    return any(spool.where(job, stage, name) for _ in range(2))


def _put_back(spool: Spool, plan: Plan, stage: str) -> None:
    """Moves what is ready, or will be, and needs what is not done, to `wait`."""
    for box in (Box.READY, Box.LATER):
        for name in list(names(spool.box(plan.job, stage, box))):
            if not spool.known(plan.job, name) or may_go(spool, plan, stage, name):
                continue
            if atomic.rename(
                spool.ticket(plan.job, stage, box, name), spool.ticket(plan.job, stage, Box.WAIT, name)
            ):
                record(spool, PUT_BACK, plan.job, stage, name.removesuffix(".json"), **{"from": str(box)})
