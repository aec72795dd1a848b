"""`/failures`: what has failed, is held, or waits after a failure, by kind. `/failures/GROUP`: one kind of failure."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rivus.dash import charts
from rivus.dash.pages import words
from rivus.dash.pages.answer import answer, asked, missing, rows, setup_of
from rivus.dash.pages.papers import stage_of
from rivus.dash.pages.trends import by_class
from rivus.dash.setup import Setup
from rivus.model.item import file_name
from rivus.model.outcome import Json
from rivus.model.reason import with_options
from rivus.model.times import utc
from rivus.tell.checkup.finding import commands

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.utils.asgi import Request, Response

GROUPS = 200
ITEMS = 100
REASONS = 8
DAYS = 30
_GROUP = re.compile(r"[0-9a-f]{16}|none")


async def failures(datasette: Datasette, request: Request) -> Response:
    """The page. Context: `groups`, those that only a person moves first; `classes`, per day; `labels`, the days."""
    sql = """
        SELECT fingerprint, class, sum(items) AS n, sum(failed) AS failed, sum(held) AS held, sum(later) AS later,
            min(first) AS first, max(last) AS last, min(example_reason) AS reason, max(verdict) AS verdict,
            replace(group_concat(DISTINCT job || ':' || stage), ',', ', ') AS places
        FROM failures GROUP BY fingerprint ORDER BY sum(failed) + sum(held) DESC, n DESC LIMIT :most"""
    labels = days(time.time())
    groups, classes = await asyncio.gather(rows(datasette, sql, most=GROUPS), by_class(datasette, None, labels))
    context: Json = {"groups": groups, "classes": classes, "labels": labels}
    drawn = {"chart": charts.bars(labels, classes, "items in trouble by the day of their last failure")}
    return await answer(datasette, request, "failures", context, drawn)


def days(now: float) -> list[str]:
    """The last days, oldest first."""
    return [utc(now - back * 86400)[:10] for back in range(DAYS - 1, -1, -1)]


async def group(datasette: Datasette, request: Request) -> Response:
    """The page. Context: `group`, `places`, `reasons`, `verdict`, `example`, `rows`, `commands`, `per_day`."""
    parts, _ = asked(request, "failures")
    name = parts[0] if len(parts) == 1 and _GROUP.fullmatch(parts[0]) else ""
    places, verdicts = await asyncio.gather(
        rows(datasette, "SELECT * FROM failures WHERE fingerprint = :name ORDER BY items DESC", name=name),
        rows(datasette, "SELECT * FROM verdicts WHERE fingerprint = :name", name=name),
    )
    if not places and not verdicts:
        return await missing(datasette, request, f"There is no group {parts[0]}; its items may have gone well since.")
    labels = days(time.time())
    reasons, items, per_day = await asyncio.gather(
        rows(datasette, _REASONS, name=name, most=REASONS),
        rows(datasette, _ITEMS, name=name, most=ITEMS),
        rows(datasette, _PER_DAY, name=name, first=labels[0]),
    )
    counts = {row["day"]: row["n"] for row in per_day}
    setup = setup_of(datasette)
    context: Json = {
        "group": _sum(name, places, verdicts), "places": places, "verdict": verdicts[0] if verdicts else None,
        "reasons": reasons, "rows": [{**row, "href": words.item(row["job"], row["key"])} for row in items],
        "example": await asyncio.to_thread(_example, setup, items) if items else {},
        "commands": _commands(setup, name), "per_day": {day: counts.get(day, 0) for day in labels},
        "table": words.table("tickets", fingerprint=name, _sort_desc="since"),
        "csv": words.table("tickets.csv", fingerprint=name, _size="max"),
    }  # fmt: skip
    values = {"items": [counts.get(day, 0) for day in labels]}
    return await answer(datasette, request, "group", context, {"chart": charts.bars(labels, values, "items by day")})


_WHERE = "FROM tickets WHERE fingerprint = :name AND state IN ('failed', 'held', 'later')"
_REASONS = f"SELECT reason, count(*) AS n {_WHERE} GROUP BY reason ORDER BY n DESC LIMIT :most"
_PER_DAY = f"SELECT substr(since, 1, 10) AS day, count(*) AS n {_WHERE} AND since >= :first GROUP BY day"
_ITEMS = f"""
    SELECT job, stage, key, state, since, due, attempts, reason,
        (SELECT title FROM items WHERE id = item) AS title {_WHERE} ORDER BY since DESC LIMIT :most"""


def _sum(name: str, places: list[dict[str, Any]], verdicts: list[dict[str, Any]]) -> Json:
    totals: Json = {what: sum(row[what] or 0 for row in places) for what in ("items", "failed", "held", "later")}
    cls = next((row["class"] for row in (*places, *verdicts) if row["class"]), "unknown")
    first = min((row["first"] for row in places if row["first"]), default=None)
    last = max((row["last"] for row in places if row["last"]), default=None)
    return {"fingerprint": name, "class": cls, "first": first, "last": last, **totals}


def _example(setup: Setup, items: list[dict[str, Any]]) -> Json:
    """What the latest one's ticket remembers of its last try; {} if it has moved on."""
    latest: Mapping[str, Any] = items[0]
    try:
        found = stage_of(setup.spool, latest["job"], latest["stage"], file_name(latest["key"]), time.time())
    except OSError:
        return {}
    return found["attempts"][-1] if found and found["attempts"] else {}


def _commands(setup: Setup, name: str) -> list[Json]:
    if name == "none":
        return []
    able = [
        ("run them all again now", f"rivus-doctor retry {name}"),
        ("park them all for a person", f"rivus-doctor hold {name}"),
        ("park what fails so from now on as well", f"rivus-doctor hold --always {name}"),
        ("give them all up", f"rivus-doctor fail {name}"),
        ("give up what fails so from now on as well", f"rivus-doctor fail --always {name}"),
    ]
    options = commands(setup.spool, setup.jobs_folder).options
    return [{"what": what, "short": command, "command": with_options(command, options)} for what, command in able]
