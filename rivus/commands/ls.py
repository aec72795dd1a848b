"""rivus-ls: what is where."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.errors import BadInput
from rivus.model.states import BOXES, Box
from rivus.talk import plain

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.spool.layout import Spool

EXIT_CODES = OK | FAULTS


@click.command("rivus-ls")
@click.argument("what", required=False, metavar="[JOB[:STAGE[/BOX]]]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@version
@house
def command(house: House, what: str | None, as_json: bool) -> int:
    """Counts the tickets of each job (or of JOB) by stage and box. With a STAGE, lists its items one to a line:
    JOB/KEY, box, and why it is there; with a BOX, only those in it."""
    from rivus.tell.look import overview

    spool, all_jobs = house.spool(look=True), house.jobs()
    jobs = all_jobs.jobs
    if what and ":" in what:
        return _list(spool, what, as_json)
    if not what and not as_json:
        _tell_rests(house, spool, all_jobs)
    shown = [what] if what else sorted({*spool.jobs(), *jobs})
    for name in shown:
        if name not in jobs and name not in spool.jobs():
            raise BadInput(f"{name}: no such job here")
        view = overview(spool, name, jobs.get(name))
        click.echo(json.dumps(view) if as_json else _table(view))
    return house.broken


def _tell_rests(house: House, spool: Spool, jobs: Jobs) -> None:
    """What is paused or parked stands above everything else, with its cause and the command that ends it."""
    from rivus.tell.look import something_rests

    if not something_rests(spool):
        return
    from rivus.tell.checkup import resting

    for finding in resting(spool, jobs, house.jobs_folder, time.time()):
        click.echo(f"! {plain(finding.what)}\n    {finding.mend}")


def _table(view: dict[str, Any]) -> str:
    archived = f"  (archived: {view['archived']})" if view.get("archived") else ""
    rows = [f"{view['job']}  {plain(view['title'])}{archived}"]
    if pause := view.get("paused"):
        rows.append(f"  PAUSED since {pause.get('since')}: {plain(str(pause.get('why')))}")
    rows.append(f"  {'':16}" + "".join(f"{box:>9}" for box in BOXES))
    for stage, boxes in view["stages"].items():
        rows.append(f"  {stage:16}" + "".join(f"{boxes[box] or '·':>9}" for box in BOXES))
    return "\n".join(rows) + "\n"


def _list(spool: Spool, what: str, as_json: bool) -> int:
    from rivus.tell.look import listing

    job, _, rest = what.partition(":")
    stage, _, box = rest.partition("/")
    if stage not in spool.stages(job):
        raise BadInput(f"{what}: no such job or stage in the spool")
    if box and box not in BOXES:
        raise BadInput(f"{box}: not a box; there are {', '.join(BOXES)}")
    for one in [Box(box)] if box else BOXES:
        for line in listing(spool, job, stage, one):
            text = f"{plain(line['job'])}/{plain(str(line['key']))}\t{line['state']}\t{plain(line['note'])[:120]}"
            click.echo(json.dumps(line) if as_json else text)
    return 0


def main() -> None:
    run(command)
