"""rivus-stage: runs what is ready, or exactly the items asked for, until nothing is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

import click

from rivus.commands.duration import DURATION
from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.commands.items import Asked, Lines, asked_for, stdin_lines
from rivus.errors import BadConfig
from rivus.spool.layout import may_run
from rivus.talk import say

if TYPE_CHECKING:
    from rivus.config.schema import Job
    from rivus.spool.layout import Spool
    from rivus.work.crew import Crew

EXIT_CODES = OK | FAULTS
BROKEN_FOR = 300.0
"""Seconds for which the tickets of a stage rest whose job cannot be read."""


@click.command("rivus-stage")
@click.argument("stage", metavar="[JOB:]STAGE")
@click.argument("addresses", nargs=-1, metavar="[JOB/KEY]...")
@click.option("--no-stdin", is_flag=True, help="Leave standard input alone (cron leaves an empty pipe there).")
@click.option("--limit", "most", type=click.IntRange(1), metavar="N", help="Start at most N items.")
@click.option("--for", "seconds", type=DURATION, default=inf, metavar="TIME", help="Start nothing after TIME.")
@click.option("--linger", type=DURATION, default="30s", metavar="TIME", help="Wait for items due within TIME (30s).")
@click.option("--record", is_flag=True, help="Keep what the network says, for rivus-replay --offline.")
@click.option("--dry-run", is_flag=True, help="Print what would run; run nothing.")
@version
@house
def command(
    house: House, stage: str, addresses: tuple[str, ...], no_stdin: bool, most: int | None, seconds: float,
    linger: float, record: bool, dry_run: bool,
) -> int:  # fmt: skip
    """Runs STAGE on what is ready in every job that has it (or only in JOB), or on exactly the items on standard
    input (JSON Lines) or in the arguments, until nothing is left. Prints each item that ends."""
    job, colon, name = stage.rpartition(":")
    lines = None if addresses else stdin_lines(no_stdin)
    asked = asked_for(addresses, lines, job or None)
    spool = house.spool()
    jobs = {found.name: found for found in house.named([job] if colon else []) if name in found.stages}
    if not jobs and not house.broken:
        raise BadConfig(f"{job} has no stage {name!r}" if colon else f"no job has a stage {name!r}")
    if dry_run:
        return _preview(spool, jobs, name, asked, most)
    if house.broken and colon:
        return _shelve(spool, job, name) or house.broken
    if asked is None and not any(_may_run(spool, one, name, linger) for one in jobs.values()):
        return house.broken
    code = _work(spool, jobs, name, linger, most, seconds, asked, lines, record)
    return code or house.broken or (65 if lines and lines.bad else 0)


def _may_run(spool: Spool, job: Job, stage: str, within: float) -> bool:
    """Whether there is anything to do within so many seconds, or may be once the tickets follow a changed plan."""
    from rivus.spool.planned import is_behind

    return may_run(spool, job.name, stage, within) or is_behind(spool, job.plan)


def _work(
    spool: Spool, jobs: dict[str, Job], stage: str, linger: float, most: int | None, seconds: float,
    asked: Iterator[Asked] | None, lines: Lines | None, record: bool,
) -> int:  # fmt: skip
    from rivus.commands.asking import Route
    from rivus.commands.crews import work
    from rivus.spool.owners import Owner
    from rivus.work.asked import AskedRun
    from rivus.work.run import StageRun

    def man(crew: Crew) -> None:
        crew.record = record
        route = Route(crew, jobs, asked, lines) if asked is not None else None
        for one in jobs.values():
            if route:
                AskedRun(crew, one, one.stages[stage], route.names(one.name))
            else:
                StageRun(crew, one, one.stages[stage])
        if route:
            route.start()

    with Owner(spool) as owner:
        return work(spool, owner, jobs.values(), linger, most, man, again=asked is None, seconds=seconds)


def _shelve(spool: Spool, job: str, stage: str) -> int:
    """Puts off what is ready in a stage whose job cannot be read, so that nothing starts it in a circle."""
    from rivus.spool.owners import Owner
    from rivus.spool.recover import put_off

    with Owner(spool) as owner:
        if count := put_off(spool, job, stage, owner, time.time() + BROKEN_FOR):
            say(f"{job}:{stage}: {count} items put off for {BROKEN_FOR:g} s, because the job cannot be read")
    return 0


def _preview(spool: Spool, jobs: dict[str, Job], stage: str, asked: Iterator[Asked] | None, most: int | None) -> int:
    """Prints what would be run, as JSON Lines: what is ready, or where the items are that were asked for."""
    from rivus.commands.frame import Printer
    from rivus.tell.look import asked_now, ready_now

    print_line = Printer(lambda: None)
    lines = ready_now(spool, jobs, stage) if asked is None else asked_now(spool, jobs, stage, asked)
    for line in islice(lines, most):
        print_line(line)
    return 0


def main() -> None:
    run(command)
