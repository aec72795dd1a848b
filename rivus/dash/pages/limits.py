"""`/limits`: what each source bears, who draws on it now, what it rests from, and how that was in the last day."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.dash import charts
from rivus.dash.pages.answer import answer, jobs_of, rows, setup_of
from rivus.dash.setup import Setup
from rivus.model.outcome import Json
from rivus.model.reason import with_options
from rivus.model.times import epoch, utc
from rivus.tell.checkup.finding import commands, word

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.utils.asgi import Request, Response

    from rivus.limits import LimitStatus, Parked

HOURS = 24
SPANS = 144
"""Parts of the day that are told apart: of each the most slots that were taken and the fewest tokens left."""


async def limits(datasette: Datasette, request: Request) -> Response:
    """The page. Context: `limits` (as they are now, with who uses them and the samples of the last day), `problem`."""
    now = time.time()
    found, problem = await asyncio.to_thread(_now, setup_of(datasette))
    for one in found:
        span = HOURS * 3600 / SPANS
        one["samples"] = await rows(datasette, _SAMPLES, name=one["name"], first=utc(now - HOURS * 3600), span=span)
    drawn = {one["name"]: _draw(one, now) for one in found}
    return await answer(datasette, request, "limits", {"limits": found, "problem": problem}, {"drawn": drawn})


_SAMPLES = """
    SELECT min(t) AS t, max(held) AS held, min(tokens) AS tokens, max(parked_until) AS parked_until FROM limits
    WHERE name = :name AND t >= :first GROUP BY CAST(unixepoch(t) / :span AS INTEGER) ORDER BY 1"""


def _now(setup: Setup) -> tuple[list[Json], str]:
    from rivus.errors import RivusError
    from rivus.limits import Limits

    try:
        jobs = jobs_of(setup.jobs_folder)
    except (RivusError, OSError) as error:
        return [], str(error)
    states, options = Limits(Path(setup.spool.limits), jobs.limits), commands(setup.spool, setup.jobs_folder).options
    found = []
    for name in sorted(jobs.limits):
        one = _status(states.status(name))
        one["users"] = [
            {"job": job.name, "what": what}
            for job in jobs.jobs.values()
            for what, limit in [
                *([("discover", job.discover.limit)] if job.discover else []),
                *((stage, job.stages[stage].limit) for stage in job.order),
            ]
            if limit == name
        ]
        short = f"rivus-limit {_remedy(one)} {word(name)}"
        one |= {"short": short, "command": with_options(short, options)}
        found.append(one)
    return found, "\n".join(str(problem) for problem in jobs.problems)


def _remedy(one: Json) -> str:
    return "reset" if one["broken"] else "resume" if one["parked"] or one["half_open"] else "park"


def _status(status: LimitStatus) -> Json:
    from rivus.tell.evidence import processes

    return {
        "name": status.name, "slots": status.slots, "rate": str(status.rate) if status.rate else None,
        "burst": status.burst, "tokens": None if status.tokens is None else round(status.tokens, 1),
        "held": {slot: processes(pids) for slot, pids in status.held.items()},
        "parked": _rest(status.parked), "half_open": _rest(status.half_open), "broken": list(status.broken),
    }  # fmt: skip


def _rest(rest: Parked | None) -> Json | None:
    if rest is None:
        return None
    until = None if rest.until is None else utc(rest.until)
    return {"until": until, "since": utc(rest.since), "why": rest.why, "by": rest.by, "trips": rest.trips}


def _draw(one: Json, now: float) -> charts.Svg:
    """Slots taken over the day (tokens for a limit without slots), and when the source rested."""
    field, top = ("held", one["slots"]) if one["slots"] else ("tokens", one["burst"])
    points = [(epoch(row["t"]), float(row[field] or 0)) for row in one["samples"]]
    shades: list[charts.Span] = []
    for row, (at, _) in zip(one["samples"], points, strict=True):
        if row["parked_until"] and row["parked_until"] > row["t"]:
            if shades and at - shades[-1].end < 1200:
                shades[-1] = charts.Span(shades[-1].start, at, "parked", f"rested until {row['parked_until']}")
            else:
                shades.append(charts.Span(at, at, "parked", f"rested until {row['parked_until']}"))
    about = f"{'slots taken' if field == 'held' else 'tokens left'} of {one['name']} in the last {HOURS} hours"
    return charts.steps(points, float(top), shades, about, now - HOURS * 3600, now)
