"""What rivus-run --from-prod does: production's items run again in the test spool, and are compared with production."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from rivus.commands.crews import work
from rivus.commands.frame import House, Printer
from rivus.talk import plain, say

if TYPE_CHECKING:
    from rivus.config.schema import Job
    from rivus.spool.layout import Spool
    from rivus.spool.owners import Owner
    from rivus.work.crew import Crew

Cast = list[tuple["Job", dict[str, tuple[str, ...]]]]
"""For each job its items, by the names of their files, and the stages that are to run."""


def trial(house: House, named: Sequence[str], most: int, begin: str | None, linger: float, record: bool) -> int:
    """Clones `most` items of each job, runs exactly these and their children, in other jobs too if a stage awaits them
    there, prints a line for each item and stage that says how it compares, and sums up on stderr. begin: the stage to
    begin with; if no job is named, it is done for those that have it. Gives the exit code."""
    from rivus.spool.owners import Owner
    from rivus.spool.strangers import Strangers
    from rivus.work.run import StageRun

    if not house.test:
        raise click.UsageError("--from-prod goes with --test: it would run production's items again in production")
    jobs = _chosen(house, named, begin)
    test, production = house.spool(), replace(house, test=False).spool(look=True)
    staff = _with_awaited(house, jobs)
    cast: Cast = []

    def man(crew: Crew) -> None:
        crew.record = record
        wanted = {job.name: items for job, items in cast}
        for job in staff:
            others = Strangers(test, job.name, wanted)
            for stage in job.stages.values():
                StageRun(crew, job, stage, others)

    with Owner(test) as owner:
        cast += [(job, _clone(production, test, job, most, begin, owner)) for job in jobs]
        told = lambda printer: _tell(printer, test, production, cast)  # noqa: E731
        return work(test, owner, staff, linger, None, man, again=False, after=told)


def _chosen(house: House, named: Sequence[str], begin: str | None) -> list[Job]:
    jobs = house.named(named)
    if begin is None:
        return jobs
    have = [job for job in jobs if begin in job.stages]
    if named and len(have) < len(jobs):
        without = next(job.name for job in jobs if job not in have)
        raise click.UsageError(f"{without} has no stage {begin!r}")
    if jobs and not have:
        raise click.UsageError(f"no job has a stage {begin!r}")
    return have


def _with_awaited(house: House, jobs: list[Job]) -> list[Job]:
    """These jobs, and those whose stages they await of the children of their items."""
    every = list(jobs)
    for job in every:  # it grows: what is awaited may await
        known = {one.name for one in every}
        awaited = {name for pairs in job.plan.children.values() for name, _ in pairs}
        every += house.named(sorted(awaited - known)) if awaited - known else []
    return every


def _clone(
    production: Spool, test: Spool, job: Job, most: int, begin: str | None, owner: Owner
) -> dict[str, tuple[str, ...]]:
    from rivus.spool.clone import clone
    from rivus.spool.recover import recover

    test.prepare(job.plan)
    for stage in job.stages.values():  # what a killed test held is not running
        recover(test, job.name, stage.name, owner, job.plan, stage.interruptions)
    items = clone(production, test, job.plan, most, begin, owner)
    if len(items) < most:
        say(f"{job.name}: {len(items)} items cloned; production has no more that are done or have failed")
    return items


def _tell(printer: Printer, test: Spool, production: Spool, cast: Cast) -> None:
    from rivus.tell.comparison import compared, summary

    lines = []
    for job, items in cast:
        for name, stages in items.items():
            lines += list(compared(test, production, job.name, stages, name))
    for line in lines:
        printer(line)
    for text in summary(lines):
        say(plain(text))
