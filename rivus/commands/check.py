"""rivus-check: validates jobs.d, the limits and the schedules; lists what jobs can be made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rivus import talk
from rivus.commands.frame import OK, House, house, run, version
from rivus.errors import BadConfig

if TYPE_CHECKING:
    from rivus.plugins import Kind

EXIT_CODES = OK | {2: "The command line is wrong.", 78: "Something in jobs.d is wrong; every problem is named."}


@click.command("rivus-check")
@click.option("--strategies", "kind", flag_value="source", help="List the strategies that a job can name, or NAMEs.")
@click.option("--handlers", "kind", flag_value="handler", help="List the handlers that a stage can name, or NAMEs.")
@click.option("--json", "as_json", is_flag=True, help="Print each problem, strategy or handler as a JSON object.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@version
@house
def command(house: House, kind: Kind | None, as_json: bool, names: tuple[str, ...]) -> int:
    """Reads all of jobs.d and names every problem as `file:line:col: path: what`. Runs nothing, asks no network.

    With --strategies or --handlers it lists those that come along and those of jobs.d; with a NAME, or -v, all about
    each: parameters with types and defaults, what it needs, how it is used."""
    if names and not kind:
        raise click.UsageError("a NAME goes with --strategies or --handlers")
    if kind:
        return _list(house, kind, as_json, names)
    return _check(house, as_json)


def _check(house: House, as_json: bool) -> int:
    from dataclasses import asdict

    from rivus.tell.check import check

    if not house.jobs_folder.is_dir():
        raise BadConfig(f"{house.jobs_folder}: no such directory; name the jobs with --jobs or RIVUS_JOBS")
    problems = check(house.jobs_folder)
    for problem in problems:
        click.echo(json.dumps(asdict(problem), default=str) if as_json else str(problem))
    return BadConfig.exit_code if problems else 0


def _list(house: House, kind: Kind, as_json: bool, names: Sequence[str]) -> int:
    from rivus.config.problem import did_you_mean, quoted
    from rivus.tell.catalogue import briefs, entry_of, names_of
    from rivus.tell.described import described, listed

    known = names_of(kind, house.jobs_folder)
    for name in names:
        if name not in known:
            word = "strategy" if kind == "source" else kind
            raise click.UsageError(f"unknown {word} {quoted(name)}{did_you_mean(name, known)}")
    if not (names or as_json or talk.level):
        click.echo("\n".join(listed(briefs(kind, house.jobs_folder))))
        return 0
    entries = (entry_of(kind, name, house.jobs_folder) for name in names or known)
    for number, entry in enumerate(entries):
        if as_json:
            click.echo(json.dumps(entry.as_json(), ensure_ascii=False, default=str))
        else:
            click.echo("\n".join([""] * bool(number) + list(described(entry))))
    return 0


def main() -> None:
    run(command)
