"""Which version each stage has now, and how many results another one made."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from rivus.dash.pages.answer import jobs_of, rows, setup_of
from rivus.model.outcome import Json

if TYPE_CHECKING:
    from datasette.app import Datasette

    from rivus.dash.setup import Setup

KEPT = 60.0
"""Seconds for which a version that was reckoned holds: it takes 10 ms to read the code of a handler."""
_present: dict[tuple[str, str], tuple[float, str | None]] = {}


async def stale_results(datasette: Datasette, jobs: list[dict[str, Any]]) -> list[Json]:
    """`{job, stage, n}` of each stage with results that another version made. jobs: rows of the table `jobs`."""
    found: dict[tuple[str, str], int] = {}
    for row in await rows(datasette,


_BY_VERSION):
        now = await asyncio.to_thread(present, setup_of(datasette), row["job"], row["stage"])
        if now is not None and row["version"] != now:
            found[row["job"], row["stage"]] = found.get((row["job"], row["stage"]), 0) + row["n"]
    enabled = {job["name"] for job in jobs if job["enabled"]}
    return [{"job": job, "stage": stage, "n": n} for (job, stage), n in found.items() if job in enabled]


def present(setup: Setup, job: str, stage: str) -> str | None:
    """The id of the version that a stage has now; None if there is no such stage or its code cannot be read."""
    from rivus.errors import RivusError
    from rivus.versions.parts import version_of

    known, now = _present.get((job, stage)), time.monotonic()
    if known is None or now > known[0]:
        try:
            defined = jobs_of(setup.jobs_folder).jobs[job]
            version: str | None = version_of(defined, defined.stages[stage]).id
        except (RivusError, OSError, KeyError):
            version = None
        known = _present[job, stage] = now + KEPT, version
    return known[1]


_BY_VERSION = """
    SELECT job, stage, version, count(*) AS n FROM tickets
    WHERE version IS NOT NULL GROUP BY job, stage, version"""
