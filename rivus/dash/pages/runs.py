"""`/runs`: what ran in the last hours, as bars over time; `?hours=24` for longer, up to a week."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from rivus.dash import charts
from rivus.dash.pages import words
from rivus.dash.pages.answer import answer, rows
from rivus.model.outcome import Json
from rivus.model.times import epoch, utc

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.utils.asgi import Request, Response

HOURS = (1, 6, 24, 168)
MOST = 1500
"""Runs that are drawn, the newest."""
SUMMED = 20_000
"""Runs that are summed up, the newest."""
LANES = 40
LISTED = 50
NOW = 200


async def runs(datasette: Datasette, request: Request) -> Response:
    """The page. Context: `hours`, `sums` by job and stage, `running` now, `runs` (the newest), `drawn_from`:
    the time from which all of them are drawn."""
    now = time.time()
    given = request.args.get("hours") or ""
    hours = int(given) if given in map(str, HOURS) else HOURS[1]
    first = utc(now - hours * 3600)
    counts, found, running = await asyncio.gather(
        rows(datasette, _COUNTS, first=first, most=SUMMED),
        rows(datasette, _RUNS, first=first, most=MOST + 1),
        rows(datasette, _RUNNING, most=NOW),
    )
    cut = len(found) > MOST
    found = [row for row in found[:MOST] if row["started"]]
    context: Json = {
        "hours": hours, "choices": list(HOURS), "sums": _sums(counts), "summed": SUMMED,
        "running": [_linked(row) for row in running],
        "drawn_from": found[-1]["started"] if cut else first, "cut": cut,
        "runs": [_linked(row) for row in found[:LISTED]],
        "table": words.table("runs", started__gte=first, _sort_desc="started"),
        "csv": words.table("runs.csv", started__gte=first, _sort_desc="started", _size="max"),
    }  # fmt: skip
    return await answer(datasette, request, "runs", context, {"chart": _draw(found, epoch(context["drawn_from"]), now)})


_COUNTS = """
    SELECT job, stage, outcome, count(*) AS n, sum(duration) AS seconds, max(duration) AS longest FROM (
        SELECT job, stage, outcome, duration FROM runs WHERE started >= :first ORDER BY started DESC LIMIT :most)
    GROUP BY job, stage, outcome ORDER BY job, stage, n DESC"""
_RUNS = """
    SELECT job, stage, key, n, owner, started, ended, duration, outcome, class, reason FROM runs
    WHERE started >= :first ORDER BY started DESC LIMIT :most"""
_RUNNING = "SELECT job, stage, key, owner, attempts FROM tickets WHERE state = 'running' ORDER BY since LIMIT :most"


def _sums(counts: list[dict[str, Any]]) -> list[Json]:
    """One row for each stage: how many runs, how they ended, seconds on average and at most."""
    found: dict[tuple[str, str], Json] = {}
    for row in counts:
        empty = {"job": row["job"], "stage": row["stage"], "n": 0, "seconds": 0.0, "longest": 0.0, "outcomes": {}}
        one = found.setdefault((row["job"], row["stage"]), empty)
        one["n"] += row["n"]
        one["seconds"] += row["seconds"] or 0
        one["longest"] = max(one["longest"], row["longest"] or 0)
        one["outcomes"][row["outcome"] or "other"] = row["n"]
    return [{**one, "mean": one["seconds"] / one["n"]} for one in found.values()]


def _linked(row: dict[str, Any]) -> Json:
    return {**row, "href": words.item(row["job"], row["key"])}


def _draw(found: list[dict[str, Any]], start: float, now: float) -> charts.Svg:
    """A lane for each stage, the jobs below each other."""
    lanes: dict[str, list[charts.Span]] = {}
    for row in sorted(found, key=lambda row: (row["job"], row["stage"], row["started"])):
        name = f"{row['job']}:{row['stage']}"
        if name in lanes or len(lanes) < LANES:
            lanes.setdefault(name, []).append(_span(row))
    return charts.gantt(lanes, start, now, _ticks(start, now), "runs over time")


def _span(row: dict[str, Any]) -> charts.Span:
    begin, outcome = epoch(row["started"]), row["outcome"] or "other"
    title = f"{row['key'][:80]}: {outcome}, {words.took(row['duration'])}, {row['started']}"
    if row["reason"]:
        title += f": {row['reason'][:120]}"
    return charts.Span(begin, begin + max(row["duration"] or 0, 0), outcome, title, words.item(row["job"], row["key"]))


def _ticks(start: float, end: float) -> dict[float, str]:
    """Round times between the two, at most ten."""
    steps = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 86400)
    step = next((step for step in steps if (end - start) / step <= 10), steps[-1])
    first = int(start // step + 1) * step
    form = "%d %b" if step >= 86400 else "%H:%M"
    return {float(at): time.strftime(form, time.gmtime(at)) for at in range(first, int(end) + 1, step)}
