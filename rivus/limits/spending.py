"""What the stages of each job have cost, day by day (UTC), and whether that uses up a budget.

`_spent/JOB/DAY.json`: {"stages": {"score": {"usd": 0.42, "calls": 12, "tokens": 9000, "unknown": 0, "items": 12,
"last": "2026-01-31T09:30:00.123Z"}}}. A cost is added, durably and under the folder's `state.lock`, while its try still
runs; so what a killed worker paid is counted too. A file that is not what was written raises: the budget is closed. A
day without a file begins with what the journal knows of it, so that removing the file gives no new budget.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.errors import BadConfig
from rivus.limits.state import changing, make_folder, replace
from rivus.model.item import NAME
from rivus.model.money import Spent, spent_of, total
from rivus.spool.layout import Spool, names
from rivus.spool.reader import Unreadable, read_document
from rivus.spool.recount import recount

if TYPE_CHECKING:
    from rivus.config.schema import Budget, Job

Stages = dict[str, Spent]
UNKNOWN = 20
"""Calls of unknown cost that stop a job whose budget in USD nothing else would hold."""
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)\.json")


@dataclass(frozen=True, slots=True)
class Overdrawn:
    """A budget that is used up. field: where it stands in the job's file. said: how much of it."""

    field: str
    said: str
    since: str


class Spending:
    """The accounts of a spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._root = Path(spool.root) / "_spent"

    def today(self, job: str, day: str) -> Stages:
        """What each stage has cost on this day; the file is made if it is not there. Raises BadConfig, TryAgain,
        OSError."""
        found = self.read(job, day)
        if found is not None:
            return found
        with changing(self._folder(job)):
            return self._begun(job, day)

    def add(self, job: str, stage: str, cost: Spent, day: str) -> None:
        """Counts a cost, durably. Raises BadConfig, TryAgain, OSError."""
        with changing(self._folder(job)):
            stages = self._begun(job, day)
            stages[stage] = stages.get(stage, Spent()) + cost
            self._write(job, day, stages)

    def rebuild(self, job: str, since: str) -> int:
        """Counts the days from `since` on anew, from the journal and the tickets. What a file knows already is never
        made less: a killed worker has told nobody else what it paid. Gives how many days were written."""
        counted = recount(self._spool, job, since, tickets=True)  # may take minutes: nobody else waits for it
        with changing(self._folder(job)):
            for day in {*counted, *(day for day in self.days(job) if day >= since)}:
                stages = counted.get(day, {})
                for stage, known in self._lenient(job, day).items():
                    stages[stage] = stages.get(stage, Spent()).at_least(known)
                self._write(job, day, stages)
                counted[day] = stages
        return len(counted)

    def read(self, job: str, day: str) -> Stages | None:
        """The same as `today`, None if there is no file. Changes nothing. Raises BadConfig."""
        path = self._path(job, day)
        try:
            stages = read_document(str(path))["stages"]
            return {str(name): spent_of(amount) for name, amount in stages.items()}
        except FileNotFoundError:
            return None
        except (Unreadable, KeyError, TypeError, ValueError, AttributeError) as error:
            again = f"rivus-cost {job} --rebuild --since {day}"
            raise BadConfig(f"{path} cannot be read ({error}); the budgets stay closed until: {again}") from None

    def jobs(self) -> list[str]:
        """The jobs that have cost something."""
        return sorted(name for name in names(str(self._root)) if NAME.fullmatch(name))

    def days(self, job: str) -> list[str]:
        """The days of which there is a file, in order."""
        return sorted(found[1] for name in names(str(self._root / job)) if (found := _DAY.fullmatch(name)))

    def _begun(self, job: str, day: str) -> Stages:
        """Under the lock: what is in the file; without one, what the journal knows."""
        stages = self.read(job, day)
        if stages is None:
            stages = recount(self._spool, job, day).get(day, {})
            self._write(job, day, stages)
        return stages

    def _lenient(self, job: str, day: str) -> Stages:
        try:
            return self.read(job, day) or {}
        except BadConfig:
            return {}

    def _folder(self, job: str) -> Path:
        folder = self._root / job
        if not os.path.isdir(folder):
            make_folder(folder)
        return folder

    def _path(self, job: str, day: str) -> Path:
        return self._root / job / f"{day}.json"

    def _write(self, job: str, day: str, stages: Mapping[str, Spent]) -> None:
        document = {"stages": {name: amount.to_json() for name, amount in stages.items()}}
        replace(self._path(job, day), json.dumps(document).encode())


def has_budget(job: Job, stage: str) -> bool:
    """Whether anything that is spent can stop this stage."""
    return job.stages[stage].budget is not None or job.budget is not None or unknown_allowed(job) is not None


def unknown_allowed(job: Job) -> int | None:
    """How many calls of unknown cost stop the job in a day; None: no number does."""
    if job.max_unknown is not None:
        return job.max_unknown
    budgets = [job.budget, *(stage.budget for stage in job.stages.values())]
    return UNKNOWN if any(one and one.usd is not None and one.calls is None for one in budgets) else None


def overdrawn(job: Job, stage: str, stages: Mapping[str, Spent]) -> Iterator[Overdrawn]:
    """The budgets that keep this stage from starting anything, given what the stages have cost today."""
    mine, whole = stages.get(stage, Spent()), total(dict(stages))
    yield from _used_up(job.stages[stage].budget, mine, f"stages.{stage}.budget")
    yield from _used_up(job.budget, whole, "budget")
    most = unknown_allowed(job)
    if most is not None and whole.unknown >= most:
        yield Overdrawn("max_unknown", f"{whole.unknown} calls of unknown cost of {most} today", whole.last)


def _used_up(budget: Budget | None, spent: Spent, field: str) -> Iterator[Overdrawn]:
    if budget is None:
        return
    if budget.usd is not None and spent.usd >= budget.usd:
        yield Overdrawn(f"{field}.usd", f"{spent.usd:.4f} of {budget.usd:g} USD spent today", spent.last)
    if budget.calls is not None and spent.calls >= budget.calls:
        yield Overdrawn(f"{field}.calls", f"{spent.calls} of {budget.calls} calls made today", spent.last)
