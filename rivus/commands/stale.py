"""rivus-stale: what was made by older code or from other input, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version

if TYPE_CHECKING:
    from rivus.config.schema import Job

EXIT_CODES = OK | FAULTS
VERBS = ("reset", "bless", "judge")


@click.command("rivus-stale")
@click.argument("words", nargs=-1, metavar="[reset|bless|judge] [JOB[:STAGE]]...")
@click.option("--limit", "most", type=click.IntRange(min=1), metavar="N", help="reset: no more than N results.")
@click.option("--where", metavar="FIELD=VALUE", help="reset: only where this is so, such as data.title=Outlook.")
@click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="reset: no more than this should pay for.")
@click.option("--diff", "differ", is_flag=True, help="Print what has changed in the code and the parameters.")
@click.option("--why", metavar="TEXT", help="bless: the reason, which is kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@version
@house
def command(
    house: House, words: tuple[str, ...], most: int | None, where: str | None, budget: float | None,
    differ: bool, why: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Tells for each stage which results are stale and why, what follows them, and what redoing them would cost; of all
    jobs, or of those named. Nothing is redone by itself. reset JOB:STAGE: stale results run again, if what they need is
    fresh; each keeps its old output until it has a new one. bless JOB:STAGE --why TEXT: what older versions made counts
    as current. judge JOB:STAGE: a language model says whether the change was cosmetic."""
    from rivus.commands import staleverbs

    verb, places = (words[0], words[1:]) if words and words[0] in VERBS else ("diff" if differ else "", words)
    options = {"--limit": most, "--where": where, "--budget": budget}
    if wrong := [name for name, value in options.items() if value is not None and verb != "reset"]:
        raise click.UsageError(f"{wrong[0]} goes with reset")
    if differ and verb != "diff":
        raise click.UsageError(f"--diff does not go with {verb}")
    if (verb == "bless") != bool(why):
        raise click.UsageError("bless needs --why, and nothing else does")
    asked = [_place(house, one, needs_stage=bool(verb)) for one in places]
    if not verb:
        asked = asked or [(job, None) for job in house.jobs().jobs.values()]
        return staleverbs.tell(house, asked, as_json) or house.broken
    if not asked:
        raise click.UsageError(f"{verb} what? Name a JOB:STAGE")
    bounds = staleverbs.Bounds(most, where, budget)
    does: dict[str, Callable[[Job, str], None]] = {
        "reset": lambda job, stage: staleverbs.reset(house, job, stage, bounds, as_json),
        "bless": lambda job, stage: staleverbs.bless(house, job, stage, str(why)),
        "judge": lambda job, stage: staleverbs.judge(house, job, stage, as_json),
        "diff": lambda job, stage: staleverbs.diff(house, job, stage),
    }
    for job, stage in asked:
        does[verb](job, str(stage))
    return 0


def _place(house: House, text: str, needs_stage: bool) -> tuple[Job, str | None]:
    name, colon, stage = text.partition(":")
    job = house.job(name)
    if (colon or needs_stage) and stage not in job.stages:
        raise click.UsageError(f"{text}: not a JOB:STAGE; {name} has {', '.join(job.stages)}")
    return job, stage or None


def main() -> None:
    run(command)
