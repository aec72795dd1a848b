"""rivus-prune: what is not to be kept any longer."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from rivus.commands.frame import FAULTS, OK, House, house, on_signal, run, version
from rivus.talk import plain, say

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.spool.layout import Spool

EXIT_CODES = OK | FAULTS


@click.command("rivus-prune")
@click.argument("only", nargs=-1, metavar="[JOB]...")
@click.option("--dry-run", is_flag=True, help="Print what would go; change nothing.")
@click.option("--restore", multiple=True, metavar="JOB/KEY", help="Put this item back instead; may be given often.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@version
@house
def command(house: House, only: tuple[str, ...], dry_run: bool, restore: tuple[str, ...], as_json: bool) -> int:
    """Archives items, and removes large files and days of the journal, that are older than the `keep` of their job
    says. An archived item is still known, and --restore puts it back."""
    if restore and (only or dry_run):
        raise click.UsageError("--restore stands alone")
    if restore:
        return _restore(house, restore)
    jobs = house.jobs()
    spool = house.spool(look=dry_run)
    chosen = house.named(only) if only else list(jobs.jobs.values())
    rows = _due if dry_run else _prune
    return rows(spool, jobs, [job.name for job in chosen], not only, as_json) or house.broken


def _prune(spool: Spool, jobs: Jobs, chosen: list[str], journal: bool, as_json: bool) -> int:
    from rivus.work.prune import old_days, prune, remove_days

    stopped, now = False, time.time()

    def stop() -> None:
        nonlocal stopped
        stopped = True

    on_signal(stop)
    for name in chosen:
        row = prune(spool, jobs.jobs[name], now, lambda: stopped)
        say(f"{name}: {row['archived']} archived, the files of {row['files']} removed", 1)
        if as_json:
            click.echo(json.dumps(row))
    days = old_days(spool, jobs, now) if journal and not stopped else []
    remove_days(spool, days)
    if as_json and journal:
        click.echo(json.dumps({"journal": len(days)}))
    return 130 if stopped else 0


def _due(spool: Spool, jobs: Jobs, chosen: list[str], journal: bool, as_json: bool) -> int:
    from rivus.work.prune import due, old_days

    now = time.time()
    for name in chosen:
        for row in due(spool, jobs.jobs[name], now):
            click.echo(json.dumps(row) if as_json else f"{row['job']}/{plain(row['key'])}\t{row['what']}")
    for day in old_days(spool, jobs, now) if journal else ():
        click.echo(json.dumps({"what": "journal", "day": day[:10]}) if as_json else f"{day[:10]}\tjournal")
    return 0


def _restore(house: House, addresses: tuple[str, ...]) -> int:
    from rivus.commands.items import parse_address
    from rivus.model.item import file_name
    from rivus.spool.archive import restore
    from rivus.spool.owners import Owner

    missed, asked = 0, [parse_address(text) for text in addresses]
    spool = house.spool()
    with Owner(spool) as owner:
        for one in asked:
            job = house.job(one.job)
            spool.prepare(job.plan)
            if not restore(spool, job.plan, file_name(one.key), owner):
                missed = 1
                say(f"{one.job}/{one.key}: not archived")
    return missed


def main() -> None:
    run(command)
