"""rivus-sweep: the one reconcile, which a timer runs every minute."""

from __future__ import annotations

import json

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version

EXIT_CODES = OK | FAULTS


@click.command("rivus-sweep")
@click.option("--json", "as_json", is_flag=True, help="Print what was mended as one JSON object.")
@version
@house
def command(house: House, as_json: bool) -> int:
    """Recovers what dead workers held, wakes what is due, completes what was half published, releases what has its
    needs done, and removes what dead processes left. Runs no handler; safe at any time."""
    from rivus.spool.owners import Owner
    from rivus.talk import say
    from rivus.work.sweep import sweep

    jobs = house.jobs().jobs
    spool = house.spool()
    with Owner(spool) as owner:
        counts = sweep(spool, jobs, owner)
    if as_json:
        click.echo(json.dumps(counts))
    else:
        mended = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        say(f"sweep: {mended or 'nothing to mend'}", 1)
    return house.broken


def main() -> None:
    run(command)
