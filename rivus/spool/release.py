"""Move r: a ticket whose needs are all done goes from `wait` to `ready`.

Move first, then look: the finisher's receipt is in `done` before it looks here, so of two finishers at least the
later one sees all needs done; when both do, one rename wins. Nothing is ever created in `ready` for it.

The same holds for children. What a stage that awaits them needs is: the results of the stages it needs, the receipts
that name the children, and the results of these. Each of them is one file that comes into `done`, and whoever puts it
there looks afterwards: a stage of the item itself at all that follows it (`Plan.followers`), a child's stage at its
parent. So a child that ends before the receipt which names it is seen by the writer of that receipt, and one that ends
after it sees the receipt; whoever is last sees all. The parent is found by the child's own meta and the note of the
parent's plan (`rivus.spool.planned`), so that no configuration is read; the sweep repeats all of it.
"""

from __future__ import annotations

import os

from rivus.model.children import parent_of
from rivus.model.plan import Plan
from rivus.model.states import RELEASE, Box
from rivus.spool import atomic
from rivus.spool.journal import record
from rivus.spool.layout import Spool
from rivus.spool.planned import planned


def release(spool: Spool, plan: Plan, stage: str, name: str, key: str) -> bool:
    """Releases one ticket if its needs are done."""
    source = spool.ticket(plan.job, stage, Box.WAIT, name)
    if stage in plan.children and not os.path.lexists(source):
        return False
    if not may_go(spool, plan, stage, name):
        return False
    moved = atomic.rename(source, spool.ticket(plan.job, stage, Box.READY, name))
    if moved:
        record(spool, RELEASE, plan.job, stage, key)
    return moved


def may_go(spool: Spool, plan: Plan, stage: str, name: str) -> bool:
    """Whether all that a stage needs of an item, and of its children, is done."""
    if not spool.ended(plan.job, plan.needs[stage], name):
        return False
    if stage not in plan.children:
        return True
    from rivus.spool.children import children_ended

    return children_ended(spool, plan, stage, name)


def release_after(spool: Spool, plan: Plan, stage: str, name: str, key: str, meta: object) -> list[str]:
    """Releases what can run now that `stage` is done with an item, of which this is the meta. Gives the jobs in which
    something of its parent was released."""
    for follower in plan.followers(stage):
        release(spool, plan, follower, name, key)
    parent = parent_of(meta)
    if parent is None:
        return []
    theirs = plan if parent.job == plan.job else planned(spool, parent.job).plan(parent.job)
    waiting = theirs.awaiting(plan.job, stage)
    return [parent.job for one in waiting if release(spool, theirs, one, parent.name, parent.key)]
