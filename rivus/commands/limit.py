"""rivus-limit: who holds which slot; park and resume a source, pause and unpause a job."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rivus.commands.duration import DURATION
from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.errors import BadInput
from rivus.model.times import utc
from rivus.talk import plain, say

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.limits import Limits
    from rivus.spool.layout import Spool
    from rivus.work.hooks import Event

EXIT_CODES = OK | FAULTS
VERBS = ["show", "park", "resume", "reset", "pause", "unpause"]


@click.command("rivus-limit")
@click.argument("verb", type=click.Choice(VERBS), default="show")
@click.argument("name", required=False)
@click.option("--for", "duration", type=DURATION, metavar="TIME", help="park: for so long (default: until resumed).")
@click.option("--why", default="by hand", metavar="TEXT", help="park, pause: the reason.")
@click.option("--json", "as_json", is_flag=True, help="show: print JSON Lines.")
@version
@house
def command(house: House, verb: str, name: str | None, duration: float | None, why: str, as_json: bool) -> int:
    """Shows each limit (or NAME): slots and who holds them, tokens, how long the source is parked.

    park: the source NAME rests; resume ends it. pause: the job NAME rests; unpause ends it. reset: makes the state of
    a limit anew that cannot be read, with an empty bucket.
    """
    from rivus.limits import Limits

    jobs, spool = house.jobs(), house.spool(look=verb == "show")
    limits = Limits(Path(spool.limits), jobs.limits)
    if verb == "show":
        for one in [name] if name else sorted(jobs.limits):
            click.echo(_shown(limits, one, as_json))
        return house.broken
    if name is None:
        raise click.UsageError(f"{verb} what?")
    if verb in ("pause", "unpause"):
        _pause(spool, jobs, verb, name, why)
    elif verb == "park":
        limits.park(name, None if duration is None else time.time() + duration, why, "person", time.time())
    elif verb == "resume":
        _resume(spool, jobs, limits, name)
    else:
        limits.reset(name)
    return 0


def _pause(spool: Spool, jobs: Jobs, verb: str, name: str, why: str) -> None:
    from rivus.spool import streak
    from rivus.spool.owners import Owner
    from rivus.spool.pause import pause, unpause

    if name not in jobs.jobs and name not in spool.jobs():
        raise BadInput(f"{name}: no such job")
    if verb == "unpause":
        say(f"{name}: {unpause(spool, name)} items are ready again", 1)
        for stage in spool.stages(name):
            streak.succeeded(spool, name, stage)
        _tell(spool, jobs, name, "paused", name, {"job": name, "by": "person"})
        return
    with Owner(spool) as owner:
        if name in jobs.jobs:
            spool.prepare(jobs.jobs[name].plan)
        pause(spool, name, why, "person", owner)


def _resume(spool: Spool, jobs: Jobs, limits: Limits, name: str) -> None:
    from rivus.model.decide import FOREVER
    from rivus.spool.recover import wake_blocked

    if name not in jobs.limits and name in {*jobs.jobs, *spool.jobs()}:
        raise BadInput(f"{name} is a job, not a limit; to let it go on: rivus-limit unpause {name}")
    parked = limits.parked(name, time.time())
    limits.resume(name)
    until = FOREVER if parked is None or parked.until is None else parked.until
    every = [(job.name, stage) for job in jobs.jobs.values() for stage in job.stages.values()]
    count = sum(wake_blocked(spool, job, stage.name, until) for job, stage in every if stage.limit == name)
    say(f"{name}: {count} items are ready again", 1)
    _tell(spool, jobs, f"limit {name}", "parked", name, {"limit": name, "by": "person"})


def _tell(spool: Spool, jobs: Jobs, group: str, ended: Event, what: str, told: dict[str, str]) -> None:
    """Lets the hooks know that a rest is over, and of the next one again."""
    from rivus.work.hooks import drain, fire, rearm

    rearm(spool, ended, what)
    for job in list(jobs.jobs.values())[:1]:
        fire(job.folder, spool, "resumed", group, told)
    drain()


def _shown(limits: Limits, name: str, as_json: bool) -> str:
    status = limits.status(name)
    rest = status.parked
    whole = {
        "limit": name, "slots": status.slots, "held": status.held, "rate": str(status.rate) if status.rate else None,
        "burst": status.burst, "tokens": status.tokens, "broken": status.broken,
        "half_open": bool(status.half_open), "trips": status.trips, "probers": status.probers,
        "parked": {"until": rest.until and utc(rest.until), "why": rest.why, "by": rest.by} if rest else None,
    }  # fmt: skip
    if as_json:
        return json.dumps(whole)
    parts = [f"{name}:"]
    if status.slots:
        pids = " ".join(f"{slot}={','.join(map(str, who)) or '?'}" for slot, who in status.held.items())
        parts.append(f"{len(status.held)} of {status.slots} slots held{' (' + pids + ')' if pids else ''}")
    if status.rate:
        parts.append(f"{status.tokens if status.tokens is None else round(status.tokens, 1)} tokens, {status.rate}")
    if rest:
        until = utc(rest.until) if rest.until else "until resumed"
        parts.append(f"PARKED {until} by {plain(rest.by)}: {plain(rest.why)}")
    elif status.half_open:
        parts.append(f"HALF-OPEN after {status.trips} rests in a row: {plain(status.half_open.why)}")
    return "  ".join([*parts, *(f"BROKEN: {plain(text)}" for text in status.broken)])


def main() -> None:
    run(command)
