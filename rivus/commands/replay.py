"""rivus-replay: runs a stage of an item again beside production, and shows what would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rivus.commands.frame import FAULTS, OK, House, Printer, house, on_signal, run, version
from rivus.commands.items import parse_address
from rivus.errors import BadConfig
from rivus.talk import say

if TYPE_CHECKING:
    from rivus.replay.many import Replays

EXIT_CODES = OK | FAULTS | {1: "What came differs from what is on record; or something failed, and stderr says what."}


@click.command("rivus-replay")
@click.argument("what", metavar="JOB/KEY|JOB:STAGE")
@click.argument("stage", required=False, metavar="[STAGE]")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="JOB:STAGE: N items that are done, spread (20).")
@click.option("--offline", is_flag=True, help="Use no network: answer from what --record has kept.")
@click.option("--json", "as_json", is_flag=True, help="Print one line for each item.")
@version
@house
def command(house: House, what: str, stage: str | None, sample: int | None, offline: bool, as_json: bool) -> int:
    """Runs STAGE of one item again from its recorded input, with the present code, in a folder of its own, and prints
    the difference to the result on record; or JOB:STAGE of several items, and sums up. Production is not touched. What
    a handler pays for is counted."""
    asked = parse_address(what) if "/" in what else None
    if (asked is None) == (stage is not None) or (asked and sample):
        raise click.UsageError("name JOB/KEY and a STAGE, or JOB:STAGE and how many with --sample")
    from rivus.net.offline import cut_off

    severed = offline and cut_off()
    from rivus.model.item import file_name
    from rivus.replay.many import Replays, done, replaying

    job_name, _, name = (asked.job, "", stage or "") if asked else what.partition(":")
    job, spool = house.job(job_name), house.spool()
    if name not in job.stages:
        raise BadConfig(f"{job.name} has no stage {name!r}")
    names = [file_name(asked.key)] if asked else done(spool, job.name, name, sample or 20)
    printer = Printer(lambda: replays.stop())
    with replaying(spool, job, job.stages[name], offline=offline, severed=severed) as replay:
        replays = Replays(replay, names, job.stages[name].concurrency)
        return _show(replays, printer, not asked, as_json)


def _show(replays: Replays, printer: Printer, sampled: bool, as_json: bool) -> int:
    from rivus.replay.show import Summary, difference, line_of

    job, stage = replays.place
    summary, interrupted = Summary(), on_signal(replays.stop)
    try:
        for one in replays:
            summary.add(one)
            for note in one.notes:
                say(f"{job}/{one.key} {stage}: {note}")
            if as_json:
                printer(line_of(job, stage, one))
            elif not sampled:
                printer.text(difference(job, stage, one))
    finally:
        if sampled and not as_json:
            printer.text(summary.lines(job, stage, replays.left))
        elif sampled and replays.left and not replays.over:
            say(f"{job}:{stage}: {replays.left} not run")
    return 130 if interrupted() else 0 if summary.all_same else 1


def main() -> None:
    run(command)
