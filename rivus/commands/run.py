"""rivus-run: discovers and runs every stage in one process, until nothing can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rivus.commands.duration import DURATION
from rivus.commands.frame import FAULTS, OK, House, house, run, version

if TYPE_CHECKING:
    from rivus.config.schema import Job
    from rivus.work.crew import Crew

EXIT_CODES = OK | FAULTS


@click.command("rivus-run")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("--limit", "most", type=click.IntRange(1), metavar="N", help="Find at most N new items of each job.")
@click.option("--linger", type=DURATION, default="30s", metavar="TIME", help="Wait for items due within TIME (30s).")
@click.option("--record", is_flag=True, help="Keep what the network says, for rivus-replay --offline.")
@click.option("--from-prod", "cloned", type=click.IntRange(1), metavar="N", help="--test: run N items of production.")
@click.option("--from-stage", "begin", metavar="STAGE", help="--from-prod: begin there, on production's results.")
@version
@house
def command(
    house: House, jobs: tuple[str, ...], most: int | None, linger: float, record: bool, cloned: int | None,
    begin: str | None,
) -> int:  # fmt: skip
    """Looks at the source of each JOB (default: all), runs all its stages until nothing can run, and prints each
    item that a stage ends. For cron, for tests and for the first look. With --test --from-prod N it does not look, but
    copies the newest N items of each JOB from production, runs these, and prints how each result compares."""
    if begin is not None and cloned is None:
        raise click.UsageError("--from-stage goes with --from-prod")
    if cloned is not None and most is not None:
        raise click.UsageError("--limit is for discovery, which --from-prod leaves out")
    if cloned is not None:
        from rivus.commands.trial import trial

        return trial(house, jobs, cloned, begin, linger, record) or house.broken
    return _run(house, house.named(jobs), most, linger, record)


def _run(house: House, chosen: list[Job], most: int | None, linger: float, record: bool) -> int:
    from rivus.commands.crews import work
    from rivus.errors import RivusError
    from rivus.spool.owners import Owner
    from rivus.talk import say
    from rivus.work.discover import Discovery
    from rivus.work.run import StageRun

    spool = house.spool()
    codes: list[int] = []

    def discover(crew: Crew) -> None:
        for job in (one for one in chosen if one.discover):
            try:
                found = Discovery(spool, job, crew.owner, crew.limits, lambda line: None, most, stop=crew.stopped).run()
                say(f"{job.name}: {found} new items", 1)
            except RivusError as error:
                say(str(error))
                codes.append(error.exit_code)

    def man(crew: Crew) -> None:
        crew.record = record
        for job in chosen:
            for stage in job.stages.values():
                StageRun(crew, job, stage)

    with Owner(spool) as owner:
        code = work(spool, owner, chosen, linger, None, man, before=discover)
    return code or house.broken or next(iter(codes), 0)


def main() -> None:
    run(command)
