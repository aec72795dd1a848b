"""The one reconcile: whatever a crash, a reboot or a person's `mv` has left, running this mends it.

Safe at any time, beside running workers and beside itself; it runs no handler.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.errors import RivusError
from rivus.model.decide import FOREVER
from rivus.model.money import put_off_until
from rivus.model.states import Box
from rivus.spool.backfill import follow_plan
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.pause import paused
from rivus.spool.publish import complete, settle_left
from rivus.spool.reader import Unreadable
from rivus.spool.recover import INTERRUPTIONS, bury, recover, release_all, wake, wake_parked
from rivus.spool.rejected import reject

if TYPE_CHECKING:
    from rivus.config.schema import Job


def sweep(spool: Spool, jobs: Mapping[str, Job], me: Owner) -> dict[str, int]:
    """Settles what was half archived, recovers the claims of dead owners, wakes what is due or waits for a rest that
    is over, completes what was half published, adds the tickets of new stages, releases what has its needs done, and
    buries dead owners. jobs: those whose configuration is sound. Gives a count of each."""
    counts = {"recovered": 0, "woken": 0, "completed": 0, "added": 0, "released": 0, "buried": 0}
    for name in spool.jobs():
        job = jobs.get(name)
        settle_left(spool, name)
        for stage in spool.stages(name):
            known = job is not None and stage in job.stages
            plan = job.plan if job and known else None
            limit = job.stages[stage].interruptions if job and known else INTERRUPTIONS
            counts["recovered"] += recover(spool, name, stage, me, plan, limit)
            if not paused(spool, name):
                counts["woken"] += wake(spool, name, stage, time.time())[0]
                if job and known and any(names(spool.box(name, stage, Box.LATER))):
                    counts["woken"] += _wake_rested(spool, job, stage)
        if job:
            spool.prepare(job.plan)
            counts["added"] += follow_plan(spool, job.plan, me) or 0
            counts["completed"] += _complete(spool, job, me)
            counts["released"] += release_all(spool, job.plan)
    counts["buried"] = bury(spool, me)
    return counts


def _wake_rested(spool: Spool, job: Job, stage: str) -> int:
    """Wakes what waits for the end of a rest, or for tomorrow's budget, that does not keep it any more."""
    from rivus.work.budget import is_open

    until, now = [] if _parked(spool, job, stage) else [FOREVER], time.time()
    until += [put_off_until(now)] if is_open(spool, job, stage, now) else []
    return wake_parked(spool, job.name, stage, *until) if until else 0


def _parked(spool: Spool, job: Job, stage: str) -> bool:
    limit = job.stages[stage].limit
    if limit is None:
        return False
    from rivus.limits import Limits

    try:
        return Limits(Path(spool.limits), job.limits).parked(limit, time.time()) is not None
    except RivusError:
        return True


def _complete(spool: Spool, job: Job, me: Owner) -> int:
    count = 0
    for stage in job.stages:
        for name in list(names(wait := spool.box(job.name, stage, Box.WAIT))):
            try:
                count += complete(spool, job.plan, stage, name, me)
            except FileNotFoundError:
                continue
            except (Unreadable, ValueError, KeyError) as error:
                reject(spool, job.name, stage, f"{wait}/{name}", str(error))
    return count
