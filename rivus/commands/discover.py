"""rivus-discover: finds new items, publishes them, prints them."""

from __future__ import annotations

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
@version
@house
def command(house: House, jobs: tuple[str, ...], most: int | None, dry_run: bool) -> int:
    """Looks at the source of each JOB (default: all), publishes what is new and prints it as JSON Lines."""
    from rivus.limits import Limits
    from rivus.spool.owners import Owner
    from rivus.work.discover import Discovery

    spool = house.spool()
    stopped: list[bool] = []
    interrupted = on_signal(lambda: stopped.append(True))
    printer = Printer(lambda: stopped.append(True))
    code = 0
    with Owner(spool) as owner:
        for job in house.named(jobs):
            try:
                limits = Limits(Path(spool.limits), job.limits)
                Discovery(spool, job, owner, limits, printer, most, dry_run, lambda: bool(stopped)).run()
            except RivusError as error:
                say(str(error))
                code = code or error.exit_code
    return 130 if interrupted() else code or house.broken


def main() -> None:
    run(command)
