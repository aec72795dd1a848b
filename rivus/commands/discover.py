"""rivus-discover: finds new items, publishes them, prints them."""

from __future__ import annotations

import time
from pathlib import Path

import click

from rivus.commands.frame import FAULTS, OK, House, Printer, house, on_signal, run, version
from rivus.errors import RivusError
from rivus.talk import say

EXIT_CODES = OK | FAULTS


@click.command("rivus-discover")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("--limit", "most", type=click.IntRange(1), metavar="N", help="Publish at most N new items of each job.")
@click.option("--dry-run", is_flag=True, help="Print what would be new; publish nothing.")
@click.option("--since", metavar="WHEN", help="Back-fill from this date, moment or duration ago (90d) on.")
@click.option("--until", metavar="WHEN", help="Back-fill up to this date, moment or duration ago. [default: now]")
@version
@house
def command(
    house: House, jobs: tuple[str, ...], most: int | None, dry_run: bool, since: str | None, until: str | None
) -> int:
    """Looks at the source of each JOB (default: all), publishes what is new and prints it as JSON Lines."""
    from rivus.limits import Limits
    from rivus.spool.owners import Owner
    from rivus.work.backfill import BackFill
    from rivus.work.discover import Discovery
    from rivus.work.span import request

    if (until is not None and since is None) or (since is not None and not jobs):
        raise click.UsageError("--until needs --since, and --since the JOBs that it is about")
    try:
        asked = request(since, until, time.time()) if since is not None else None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    spool = house.spool()
    stopped: list[bool] = []
    interrupted = on_signal(lambda: stopped.append(True))
    printer = Printer(lambda: stopped.append(True))
    code = 0
    with Owner(spool) as owner:
        for job in house.named(jobs):
            try:
                limits = Limits(Path(spool.limits), job.limits)
                look = Discovery(spool, job, owner, limits, printer, most, dry_run, lambda: bool(stopped))
                (BackFill(look, asked) if asked else look).run()
            except RivusError as error:
                say(str(error))
                code = code or error.exit_code
    return 130 if interrupted() else code or house.broken


def main() -> None:
    run(command)
