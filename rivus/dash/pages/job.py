"""`/job/JOB`: one job: its pipeline, how it goes, and its items by the columns that its YAML asks for.

Filters are called as in Datasette's own table `job_JOB`, so an address can be carried over: `COLUMN=value`,
`state=trouble`, `STAGE_state=failed`, `_search=words`, `_sort=COLUMN`, `_sort_desc=COLUMN`; besides `_page=2`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rivus.dash.pages import words
from rivus.dash.pages.answer import answer, asked, missing, rows
from rivus.dash.pages.choose import Choice, choose, facets, matching, page_of
from rivus.dash.pages.home import pipeline, stage_counts
from rivus.dash.pages.trends import trends
from rivus.model.item import NAME
from rivus.model.outcome import Json

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.utils.asgi import Request, Response


async def job(datasette: Datasette, request: Request) -> Response:
    """The page. Context: `job`, `columns`, `rows`, `facets`, `filters`, `total`, `days`, `durations`, `classes`."""
    parts, _ = asked(request, "job")
    name = parts[0] if len(parts) == 1 and NAME.fullmatch(parts[0]) else ""
    known = await rows(datasette, "SELECT * FROM jobs WHERE name = :name", name=name)
    if not known:
        return await missing(datasette, request, f"There is no job {parts[0]}.")
    row = known[0]
    stages = [stage["name"] for stage in json.loads(row["stages"])]
    choice = choose(name, list(json.loads(row["columns"])), stages, bool(json.loads(row["search"])), request.args)
    total, counts, (figures, drawn) = await asyncio.gather(
        matching(datasette, choice),
        stage_counts(datasette, name),
        trends(datasette, name, stages, request.args.get("_stage") or "", time.time()),
    )
    found, picks = await asyncio.gather(page_of(datasette, choice, total), facets(datasette, choice))
    context: Json = {
        "job": {**_about(row), "stages": pipeline(row, counts.get(name, {}))},
        "columns": _columns(choice, found), "rows": [_row(choice, one) for one in found], "facets": picks,
        "filters": _filters(choice), "search": choice.search if choice.searchable else None, "total": total,
        "stage_names": stages, **_pages(choice, total, len(found)),
        "table": words.table(f"job_{name}", **choice.given()),
        "csv": words.table(f"job_{name}.csv", **choice.given(), _size="max"), **figures,
    }  # fmt: skip
    return await answer(datasette, request, "job", context, drawn)


def _about(row: dict[str, Any]) -> Json:
    names = ("name", "title", "paused_since", "paused_why", "last_look", "next_look", "file", "problem")
    return {name: row[name] for name in names} | {"enabled": bool(row["enabled"]), "paused": bool(row["paused"])}


def _columns(choice: Choice, found: Sequence[dict[str, Any]]) -> list[Json]:
    """How each column is shown: its address to sort by, how it is sorted now, and whether it holds numbers or times."""
    columns = []
    for name in (*choice.columns, "discovered"):
        values = [row[name] for row in found if row[name] is not None]
        kind = "number" if values and all(isinstance(value, int | float) for value in values) else "text"
        if values and all(isinstance(value, str) and _is_moment(value) for value in values):
            kind = "time"
        sorted_ = ("down" if choice.down else "up") if choice.sort == name else ""
        other = "_sort" if sorted_ == "down" else "_sort_desc"
        columns.append({"name": name, "kind": kind, "sorted": sorted_, "href": choice.href({other: name}, "sort")})
    return columns


def _is_moment(value: str) -> bool:
    return len(value) >= 20 and value[4] == value[7] == "-" and value[10] == "T" and value[-1] == "Z"


def _row(choice: Choice, row: dict[str, Any]) -> Json:
    return {
        "key": row["key"], "href": words.item(choice.job, row["key"]), "state": row["state"],
        "values": {name: row[name] for name in (*choice.columns, "discovered")},
        "states": {stage: row[f"{stage}_state"] for stage in choice.stages},
    }  # fmt: skip


def _filters(choice: Choice) -> list[Json]:
    """What is filtered by now, each with the address that ends it."""
    filters = [{"name": name, "value": value, "href": choice.href({}, name)} for name, value in choice.filters.items()]
    if choice.search:
        filters.append({"name": "search", "value": choice.search, "href": choice.href({}, "_search")})
    return filters


def _pages(choice: Choice, total: int, shown: int) -> Json:
    first = (choice.page - 1) * choice.size
    more = total > first + shown and shown
    return {
        "first": first + 1 if shown else 0, "last": first + shown, "page": choice.page,
        "before": choice.href({"_page": choice.page - 1}, "_page") if choice.page > 1 else "",
        "after": choice.href({"_page": choice.page + 1}, "_page") if more and choice.page < choice.last else "",
    }  # fmt: skip
