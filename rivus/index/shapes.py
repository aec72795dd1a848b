"""What the index knows of the jobs: the shape of their tables, and the small tables that tell of jobs, looks, verdicts
and limits. All but the samples of limits can be made again from the spool and jobs.d."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivus.errors import BadConfig
from rivus.index.derive import REASON, Row, count, moment, text
from rivus.index.reading import entries
from rivus.index.schema import Shape, Shapes
from rivus.model.decide import FOREVER
from rivus.model.item import NAME
from rivus.model.times import epoch, utc
from rivus.spool.layout import Spool
from rivus.spool.looks import looks
from rivus.spool.pause import paused

if TYPE_CHECKING:
    from rivus.config.load import Jobs

KEPT = 7 * 86400.0
"""Seconds for which samples of limits are kept."""
_VERDICT = re.compile(r"([0-9a-f]{16})\.yaml")


def shapes(spool: Spool, jobs: Jobs, before: Shapes) -> dict[str, Shape]:
    """The shape of every job of jobs.d and of the spool. before: what the index has; a job whose file is broken now
    keeps that. One that is in the spool alone has the stages that have a directory."""
    here = {name for name in spool.jobs() if os.path.isdir(f"{spool.root}/{name}")}
    found = {}
    for name in sorted({*jobs.jobs, *here, *filter(NAME.fullmatch, jobs.broken)}):
        if job := jobs.jobs.get(name):
            found[name] = Shape(job.columns, tuple(job.search), job.plan.needs)
        elif name in jobs.broken and name in before:
            found[name] = before[name]
        else:
            found[name] = Shape({}, (), dict.fromkeys(spool.stages(name), ()))
    return found


def shapes_in(rows: list[tuple[str, str, str, str]]) -> dict[str, Shape]:
    """The shapes that an index has: name, stages, columns and search of its table `jobs`."""
    return {
        name: Shape(
            json.loads(columns), tuple(json.loads(search)),
            {stage["name"]: tuple(stage["needs"]) for stage in json.loads(stages)},
        )
        for name, stages, columns, search in rows
    }  # fmt: skip


def job_rows(spool: Spool, jobs: Jobs, known: Mapping[str, Shape]) -> Iterator[Row]:
    """The table `jobs`."""
    for name, shape in known.items():
        job = jobs.jobs.get(name) or jobs.drafts.get(name)
        sound = name in jobs.jobs
        pause = paused(spool, name)
        stages = [{"name": stage, "needs": list(needs)} for stage, needs in shape.stages.items()]
        last = _last_look(spool, name)
        yield (
            name, text(job.title) if job and isinstance(job.title, str) else None,
            int(sound and jobs.jobs[name].enabled), int(pause is not None), moment((pause or {}).get("since")),
            text((pause or {}).get("why"), REASON), json.dumps(stages), json.dumps(dict(shape.columns)),
            json.dumps(shape.search), last, _next_look(jobs, name, last) if pause is None else None,
            text(str(job.file)) if job else None, None if sound else _problem(jobs, name),
        )  # fmt: skip


def _last_look(spool: Spool, job: str) -> str | None:
    return max(filter(None, (moment(look.get("t")) for look in looks(spool, job))), default=None)


def _next_look(jobs: Jobs, name: str, last: str | None) -> str | None:
    job = jobs.jobs.get(name)
    every = job.discover.every if job and job.enabled and job.discover else None
    return utc(epoch(last) + every) if last and every else None


def _problem(jobs: Jobs, name: str) -> str:
    told = [str(problem) for problem in jobs.problems if Path(problem.file).stem == name]
    return text("\n".join(told)) or ("its file is broken" if name in jobs.broken else "it is not in jobs.d")


def source_rows(spool: Spool, known: Shapes) -> Iterator[Row]:
    """The table `sources`."""
    for name in known:
        for look in looks(spool, name):
            yield name, moment(look.get("t")), count(look.get("seen")) or 0, count(look.get("new"))


def verdict_files(spool: Spool) -> list[tuple[str, int, int]]:
    """The verdicts as they are now: the group, the file's inode and when it was written."""
    found = []
    for name in sorted(entries(spool.verdicts)):
        if match := _VERDICT.fullmatch(name):
            try:
                status = os.stat(f"{spool.verdicts}/{name}")
            except FileNotFoundError:
                continue
            found.append((match[1], status.st_ino, status.st_mtime_ns))
    return found


def verdict_rows(spool: Spool, fingerprints: list[str]) -> Iterator[Row]:
    """The table `verdicts`."""
    from rivus.config.verdicts import read_verdict

    for fingerprint in fingerprints:
        try:
            verdict = read_verdict(spool.verdicts, fingerprint, -inf)
        except (BadConfig, OSError) as error:
            yield fingerprint, None, None, None, None, None, None, text(str(error), REASON)
            continue
        if verdict:
            told = (text(one, REASON) for one in (verdict.by, verdict.why))
            times = (moment(verdict.written), moment(verdict.expires))
            yield fingerprint, str(verdict.cls), str(verdict.action), *told, *times, None


def limit_rows(spool: Spool, jobs: Jobs, now: float) -> Iterator[Row]:
    """One sample of each limit, for the table `limits`."""
    from rivus.limits import Limits

    limits: Any = Limits(Path(spool.limits), jobs.limits)
    for name in jobs.limits:
        status = limits.status(name)
        until, why = None, "; ".join(status.broken)
        if status.parked:
            until = utc(min(status.parked.end, FOREVER))
            why = "; ".join([status.parked.why, *status.broken])
        tokens = None if status.tokens is None else round(status.tokens, 3)
        yield name, utc(now), status.slots, len(status.held), tokens, until, text(why, REASON)
