"""rivus-check: validates jobs.d, the limits and the schedules."""

from __future__ import annotations

import json

import click

from rivus.commands.frame import OK, House, house, run, version
from rivus.errors import BadConfig

EXIT_CODES = OK | {2: "The command line is wrong.", 78: "Something in jobs.d is wrong; every problem is named."}


@click.command("rivus-check")
@click.option("--json", "as_json", is_flag=True, help="Print each problem as a JSON object.")
@version
@house
def command(house: House, as_json: bool) -> int:
    """Reads all of jobs.d and names every problem as `file:line:col: path: what`. Runs nothing, asks no network."""
    from dataclasses import asdict

    from rivus.tell.check import check

    if not house.jobs_folder.is_dir():
        raise BadConfig(f"{house.jobs_folder}: no such directory; name the jobs with --jobs or RIVUS_JOBS")
    problems = check(house.jobs_folder)
    for problem in problems:
        click.echo(json.dumps(asdict(problem), default=str) if as_json else str(problem))
    return BadConfig.exit_code if problems else 0


def main() -> None:
    run(command)
