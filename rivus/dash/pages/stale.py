"""`/stale`: what was made by another version of its stage than the present one, or before the job's file was written;
and items that lack a stage. What is not known is said to be so."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

from rivus.dash.pages import words
from rivus.dash.pages.answer import answer, rows, setup_of
from rivus.dash.pages.home import stage_counts
from rivus.dash.pages.versions import present_stage
from rivus.model.outcome import Json
from rivus.model.times import utc

if TYPE_CHECKING:
    from datasette.app import Datasette
    from datasette.utils.asgi import Request, Response

VERSIONS = 50


async def stale(datasette: Datasette, request: Request) -> Response:
    """The page. Context: `stages`: of each how many results there are, by which versions, `stale`: how many of one that
    does not count as `present`, `blessed` (of each version that was made to count, who said so and why), how many are
    older than the job's file, and how many items have no ticket there."""
    jobs, sums, counts = await asyncio.gather(
        rows(datasette, "SELECT name, stages, file, problem FROM jobs ORDER BY name"),
        rows(datasette, "SELECT job, count(*) AS n FROM items GROUP BY job"),
        stage_counts(datasette),
    )
    known = {row["job"]: row["n"] for row in sums}
    stages = []
    for job in jobs:
        written = await asyncio.to_thread(_written, job["file"])
        for stage in (one["name"] for one in json.loads(job["stages"])):
            states = counts.get(job["name"], {}).get(stage, {})
            found = await _stage(datasette, job["name"], stage, written, states.get("done", 0))
            now = await asyncio.to_thread(present_stage, setup_of(datasette), job["name"], stage)
            found["present"] = now.parts["id"] if now and now.parts else None
            found["blessed"] = {row["version"]: row for row in now.said} if now else {}
            others = [row["n"] for row in found["versions"] if now and row["version"] not in now.equal]
            found["stale"] = sum(others) if now else None
            found["lacking"] = max(known.get(job["name"], 0) - sum(states.values()), 0)
            stages.append(found)
    return await answer(datasette, request, "stale", {"stages": stages})


async def _stage(datasette: Datasette, job: str, stage: str, written: str | None, results: int) -> Json:
    told = await rows(datasette, _VERSIONS, job=job, stage=stage, most=VERSIONS)
    older = await rows(datasette, _OLDER, job=job, stage=stage, written=written or "")
    return {
        "job": job, "stage": stage, "results": results, "versions": told,
        "unknown": max(results - sum(row["n"] for row in told), 0), "written": written,
        "older": older[0]["n"] if written else None,
        "href": words.table("tickets", job=job, stage=stage, state="done", since__lt=written, _sort="since"),
    }  # fmt: skip


_VERSIONS = """
    SELECT version, count(*) AS n, max(since) AS last FROM tickets
    WHERE job = :job AND stage = :stage AND version IS NOT NULL GROUP BY version ORDER BY last DESC LIMIT :most"""
_OLDER = """
    SELECT count(*) AS n FROM tickets WHERE job = :job AND stage = :stage AND state = 'done' AND since < :written"""


def _written(file: Any) -> str | None:
    """When the job's file was written last."""
    try:
        return utc(os.stat(str(file)).st_mtime) if file else None
    except (OSError, ValueError):
        return None
