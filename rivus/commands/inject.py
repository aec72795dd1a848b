"""rivus-inject: adds items by hand or from JSON Lines."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator

import click

from rivus.commands.frame import FAULTS, OK, House, Printer, house, run, version
from rivus.commands.items import Lines, stdin_lines
from rivus.errors import BadConfig, BadInput
from rivus.model.item import Ticket, dropped_ticket
from rivus.model.outcome import Json
from rivus.model.times import utc

EXIT_CODES = OK | FAULTS
BATCH = 256


@click.command("rivus-inject")
@click.argument("job")
@click.argument("stage", required=False)
@click.option("--url", multiple=True, help='Add the item {"url": URL}; may be given several times.')
@click.option("--dry-run", is_flag=True, help="Print what would be new; publish nothing.")
@version
@house
def command(house: House, job: str, stage: str | None, url: tuple[str, ...], dry_run: bool) -> int:
    """Adds items to JOB: the JSON Lines on standard input, or URLs. Prints those that were not known, once they are
    durable. With STAGE they enter there, and the stages before it count as skipped."""
    from rivus.config import load_job
    from rivus.spool.owners import Owner
    from rivus.spool.publish import publish

    found = load_job(house.jobs_folder, job)
    if stage is not None and stage not in found.stages:
        raise BadConfig(f"{job} has no stage {stage!r}")
    entered = stage if stage and found.ancestors(stage) else None
    lines = None if url else stdin_lines(False)
    if lines is None and not url:
        raise click.UsageError("nothing to add: give --url, or JSON Lines on standard input")
    spool = house.spool()
    printer = Printer(lambda: None)
    tickets = _tickets(lines or ({"url": one} for one in url), job, entered, lines)
    seen: set[str] = set()
    with Owner(spool) as owner:
        if not dry_run:
            spool.prepare(found.plan)
        while batch := list(itertools.islice(tickets, BATCH)):
            new = {one.name: one for one in batch if one.name not in seen and not spool.known(job, one.name)}
            seen.update(new)
            for ticket in list(new.values()) if dry_run else publish(spool, found.plan, list(new.values()), owner):
                printer(ticket.public())
    return 65 if lines and lines.bad else 0


def _tickets(documents: Iterable[Json], job: str, entered: str | None, lines: Lines | None) -> Iterator[Ticket]:
    for document in documents:
        meta: Json = {"discovered": utc(time.time()), "strategy": "inject"}
        try:
            ticket = dropped_ticket(document, job, "", meta)
        except ValueError as error:
            if lines is None:
                raise BadInput(str(error)) from None
            lines.refuse(str(document)[:80], str(error))
            continue
        ticket.meta = {**meta, "entered": entered} if entered else meta
        yield ticket


def main() -> None:
    run(command)
