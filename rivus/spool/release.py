"""Move r: a ticket whose needs are all done goes from `wait` to `ready`.

Move first, then look: the finisher's receipt is in `done` before it looks here, so of two finishers at least the
later one sees all needs done; when both do, one rename wins. Nothing is ever created in `ready` for it.
"""

from __future__ import annotations

from rivus.model.plan import Plan
from rivus.model.states import RELEASE, Box
from rivus.spool import atomic
from rivus.spool.journal import record
from rivus.spool.layout import Spool


def release(spool: Spool, plan: Plan, stage: str, name: str, key: str) -> bool:
    """Releases one ticket if its needs are done."""
    if not spool.ended(plan.job, plan.needs[stage], name):
        return False
    source = spool.ticket(plan.job, stage, Box.WAIT, name)
    moved = atomic.rename(source, spool.ticket(plan.job, stage, Box.READY, name))
    if moved:
        record(spool, RELEASE, plan.job, stage, key)
    return moved
