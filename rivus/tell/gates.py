"""What keeps every item of a job, or every item of a source: the gates between a ticket and its worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.config.problem import did_you_mean
from rivus.errors import BadConfig
from rivus.limits.spending import has_budget, overdrawn
from rivus.model.money import next_day, put_off_until
from rivus.model.reason import Kind, Reason
from rivus.model.times import utc
from rivus.tell.evidence import Evidence, processes

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.config.schema import Job
    from rivus.limits import LimitStatus

SAME_TIME = 0.002
"""Seconds by which times of files may differ from what was set."""


def whole_job(evidence: Evidence, name: str) -> Iterator[Reason]:
    """What keeps every item of a job."""
    job = evidence.jobs.jobs.get(name)
    if job is None:
        yield _broken(evidence.jobs, name)
    elif not job.enabled:
        yield Reason("", Kind.DISABLED, f"the job {name} is disabled", override=f"rivus-run {name}")
    if pause := evidence.paused(name):
        what = f"the job {name} is paused"
        said = f"{pause.get('why')} (by {pause.get('by', 'somebody')}, since {pause.get('since', 'some time')})"
        yield Reason("", Kind.PAUSED, what, why=said, override=f"rivus-limit unpause {name}")


def _broken(jobs: Jobs, name: str) -> Reason:
    problems = [str(problem) for problem in jobs.problems if Path(problem.file).stem == name]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    said = f"{problems[0]}{more}" if problems else f"there is no file for it{did_you_mean(name, jobs.jobs)}"
    return Reason("", Kind.BROKEN, f"the job {name} has no sound file", why=said, override="rivus-check")


def parked(evidence: Evidence, job: Job | None, stage: str) -> Reason | None:
    """The rest of the source that the stage draws on, if there is one."""
    limit = _limit(evidence, job, stage)
    if limit is None or limit.parked is None:
        return None
    rest = limit.parked
    said = f"{rest.why} (by {rest.by}, since {utc(rest.since)})"
    what, resume = f"the source {limit.name} is parked", f"rivus-limit resume {limit.name}"
    detail = f"rest {rest.trips} in a row" if rest.trips > 1 else ""
    return Reason(stage, Kind.PARKED, what, detail, said, rest.until, resume)


def over_budget(evidence: Evidence, job: Job | None, stage: str) -> Iterator[Reason]:
    """The budgets of the day that keep the stage from starting anything."""
    if job is None or not has_budget(job, stage):
        return
    until = next_day(evidence.now)
    try:
        found = list(overdrawn(job, stage, evidence.today(job.name)))
    except BadConfig as error:
        mend = f"rivus-cost {job.name} --rebuild"
        yield Reason(stage, Kind.BUDGET, "what was spent today cannot be read", why=str(error), override=mend)
        return
    for one in found:
        what, said = f"over budget ({one.field})", f"{one.said}{', since ' * bool(one.since)}{one.since}"
        more = f"raise {one.field} in {job.folder / job.file.name}"
        yield Reason(stage, Kind.BUDGET, what, why=said, until=until, override=more)


def next_budget(evidence: Evidence, job: Job | None, stage: str, due: float) -> list[Reason]:
    """Why a ticket waits until `due`, if it is tomorrow's budget that it waits for; else []."""
    if abs(due - put_off_until(evidence.now)) >= SAME_TIME:
        return []
    what = "today's budget has room again, and nobody has woken it yet"
    return [*over_budget(evidence, job, stage)] or [Reason(stage, Kind.OVERDUE, what, override="rivus-sweep")]


def probed(evidence: Evidence, job: Job | None, stage: str) -> Reason | None:
    """That the source has rested and one item alone tries it just now."""
    limit = _limit(evidence, job, stage)
    if limit is None or limit.half_open is None or not limit.probers:
        return None
    what, resume = f"the source {limit.name} has rested and is tried with one item", f"rivus-limit resume {limit.name}"
    by = f"by {processes([*limit.probers])}"
    return Reason(stage, Kind.PROBED, what, by, f"it rested because of {limit.half_open.why}", override=resume)


def closed(evidence: Evidence, job: Job | None, stage: str) -> Iterator[Reason]:
    """What keeps a ticket of the stage that is ready: in the order in which a worker meets it."""
    yield from over_budget(evidence, job, stage)
    limit = _limit(evidence, job, stage)
    if job is None or limit is None:
        return
    if limit.broken:
        what, mend = f"the state of the limit {limit.name} cannot be read", f"rivus-limit reset {limit.name}"
        yield Reason(stage, Kind.LIMIT, what, why="; ".join(limit.broken), override=mend)
    if rest := parked(evidence, job, stage):
        yield rest
    if probe := probed(evidence, job, stage):
        yield probe
    file = job.folder / "limits.yaml"
    pids = [pids for slot, pids in limit.held.items() if int(slot.removeprefix("slot.")) < (limit.slots or 0)]
    if limit.slots and len(pids) >= limit.slots:
        what, more = f"all {limit.slots} slots of {limit.name} are taken", f"raise {limit.name}.slots in {file}"
        yield Reason(
            stage, Kind.FULL, what, f"by {processes([*{one: None for some in pids for one in some}])}", override=more
        )
    if token := no_token(evidence, job, stage, evidence.now):
        yield token


def no_token(evidence: Evidence, job: Job | None, stage: str, due: float) -> Reason | None:
    """That there is no token now, if that can be why a ticket waits until `due`: no token takes longer to come."""
    limit = _limit(evidence, job, stage)
    if job is None or limit is None or limit.rate is None or limit.tokens is None or limit.tokens >= 1:
        return None
    until = evidence.now + (1 - limit.tokens) / limit.rate.per_second
    if due > evidence.now + 1 / limit.rate.per_second:
        return None
    what, more = f"no token of {limit.name} ({limit.rate})", f"raise {limit.name}.rate in {job.folder / 'limits.yaml'}"
    return Reason(stage, Kind.NO_TOKEN, what, until=max(until, due), override=more)


def _limit(evidence: Evidence, job: Job | None, stage: str) -> LimitStatus | None:
    name = job.stages[stage].limit if job else None
    return evidence.limit(name) if name else None
