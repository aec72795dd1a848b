"""What was spent, from the accounts of the days: added up by job, stage or day, and beside the budgets of today."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rivus.errors import BadConfig
from rivus.limits.spending import Spending, unknown_allowed
from rivus.model.money import Spent, day_of
from rivus.model.outcome import Json
from rivus.spool.layout import Spool

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.config.schema import Budget

PARTS = ("usd", "calls", "tokens", "unknown", "items")


@dataclass(frozen=True, slots=True)
class Account:
    """One stage of one job on one day."""

    job: str
    stage: str
    day: str
    spent: Spent

    def name(self, by: str) -> str:
        """What it is added up under."""
        return {"job": self.job, "stage": f"{self.job}:{self.stage}", "day": self.day}[by]


def accounts(spool: Spool, jobs: Sequence[str], since: str) -> tuple[list[Account], list[str]]:
    """The accounts of these jobs (of all, for none) from the day `since` (YYYY-MM-DD, UTC) on, and what is wrong with
    those that cannot be read. Changes nothing."""
    spending, found, wrong = Spending(spool), [], []
    for job in jobs or spending.jobs():
        for day in spending.days(job):
            if day < since:
                continue
            try:
                stages = spending.read(job, day) or {}
            except BadConfig as error:
                wrong.append(str(error))
                continue
            found += [Account(job, stage, day, spent) for stage, spent in sorted(stages.items())]
    return found, wrong


def summed(rows: Sequence[Account], by: str) -> Iterator[Json]:
    """One object for each job, stage (JOB:STAGE) or day, in order: its name under `by`, usd, calls, tokens, unknown (of
    the calls), items (tries that cost something)."""
    sums: dict[str, Spent] = {}
    for row in rows:
        sums[row.name(by)] = sums.get(row.name(by), Spent()) + row.spent
    for name, spent in sorted(sums.items()):
        yield {by: name} | {part: getattr(spent, part) for part in PARTS}


def budgets(spool: Spool, jobs: Jobs, asked: Sequence[str]) -> Iterator[Json]:
    """One object for each budget of these jobs (of all, for none): `budget` (JOB or JOB:STAGE), what it allows in a
    day (`usd`, `calls`, `max_unknown`), and what was spent today and this month. What cannot be read is left out."""
    today = day_of(time.time())
    for name, job in sorted(jobs.jobs.items()):
        if asked and name not in asked:
            continue
        rows, _ = accounts(spool, [name], f"{today[:8]}01")
        for stage, one in job.stages.items():
            if one.budget:
                mine = [row for row in rows if row.stage == stage]
                yield {"budget": f"{name}:{stage}", **_allowed(one.budget), **_spent(mine, today)}
        most = unknown_allowed(job)
        if job.budget or most is not None:
            allowed = _allowed(job.budget) | ({} if most is None else {"max_unknown": most})
            yield {"budget": name, **allowed, **_spent(rows, today)}


def _allowed(budget: Budget | None) -> Json:
    parts = {"usd": budget.usd, "calls": budget.calls} if budget else {}
    return {name: most for name, most in parts.items() if most is not None}


def _spent(rows: Sequence[Account], today: str) -> Json:
    of_today = sum((row.spent for row in rows if row.day == today), Spent())
    return {"today": _parts(of_today), "month": _parts(sum((row.spent for row in rows), Spent()))}


def _parts(spent: Spent) -> Json:
    return {part: getattr(spent, part) for part in PARTS}
