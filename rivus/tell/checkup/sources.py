"""Sources that have gone quiet: nothing new for longer than usual, or nothing at all where there used to be some."""

from __future__ import annotations

import heapq
import itertools
import math
import os
from collections.abc import Iterator

from rivus.model.quantity import format_duration
from rivus.model.times import epoch
from rivus.spool.layout import Spool
from rivus.spool.looks import looks
from rivus.spool.reader import Unreadable, read_document
from rivus.tell.checkup.finding import Finding
from rivus.tell.checkup.visit import MANY, Visit, sample

LAST = 30
"""Discoveries that tell what is usual."""
LEAST_GAPS = 3
ONE_LOOK = 60.0
"""Seconds within which discoveries count as one look's."""
USUAL = 3.0
DAY = 86400.0
MOST_READ = 2_000
EMPTY = 3
"""Empty looks in a row that are worth a word."""


def silent(visit: Visit) -> Iterator[Finding]:
    """Sources without anything new for three times the gap that 9 of 10 of their last ones stayed below, and a day."""
    for name, job in visit.active.items():
        if job.discover is None or _last_change(visit.spool, name) > visit.now - DAY:
            continue
        times = discoveries(visit.spool, name)
        gap = usual_gap(times)
        quiet = visit.now - max(times, default=visit.now)
        if gap is not None and quiet > max(DAY, USUAL * gap):
            what = f"{name}: nothing new from its source for {format_duration(quiet)}; usual is {format_duration(gap)}"
            yield Finding(what, visit.commands.rivus("discover", "-v", name))


def empty(visit: Visit) -> Iterator[Finding]:
    """Sources in which the last looks found nothing at all, known or new, where nearly all looks before found some."""
    for name, job in visit.active.items():
        seen = [look["seen"] for look in looks(visit.spool, name)] if job.discover else []
        before, last = seen[:-EMPTY], seen[-EMPTY:]
        if len(before) >= EMPTY and not any(last) and sum(map(bool, before)) >= 0.9 * len(before):
            usual = sorted(before)[len(before) // 2]
            what = f"{name}: the last {EMPTY} looks at its source found nothing, where there used to be {usual}"
            yield Finding(what, visit.commands.rivus("discover", "-v", name))


def discoveries(spool: Spool, job: str) -> list[float]:
    """When the last items of a job were found, in seconds since the epoch, in order; [] if it cannot be told.

    A birth record is never older than its discovery, but a ticket that was put off shares its file and so its time.
    Hence the newest files are read, until what they say is later than any file that is left.
    """
    newest: list[float] = []
    files = [(-state.st_mtime, path) for path, state in sample(spool.births(job), most=MANY)]
    heapq.heapify(files)
    for _ in range(min(MOST_READ, len(files))):
        modified, path = heapq.heappop(files)
        if len(newest) == LAST and newest[0] >= -modified:
            return sorted(newest)
        if (when := _discovered(path)) is not None:
            (heapq.heappush if len(newest) < LAST else heapq.heappushpop)(newest, when)
    return [] if files else sorted(newest)


def usual_gap(times: list[float]) -> float | None:
    """The 90th percentile of the seconds between looks that found something; None if there were too few of them."""
    gaps = sorted(after - before for before, after in itertools.pairwise(times) if after - before > ONE_LOOK)
    return gaps[math.ceil(0.9 * len(gaps)) - 1] if len(gaps) >= LEAST_GAPS else None


def _last_change(spool: Spool, job: str) -> float:
    """No item was found after this: a new name changes the directory's time."""
    try:
        return os.stat(spool.births(job)).st_mtime
    except FileNotFoundError:
        return math.inf


def _discovered(path: str) -> float | None:
    try:
        meta = read_document(path).get("meta")
        return epoch(str(meta["discovered"])) if isinstance(meta, dict) and "backfill" not in meta else None
    except (FileNotFoundError, Unreadable, KeyError, ValueError):
        return None
