"""What Datasette is told of the index: descriptions of tables and columns, the named queries, how each job's view is
sorted, faceted and searched, and what is not worth showing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rivus.dash.queries import QUERIES
from rivus.dash.setup import Setup
from rivus.index.schema import FIXED
from rivus.index.tables import TABLES

LOOKS: dict[str, dict[str, Any]] = {
    "items": {"sort_desc": "discovered", "facets": ["job", "state"]},
    "tickets": {"facets": ["job", "stage", "state"]},
    "runs": {"sort_desc": "started", "facets": ["outcome"]},
    "failures": {"sort_desc": "items", "facets": ["class", "job"]},
    "limits": {"sort_desc": "t", "facets": ["name"]},
    "sources": {"sort_desc": "t", "facets": ["job"]},
    "days": {"sort_desc": "day", "facets": ["job", "stage"]},
    "verdicts": {"sort_desc": "written"},
}
"""How the fixed tables are shown at first."""
HIDDEN = {"hidden": True}
FACETS = 4
_NEWEST = ("published", "date", "discovered")
"""Columns by which a job's items are sorted, the first that there is: newest first."""


def metadata(setup: Setup) -> dict[str, Any]:
    """All of it, as Datasette's metadata.json would say it. Not to be changed by whoever gets it."""
    tables = {name: {**_fixed(name), **LOOKS.get(name, {})} for name in TABLES}
    for name, job in setup.jobs.items():
        tables[f"job_{name}"] = _view(name, job)
        tables[f"data_{name}"] = HIDDEN
    tables["search"] = HIDDEN
    folders = {"spool": setup.spool.root, "limits": setup.spool.limits, "jobs": str(setup.jobs_folder)}
    rivus = {"description": "The index of the spool: made from it, safe to delete.", "tables": tables}
    return {
        "title": "rivus",
        "plugins": {"rivus": folders},
        "databases": {"rivus": {**rivus, "queries": {name: query._asdict() for name, query in QUERIES.items()}}},
    }


def _fixed(name: str) -> dict[str, Any]:
    table = TABLES[name]
    told: dict[str, Any] = {"description": table.help, "columns": dict(table.columns)}
    return {**told, **HIDDEN} if table.internal else told


def _view(name: str, job: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, str] = json.loads(job["columns"])
    states = [f"{stage['name']}_state" for stage in json.loads(job["stages"])]
    told: dict[str, Any] = {
        "title": job["title"] or name,
        "description": f"The items of the job {name}, with the columns that it names.",
        "columns": {
            "item": "items.id", "key": "as in items", **{one: f"{path} of the item" for one, path in columns.items()},
            **FIXED, **dict.fromkeys(states, "the directory it is in, in this stage"),
        },
        "sort_desc": next(one for one in _NEWEST if one in columns or one == "discovered"),
        "facets": ["state", *states][:FACETS],
    }  # fmt: skip
    return {**told, "fts_table": "search", "fts_pk": "item"} if json.loads(job["search"]) else told
