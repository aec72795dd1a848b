"""rivus-move: the moves a person makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.commands.items import Asked, asked_for, stdin_lines
from rivus.model.item import file_name
from rivus.model.states import Box
from rivus.talk import say

if TYPE_CHECKING:
    from rivus.config.schema import Job
    from rivus.spool.layout import Spool
    from rivus.spool.owners import Owner

EXIT_CODES = OK | FAULTS
Mover: TypeAlias = "Callable[[Job, str, str], Box | None]"


@click.command("rivus-move")
@click.argument("verb", type=click.Choice(["retry", "hold", "release", "drop"]))
@click.argument("addresses", nargs=-1, metavar="[JOB/KEY]...")
@click.option("--stage", metavar="STAGE", help="Only in this stage (default: in every stage where it applies).")
@click.option("--why", default="", metavar="TEXT", help="The reason, for the journal.")
@version
@house
def command(house: House, verb: str, addresses: tuple[str, ...], stage: str | None, why: str) -> int:
    """Moves items named as JOB/KEY or on standard input (JSON Lines).

    retry: what failed, or waits for its time, runs again now; with --stage also what is done there. hold: parks what
    is not done until it is released. release: lets go what was held. drop: ends what is not done, without a result.
    """
    from rivus.spool.owners import Owner

    lines = None if addresses else stdin_lines(False)
    asked = asked_for(addresses, lines)
    if asked is None:
        raise click.UsageError("name items as JOB/KEY, or give JSON Lines on standard input")
    spool = house.spool()
    missed = 0
    with Owner(spool) as owner:
        for one in asked:
            missed += not _move(house, spool, owner, verb, one, stage, why)
    return 1 if missed else 65 if lines and lines.bad else 0


def _move(house: House, spool: Spool, owner: Owner, verb: str, one: Asked, stage: str | None, why: str) -> int:
    job, name = house.job(one.job), file_name(one.key)
    stages = [stage] if stage else list(job.stages)
    if unknown := [name for name in stages if name not in job.stages]:
        raise click.UsageError(f"{job.name} has no stage {unknown[0]!r}")
    mover = _mover(spool, owner, verb, why)
    count = 0
    for each in stages:
        place = spool.where(job.name, each, name)
        if place and _applies(verb, place[0], stage is not None) and (box := mover(job, each, name)):
            say(f"{job.name}:{each} {one.key}: {verb} (was in {box})", 1)
            count += 1
    if not count:
        say(f"{one.job}/{one.key}: nothing to {verb}; rivus-show tells where it is")
    return count


def _applies(verb: str, box: Box, named: bool) -> bool:
    return {
        "retry": box in (Box.FAILED, Box.LATER) or (named and box in (Box.DONE, Box.HELD)),
        "hold": box in (Box.WAIT, Box.READY, Box.LATER, Box.FAILED) or (named and box is Box.DONE),
        "release": box is Box.HELD,
        "drop": box not in (Box.DONE, Box.RUNNING),
    }[verb]


def _mover(spool: Spool, owner: Owner, verb: str, why: str) -> Mover:
    from rivus.spool import hands

    movers: dict[str, Mover] = {
        "retry": lambda job, stage, name: hands.retry(spool, job.plan, stage, name, why),
        "hold": lambda job, stage, name: hands.hold(spool, job.plan, stage, name, why),
        "release": lambda job, stage, name: hands.unhold(spool, job.plan, stage, name, why),
        "drop": lambda job, stage, name: hands.drop(spool, job.plan, stage, name, why, owner),
    }
    return movers[verb]


def main() -> None:
    run(command)
