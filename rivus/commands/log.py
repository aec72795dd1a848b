"""rivus-log: an item's story, across stages and processes."""

from __future__ import annotations

import json
from typing import Any

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.commands.items import asked_for, stdin_lines
from rivus.talk import plain, say

EXIT_CODES = OK | FAULTS


@click.command("rivus-log")
@click.argument("addresses", nargs=-1, metavar="[JOB/KEY]...")
@click.option("--no-journald", is_flag=True, help="Leave out what the system's journal knows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@version
@house
def command(house: House, addresses: tuple[str, ...], no_journald: bool, as_json: bool) -> int:
    """Tells the story of each item, named as JOB/KEY or on standard input (JSON Lines): what happened to it in every
    stage and what was said about it, oldest first. Times are UTC. Changes nothing."""
    from rivus.tell.messages import messages
    from rivus.tell.story import story

    lines = None if addresses else stdin_lines(False)
    asked = asked_for(addresses, lines)
    if asked is None:
        raise click.UsageError("name items as JOB/KEY, or give JSON Lines on standard input")
    spool, unknown = house.spool(look=True), False
    for one in asked:
        rows = story(spool, one.job, spool.stages(one.job), one.key, None if no_journald else messages)
        if not rows:
            say(f"{one.job}/{one.key}: no such item here")
            unknown = True
        elif not as_json:
            click.echo(plain(f"{one.job}/{one.key}"))
        for row in rows:
            click.echo(json.dumps({"job": one.job, "key": one.key, **row}) if as_json else _line(row))
    return 65 if unknown or (lines and lines.bad) else 0


def _line(row: dict[str, Any]) -> str:
    said = f"{row.get('command', '?')}[{row.get('pid', '?')}]: " if row["source"] == "journal" else ""
    more = [f"{row['seconds']:.1f} s"] if "seconds" in row else []
    more += [f"{name} {value}" for name, value in row.get("cost", {}).items()]
    more += [str(row["owner"])] if row.get("move") == "claim" else []
    tail = f"  ({', '.join(more)})" if more else ""
    return plain(f"  {row['t']}  {row['stage']:10} {said}{row['what']}{tail}")


def main() -> None:
    run(command)
