"""How each stage is now, and how many results were made by a version that does not count as that."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from rivus.dash.pages.answer import jobs_of, rows, setup_of
from rivus.model.outcome import Json

if TYPE_CHECKING:
    from datasette.app import Datasette

    from rivus.dash.setup import Setup
    from rivus.stale.present import Present

KEPT = 60.0
"""Seconds for which a version that was reckoned holds: it takes 10 ms to read the code of a handler."""
_kept: dict[tuple[str, str, str], tuple[float, Present | None]] = {}
_BY_VERSION = """
    SELECT job, stage, version, count(*) AS n FROM tickets
    WHERE version IS NOT NULL GROUP BY job, stage, version"""


async def stale_results(datasette: Datasette, jobs: list[dict[str, Any]]) -> list[Json]:
    """`{job, stage, n}` of each stage with stale results. jobs: rows of the table `jobs`."""
    found: dict[tuple[str, str], int] = {}
    for row in await rows(datasette, _BY_VERSION):
        now = await asyncio.to_thread(present_stage, setup_of(datasette), row["job"], row["stage"])
        if now is not None and row["version"] not in now.equal:
            found[row["job"], row["stage"]] = found.get((row["job"], row["stage"]), 0) + row["n"]
    enabled = {job["name"] for job in jobs if job["enabled"]}
    return [{"job": job, "stage": stage, "n": n} for (job, stage), n in found.items() if job in enabled]


def present_stage(setup: Setup, job: str, stage: str) -> Present | None:
    """How a stage is now; None if there is no such stage or its code cannot be read."""
    from rivus.errors import RivusError
    from rivus.stale.present import present

    place = (setup.spool.root, job, stage)
    known, now = _kept.get(place), time.monotonic()
    if known is None or now > known[0]:
        try:
            found: Present | None = present(setup.spool, jobs_of(setup.jobs_folder).jobs[job], stage)
        except (RivusError, OSError, KeyError):
            found = None
        known = _kept[place] = now + KEPT, found if found and found.parts else None
    return known[1]
