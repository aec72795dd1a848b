"""The till of a stage: asked before each item whether the day's budget allows one more, told of each cost at once.

A budget stops work before the next item, so it is exceeded by what the items already running still cost: at most
`concurrency` of them in each process. A till that cannot be read, or that could not write down a cost, stops the
process: what was spent must be known.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rivus.errors import RivusError
from rivus.limits import Postponed
from rivus.limits.groupcommit import GroupCommit
from rivus.limits.spending import Overdrawn, Spending, has_budget, overdrawn
from rivus.model.money import Spent, day_of, put_off_until
from rivus.spool.layout import Spool
from rivus.talk import say

if TYPE_CHECKING:
    from rivus.config.schema import Job


class Till:
    """One stage of one job. Where the job has no budget, asking touches no file; nor does a stage that costs
    nothing."""

    def __init__(self, spool: Spool, job: Job, stage: str) -> None:
        self._job, self._stage = job, stage
        self._spending = Spending(spool)
        self._together = GroupCommit(self._write)
        self._limited = has_budget(job, stage)
        self._fault: Exception | None = None
        self._told = False

    def closed(self) -> Postponed | None:
        """Why nothing more may start today, None if something may. Raises BadConfig, TryAgain, OSError."""
        if self._fault:
            raise self._fault
        now = time.time()
        found = self.overdrawn(now) if self._limited else None
        if found is None:
            return None
        why = f"over budget: {found.said} ({found.field})"
        if not self._told:
            self._told = True
            say(f"{self._job.name}:{self._stage}: {why}; nothing starts before the next day (UTC)")
        return Postponed(put_off_until(now), why)

    def overdrawn(self, now: float) -> Overdrawn | None:
        """The first budget of that day that is used up. Raises BadConfig, TryAgain, OSError."""
        today = self._spending.today(self._job.name, day_of(now))
        return next(overdrawn(self._job, self._stage, today), None)

    def charge(self, cost: Spent) -> None:
        """Writes a cost down; it is durable then. A failure does not void the result that was paid for: it stops what
        comes next."""
        try:
            self._together.add(cost)
        except (RivusError, OSError) as error:
            self._fault = error

    def _write(self, costs: Sequence[Spent]) -> None:
        self._spending.add(self._job.name, self._stage, sum(costs, Spent()), day_of(time.time()))


def is_open(spool: Spool, job: Job, stage: str, now: float) -> bool:
    """Whether the day's budget allows one more; False if that cannot be known."""
    if not has_budget(job, stage):
        return True
    try:
        return Till(spool, job, stage).overdrawn(now) is None
    except (RivusError, OSError):
        return False
