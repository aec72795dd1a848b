"""rivus-index: brings the SQLite index of the spool up to date."""

from __future__ import annotations

import json
import time

import click

from rivus.commands.frame import FAULTS, OK, House, house, on_signal, run, version

EXIT_CODES = OK | FAULTS | {1: "Something failed, or --check found a difference; it is printed."}
EACH = 1.0
"""Seconds between two looks of --follow."""


@click.command("rivus-index")
@click.option("--rebuild", is_flag=True, help="Make it anew from the spool alone; who reads the old one reads on.")
@click.option("--check", is_flag=True, help="Compare it with the spool, print each difference as JSON, change nothing.")
@click.option("--follow", is_flag=True, help="Look once a second for what has changed, until a signal.")
@version
@house
def command(house: House, rebuild: bool, check: bool, follow: bool) -> int:
    """Brings index.db in the spool up to date: what the journal tells, and what was moved by hand. A file that is
    missing, damaged or made for other jobs is made anew; deleting it is always safe."""
    if rebuild + check + follow > 1:
        raise click.UsageError("--rebuild, --check and --follow exclude each other")
    if check:
        return _check(house)
    if follow:
        return _follow(house)
    _update(house, anew=rebuild)
    return house.broken


def _update(house: House, anew: bool = False, patient: bool = False) -> None:
    from rivus.index.fresh import is_fresh
    from rivus.talk import say

    spool = house.spool()
    if not anew and is_fresh(spool, house.jobs_folder, time.time()):
        return
    from rivus.index.update import update, writing

    jobs = house.jobs()
    with writing(spool, wait=lambda: False):
        done = update(spool, jobs, patient, anew)
    say(f"index: {done.items} items changed" + (f"; made anew: {done.rebuilt}" if done.rebuilt else ""), 1)


def _follow(house: House) -> int:
    from threading import Event

    stopping = Event()
    signalled = on_signal(stopping.set)
    while not stopping.is_set():
        _update(house, patient=True)
        stopping.wait(EACH)
    return 130 if signalled() else house.broken


def _check(house: House) -> int:
    from rivus.index.compare import differences
    from rivus.index.update import writing

    found, jobs, spool = False, house.jobs(), house.spool()
    with writing(spool, wait=lambda: False):
        for difference in differences(spool, jobs):
            found = True
            click.echo(json.dumps(difference, ensure_ascii=False))
    return 1 if found else house.broken


def main() -> None:
    run(command)
