"""`/`: what a person wants to see at 8 in the morning: what needs them, what it costs, each job with its pipeline."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from rivus.dash import charts
from rivus.dash.pages.answer import answer, numbers, rows, setup_of
from rivus.dash.pages.attention import attention
from rivus.model.outcome import Json
from rivus.model.states import BOXES
from rivus.model.times import utc

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.utils.asgi import Request, Response

DAYS = 14
NEWEST = 3
_FOUND = "SELECT job, day, found FROM days WHERE stage = 'discover' AND day >= :day"
_SPENT = """
    SELECT sum(usd) FILTER (WHERE day = :today) AS today, sum(usd) AS month,
        sum(found) FILTER (WHERE day = :today) AS found FROM days WHERE day >= :month"""
_UNKNOWN = "SELECT sum(cost_unknown) AS n FROM runs WHERE cost_unknown > 0 AND ended >= :today"
LATE = 600.0
"""Seconds after its time from which on a look at a source is late."""


async def home(datasette: Datasette, request: Request) -> Response:
    """The page. Context: `needs`, `totals`, `jobs` (each with stages, newest, found per day)."""
    now = time.time()
    found, totals, counts, days = await asyncio.gather(
        rows(datasette, "SELECT * FROM jobs ORDER BY enabled DESC, name"),
        _totals(datasette, now),
        stage_counts(datasette),
        rows(datasette, _FOUND, day=_day(now, DAYS - 1)),
    )
    jobs = [await _job(datasette, job, counts, days, now) for job in found]
    needs = await attention(datasette, setup_of(datasette), found, now)
    context: Json = {"needs": needs, "totals": totals, "jobs": jobs, "now": utc(now)}
    drawn = {job["name"]: charts.spark(job["per_day"], f"new items of {job['name']} per day") for job in jobs}
    return await answer(datasette, request, "home", context, {"sparks": drawn})


async def stage_counts(datasette: Datasette, job: str | None = None) -> dict[str, dict[str, dict[str, int]]]:
    """How many tickets are in each box: job -> stage -> state -> count; of one job or of all."""
    where = "WHERE job = :job" if job else ""
    sql = f"SELECT job, stage, state, count(*) AS n FROM tickets {where} GROUP BY job, stage, state"
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for row in await rows(datasette, sql, job=job):
        counts.setdefault(row["job"], {}).setdefault(row["stage"], {})[row["state"]] = row["n"]
    return counts


def pipeline(job: dict[str, Any], counts: dict[str, dict[str, int]]) -> list[Json]:
    """The stages of a job in order, and after them those that only tickets know: name, needs, states, and whether
    what a stage needs is not simply the one before it."""
    stages: list[Json] = [dict(stage) for stage in json.loads(job["stages"])]
    gone = counts.keys() - {one["name"] for one in stages}
    stages += [{"name": name, "needs": [], "gone": True} for name in sorted(gone)]
    before: list[str] = []
    for stage in stages:
        mine = counts.get(stage["name"], {})
        stage["states"] = {str(box): mine[box] for box in BOXES if mine.get(box)}
        stage["chained"] = stage["needs"] == before
        before = [stage["name"]]
    return stages


async def _job(
    datasette: Datasette, job: dict[str, Any], counts: dict[str, Any], days: list[dict[str, Any]], now: float
) -> Json:
    mine = {row["day"]: row["found"] or 0 for row in days if row["job"] == job["name"]}
    newest = "SELECT key, title, discovered, state FROM items WHERE job = :job ORDER BY discovered DESC LIMIT :most"
    late = job["next_look"] and job["enabled"] and job["next_look"] < utc(now - LATE)
    return {
        "name": job["name"], "title": job["title"] or job["name"], "enabled": bool(job["enabled"]),
        "paused": bool(job["paused"]), "problem": job["problem"],
        "last_look": job["last_look"], "next_look": job["next_look"], "late": bool(late),
        "stages": pipeline(job, counts.get(job["name"], {})),
        "newest": await rows(datasette, newest, job=job["name"], most=NEWEST),
        "per_day": {day: mine.get(day, 0) for day in (_day(now, back) for back in range(DAYS - 1, -1, -1))},
    }  # fmt: skip


async def _totals(datasette: Datasette, now: float) -> Json:
    today, month = _day(now, 0), _day(now, 0)[:8] + "01"
    items, spent, unknown = await asyncio.gather(
        numbers(datasette, "SELECT count(*) AS known FROM items"),
        numbers(datasette, _SPENT, today=today, month=month),
        numbers(datasette, _UNKNOWN, today=today),
    )
    return {**items, "found_today": spent["found"] or 0, "usd_today": spent["today"], "usd_month": spent["month"],
            "unknown_today": unknown["n"] or 0}  # fmt: skip


def _day(now: float, back: int) -> str:
    return utc(now - back * 86400.0)[:10]
