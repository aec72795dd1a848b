"""What anybody may mend at any time: moves g, h and r for a whole stage, and what dead owners left.

Each function can be interrupted anywhere and run by several processes at once; running it again completes it.
"""

from __future__ import annotations

import os
import time

from rivus.model.item import Ticket, is_ticket, ticket_of
from rivus.model.plan import Plan
from rivus.model.states import DEFER, FAIL, RECOVER, WAKE, Box
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.journal import record
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner, buried, forget, forget_unborn, owners
from rivus.spool.reader import Unreadable, dump, read_document
from rivus.spool.rejected import reject
from rivus.spool.release import release, release_after

YOUNG = 5.0
"""Seconds for which a file that cannot be read yet is taken for one that is still being written."""
INTERRUPTIONS = 3
"""How often an item may be running when its worker dies, unless its stage says otherwise."""


def recover(spool: Spool, job: str, stage: str, me: Owner, plan: Plan | None = None, limit: int = INTERRUPTIONS) -> int:
    """Returns the claims of dead owners to `ready`, or to `failed` when it happened `limit` times to the item, and
    completes what was finished. plan: for what follows; without it the sweep releases later. Gives how many."""
    running = spool.box(job, stage, Box.RUNNING)
    count = 0
    for owner in names(running):
        if owner == me.name:
            continue
        with buried(spool, owner) as dead:
            if not dead:
                continue
            for name in list(names(f"{running}/{owner}")):
                _recover_one(spool, job, stage, owner, name, me, plan, limit)
                count += 1
            if not atomic.remove_folder(f"{running}/{owner}") and not os.path.isdir(f"{running}/{owner}"):
                atomic.rename(f"{running}/{owner}", spool.ticket(job, stage, Box.READY, owner))
    return count


def _recover_one(
    spool: Spool, job: str, stage: str, owner: str, name: str, me: Owner, plan: Plan | None, limit: int
) -> None:
    path = f"{spool.claims(job, stage, owner)}/{name}"
    try:
        document = read_document(path, time.time())
        ticket = ticket_of(document, job) if is_ticket(document) else None
    except FileNotFoundError:
        return
    except Unreadable as error:
        if 0 <= error.age < YOUNG:
            atomic.rename(path, spool.ticket(job, stage, Box.READY, name))
        else:
            reject(spool, job, stage, path, str(error))
        return
    except ValueError as error:
        reject(spool, job, stage, path, str(error))
        return
    if ticket is None:
        atomic.rename(path, spool.ticket(job, stage, Box.READY, name))
    elif _finished(spool, job, stage, owner, name):
        if plan and stage in plan.needs:
            release_after(spool, plan, stage, name, ticket.key, ticket.meta)
        atomic.remove(path)
        record(spool, RECOVER, job, stage, ticket.key, owner=owner, outcome="done")
    else:
        _interrupted(spool, job, stage, owner, path, ticket, me, limit)


def _finished(spool: Spool, job: str, stage: str, owner: str, name: str) -> bool:
    try:
        receipt = read_document(spool.ticket(job, stage, Box.DONE, name)).get("receipt")
    except (FileNotFoundError, Unreadable):
        return False
    return isinstance(receipt, dict) and receipt.get("owner") == owner


def _interrupted(
    spool: Spool, job: str, stage: str, owner: str, path: str, ticket: Ticket, me: Owner, limit: int
) -> None:
    last = ticket.attempts[-1] if ticket.attempts else {}
    now = utc(time.time())
    if (last.get("outcome"), last.get("owner")) != ("interrupted", owner):
        ticket.add_attempt({"outcome": "interrupted", "owner": owner, "ended": now})
    count = ticket.interruptions()
    if count >= limit:
        reason = f"{count} workers died while they ran this item"
        ticket.error = {"type": "Interrupted", "reason": reason, "at": now}
        ticket.attempts[-1]["final"] = True
    me.write(path, dump(ticket.to_json()))
    box, move = (Box.FAILED, FAIL) if count >= limit else (Box.READY, RECOVER)
    atomic.rename(path, spool.ticket(ticket.job, stage, box, ticket.name))
    record(spool, move, ticket.job, stage, ticket.key, owner=owner, outcome="interrupted", interruptions=count)


