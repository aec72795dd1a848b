"""How a job goes: items per day, how long its stages take, what goes wrong, what it costs; as figures and as charts."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rivus.dash import charts
from rivus.dash.pages.answer import rows
from rivus.model.outcome import Json
from rivus.model.times import utc

if TYPE_CHECKING:
    from datasette.app import Datasette

DAYS = 30
EACH = 100
"""How many runs of a day, the last, durations are taken from."""
CLASSES = 5
_EACH_DAY = """
    SELECT day.value AS day, (
        SELECT json_group_array(duration) FROM (
            SELECT duration FROM runs
            WHERE job = :job AND stage = :stage AND started >= day.value AND started < day.value || '~'
                AND duration NOT NULL
            ORDER BY started DESC LIMIT :most)) AS seconds
    FROM json_each(:days) AS day"""


async def trends(
    datasette: Datasette, job: str, stages: Sequence[str], stage: str, now: float
) -> tuple[Json, Mapping[str, object]]:
    """The figures `days`, `durations`, `classes`, and the charts drawn of them. stage: whose durations are drawn, ""
    for the slowest."""
    labels = [utc(now - back * 86400)[:10] for back in range(DAYS - 1, -1, -1)]
    days, classes, *runs = await asyncio.gather(
        rows(datasette, "SELECT * FROM days WHERE job = :job AND day >= :first", job=job, first=labels[0]),
        by_class(datasette, job, labels),
        *(_durations(datasette, job, one, labels) for one in stages),
    )
    durations = dict(zip(stages, runs, strict=True))
    slowest = max(durations, key=lambda name: durations[name]["p95"] or 0, default="")
    shown = stage if stage in durations else slowest
    per_day = _per_day(days, labels, stages[-1] if stages else "")
    figures: Json = {
        "days": {"labels": labels, **per_day}, "classes": classes, "shown_stage": shown,
        "durations": {name: {what: one[what] for what in ("p50", "p95", "runs")} for name, one in durations.items()},
    }  # fmt: skip
    return figures, {"drawn": _draw(job, labels, per_day, classes, shown, durations)}


def _draw(job: str, labels: list[str], per_day: Json, classes: Json, shown: str, durations: Mapping[str, Json]) -> Json:
    found, done, usd = per_day["found"], per_day["done"], per_day["usd"]
    by_day: Json = durations[shown]["by_day"] if shown else {}
    lines = {name: [by_day.get(day, (None, None))[n] for day in labels] for n, name in enumerate(("p50", "p95"))}
    return {
        "found": charts.lines(labels, {"found": found, "done": done}, f"items of {job} found and done per day"),
        "durations": charts.lines(labels, lines, f"seconds that {shown} takes", " s"),
        "classes": charts.bars(labels, classes, f"items of {job} in trouble by the day of their last failure"),
        "usd": charts.bars(labels, {"cost": usd}, f"cost of {job} per day", "$"),
    }


def _per_day(days: Sequence[dict[str, Any]], labels: Sequence[str], last: str) -> Json:
    """found, done (by the last stage) and usd, each with a value for every label."""
    found, done, usd = Counter[str](), Counter[str](), dict[str, float]()
    for row in days:
        found[row["day"]] += row["found"] or 0
        if row["stage"] == last:
            done[row["day"]] += (row["done"] or 0) + (row["skipped"] or 0)
        if row["usd"]:
            usd[row["day"]] = usd.get(row["day"], 0.0) + row["usd"]
    return {
        "found": [found[day] for day in labels],
        "done": [done[day] for day in labels],
        "usd": [round(usd.get(day, 0.0), 6) for day in labels],
    }


async def by_class(datasette: Datasette, job: str | None, labels: Sequence[str]) -> dict[str, list[int]]:
    """What is in trouble now, of a job or of all, by class, the commonest first, and by the day of its last failure."""
    mine = "AND +job = :job" if job else ""  # of all jobs, those in trouble are the fewest
    sql = f"""
        SELECT class, substr(since, 1, 10) AS day, count(*) AS n FROM tickets
        WHERE class IS NOT NULL {mine} AND since >= :first GROUP BY class, day"""
    counts: dict[str, Counter[str]] = {}
    for row in await rows(datasette, sql, job=job, first=labels[0]):
        counts.setdefault(row["class"], Counter())[row["day"]] += row["n"]
    ranked = sorted(counts, key=lambda name: -counts[name].total())
    for name in ranked[CLASSES:]:
        counts.setdefault("other", Counter()).update(counts[name])
    shown = [*ranked[:CLASSES], *["other"] * (len(ranked) > CLASSES)]
    return {name: [counts[name][day] for day in labels] for name in shown}


async def _durations(datasette: Datasette, job: str, stage: str, labels: Sequence[str]) -> Json:
    """p50 and p95 in seconds, over all and by day, of the last EACH runs that began on each day."""
    found = await rows(datasette, _EACH_DAY, job=job, stage=stage, days=json.dumps(labels), most=EACH)
    days: dict[str, list[float]] = {row["day"]: json.loads(row["seconds"]) for row in found}
    known = [seconds for each in days.values() for seconds in each]
    p50, p95 = percentiles(known)
    by_day = {day: percentiles(each) for day, each in days.items()}
    return {"p50": p50, "p95": p95, "runs": len(known), "by_day": by_day}


def percentiles(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The 50th and the 95th percentile (nearest rank); None of nothing."""
    ranked = sorted(values)
    if not ranked:
        return None, None
    half, most = (ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.95))
    return half, most
