"""rivus-sweep: the one reconcile, which a timer runs every minute."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.spool.layout import Spool

EXIT_CODES = OK | FAULTS


@click.command("rivus-sweep")
@click.option("--json", "as_json", is_flag=True, help="Print what was mended as one JSON object.")
@version
@house
def command(house: House, as_json: bool) -> int:
    """Recovers what dead workers held, wakes what is due, completes what was half published, releases what has its
    needs done, removes what dead processes left, and keeps the index in step. Runs no handler; safe at any time."""
    from rivus.spool.owners import Owner
    from rivus.talk import say
    from rivus.work.sweep import sweep

    jobs = house.jobs()
    spool = house.spool()
    with Owner(spool) as owner:
        counts = sweep(spool, jobs.jobs, owner)
    if as_json:
        click.echo(json.dumps(counts))
    else:
        mended = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        say(f"sweep: {mended or 'nothing to mend'}", 1)
    return _index(house, spool, jobs) or house.broken


def _index(house: House, spool: Spool, jobs: Jobs) -> int:
    """Brings the index up to date if it is behind. 0, or the exit code of what kept it from that; the spool is mended
    all the same."""
    import time

    from rivus.errors import RivusError
    from rivus.index.fresh import is_fresh, wanted
    from rivus.talk import say

    if not wanted(spool) or is_fresh(spool, house.jobs_folder, time.time()):
        return 0
    from rivus.index.update import update, writing

    try:
        with writing(spool, wait=None) as mine:
            if mine:
                update(spool, jobs, patient=True)
    except (RivusError, OSError) as error:
        say(f"index: {error}")
        return getattr(error, "exit_code", 1)
    return 0


def main() -> None:
    run(command)
