"""rivus-why: why an item is not running, until when, and what overrides it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.commands.items import asked_for, stdin_lines
from rivus.model.item import file_name
from rivus.model.reason import Kind, lines_of, with_options
from rivus.talk import plain

if TYPE_CHECKING:
    from rivus.tell.evidence import Evidence

EXIT_CODES = OK | FAULTS
FRESH = 1.0
"""Seconds for which what was looked up serves the next item too."""


@click.command("rivus-why")
@click.argument("addresses", nargs=-1, metavar="[JOB/KEY]...")
@click.option("--all", "everything", is_flag=True, help="All that is not done, counted by reason.")
@click.option("--stage", metavar="STAGE", help="Only in this stage, with what it waits for.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@version
@house
def command(house: House, addresses: tuple[str, ...], everything: bool, stage: str | None, as_json: bool) -> int:
    """Tells why each item, named as JOB/KEY or on standard input (JSON Lines), is not running: what keeps it, in order
    of what matters, down to the root cause; when that ends; and the command that overrides it. Changes nothing."""
    from rivus.tell.why import explain, why_all

    lines = None if addresses or everything else stdin_lines(False)
    asked = asked_for(addresses, lines)
    if everything == (asked is not None):
        raise click.UsageError("name items as JOB/KEY, or give JSON Lines on standard input, or --all")
    look, options, unknown = _look(house), house.options(), 0
    for group in why_all(look, stage) if everything else ():
        head = f"{group.count:6}  {group.job}{':' * bool(group.first.stage)}{group.first.stage}  {group.line(look.now)}"
        text = [head, f"        now: {with_options(group.override, options)}", f"        {' '.join(group.items)}"]
        click.echo(json.dumps(group.to_json(options)) if as_json else "\n".join(map(plain, text)))
    for one in asked or ():
        look = look if time.time() - look.now < FRESH else _look(house)
        reasons = explain(look, one.job, file_name(one.key), one.key, stage)
        unknown += any(reason.kind is Kind.UNKNOWN for reason in reasons)
        whole = {"job": one.job, "key": one.key, "reasons": [reason.to_json(options) for reason in reasons]}
        text = [f"{one.job}/{one.key}", *lines_of(reasons, look.now, options)]
        click.echo(json.dumps(whole) if as_json else "\n".join(map(plain, text)))
    return house.broken or (65 if unknown or (lines and lines.bad) else 0)


def _look(house: House) -> Evidence:
    from rivus.limits import Limits
    from rivus.tell.evidence import Evidence

    spool, jobs = house.spool(look=True), house.jobs()
    return Evidence(spool, jobs, Limits(Path(spool.limits), jobs.limits), time.time())


def main() -> None:
    run(command)