def wake(spool: Spool, job: str, stage: str, now: float) -> tuple[int, float | None]:
    """Moves what is due from `later` to `ready`. Gives how many, and when the next one is due."""
    count, earliest = 0, None
    for name in names(later := spool.box(job, stage, Box.LATER)):
        try:
            due = os.lstat(f"{later}/{name}").st_mtime
        except FileNotFoundError:
            continue
        if due > now:
            earliest = due if earliest is None else min(due, earliest)
        elif atomic.rename(f"{later}/{name}", spool.ticket(job, stage, Box.READY, name)):
            record(spool, WAKE, job, stage, name.removesuffix(".json"))
            count += 1
    return count, earliest


def wake_parked(spool: Spool, job: str, stage: str, *until: float) -> int:
    """Moves to `ready` what was put off until exactly one of these times: the end of a parking, of a pause, or of a
    day whose budget was used up."""
    count = 0
    for name in names(later := spool.box(job, stage, Box.LATER)):
        try:
            due = os.lstat(f"{later}/{name}").st_mtime
        except FileNotFoundError:
            continue
        exact = any(abs(due - one) < 0.002 for one in until)
        if exact and atomic.rename(f"{later}/{name}", spool.ticket(job, stage, Box.READY, name)):
            record(spool, WAKE, job, stage, name.removesuffix(".json"), by="resume")
            count += 1
    return count


def wake_blocked(spool: Spool, job: str, stage: str, until: float) -> int:
    """As `wake_parked`, and also what an earlier, shorter rest of the source has put off."""
    count = wake_parked(spool, job, stage, until)
    for name in names(later := spool.box(job, stage, Box.LATER)):
        try:
            attempts = read_document(f"{later}/{name}").get("attempts")
        except (FileNotFoundError, Unreadable):
            continue
        last = attempts[-1] if isinstance(attempts, list) and attempts else {}
        blocked = isinstance(last, dict) and last.get("outcome") == "blocked"
        if blocked and atomic.rename(f"{later}/{name}", spool.ticket(job, stage, Box.READY, name)):
            record(spool, WAKE, job, stage, name.removesuffix(".json"), by="resume")
            count += 1
    return count


def put_off(spool: Spool, job: str, stage: str, me: Owner, due: float) -> int:
    """Moves all of `ready` to `later` until `due`, for a stage that cannot run at all. Gives how many."""
    count = 0
    for name in list(names(spool.box(job, stage, Box.READY))):
        claim = f"{me.claims(job, stage)}/{name}"
        if atomic.rename(spool.ticket(job, stage, Box.READY, name), claim):
            _own_inode(claim, me)
            atomic.set_time(claim, due)
            atomic.rename(claim, spool.ticket(job, stage, Box.LATER, name))
            record(spool, DEFER, job, stage, name.removesuffix(".json"), due=utc(due), owner=me.name)
            count += 1
    return count


def _own_inode(path: str, me: Owner) -> None:
    """Makes a ticket that shares its inode, and so its time, with those of other stages a file of its own."""
    try:
        if os.lstat(path).st_nlink > 1:
            me.write(path, dump(read_document(path)))
    except (FileNotFoundError, Unreadable, ValueError):
        return


def release_all(spool: Spool, plan: Plan) -> int:
    """Releases every waiting ticket whose needs are done."""
    waiting = [(stage, name) for stage in plan.needs for name in names(spool.box(plan.job, stage, Box.WAIT))]
    return sum(release(spool, plan, stage, name, name.removesuffix(".json")) for stage, name in waiting)


def bury(spool: Spool, me: Owner) -> int:
    """Removes the locks and scratch folders of dead owners that hold no claim any more. Gives how many."""
    claiming = {
        owner
        for job in spool.jobs()
        for stage in spool.stages(job)
        for owner in names(spool.box(job, stage, Box.RUNNING))
    }
    count = 0
    for owner in owners(spool):
        if owner == me.name or owner in claiming:
            continue
        with buried(spool, owner) as dead:
            if dead:
                forget(spool, owner)
                count += 1
    forget_unborn(spool)
    return count
