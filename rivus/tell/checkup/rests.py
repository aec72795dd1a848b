"""What rests because somebody or something decided so: paused jobs and parked sources, with their cause."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rivus.locks import holders
from rivus.model.times import utc
from rivus.spool.pause import paused
from rivus.tell.checkup.finding import Finding, one_line, word
from rivus.tell.checkup.visit import Visit
from rivus.tell.checkup.work import stopped


def paused_jobs(visit: Visit) -> Iterator[Finding]:
    """Jobs of which nothing runs until a person resumes them."""
    for name in sorted({*visit.spool.jobs(), *visit.jobs.jobs}):
        if rest := paused(visit.spool, name):
            by = f" (by {one_line(rest['by'])})" if rest.get("by") else ""
            what = f"{name} is paused since {one_line(rest.get('since', '?'))}: {one_line(rest.get('why'))}{by}"
            yield Finding(what, visit.commands.rivus("limit", "unpause", name), grave=True)


def resting_sources(visit: Visit) -> Iterator[Finding]:
    """Sources that are left alone, that are tried again with one item, or whose limit cannot be read."""
    from rivus.limits import Limits

    limits = Limits(Path(visit.spool.limits), visit.jobs.limits)
    for name in sorted(visit.jobs.limits):
        status = limits.status(name)
        for why in status.broken:
            yield Finding(f"limit {name}: {one_line(why, 400)}", _open(visit, name, why), grave=True)
        resume = visit.commands.rivus("limit", "resume", name)
        if rest := status.parked:
            until = "until it is resumed" if rest.until is None else f"until {utc(rest.until)}"
            what = f"the source {name} is parked {until}: {one_line(rest.why)} (by {one_line(rest.by)})"
            yield Finding(what, resume, grave=rest.until is None)
        elif rest := status.half_open:
            what = f"the source {name} is half-open, one item at a time until one goes well: {one_line(rest.why)}"
            yield Finding(what, resume)


def _open(visit: Visit, name: str, why: str) -> str:
    """What makes a limit usable again: its state made anew, or the stopped process going on that has it locked."""
    folder = Path(visit.spool.limits) / name
    if pids := [pid for pid in holders(folder / "state.lock") if stopped(pid)]:
        return f"kill -CONT {' '.join(map(str, pids))}"
    if "rivus-limit reset" in why:
        return visit.commands.rivus("limit", "reset", name)
    return f"namei -l -- {word(str(folder / 'state.lock'))}"
