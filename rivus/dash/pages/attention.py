"""What needs a person, the gravest first: jobs that stand still, sources that rest, what is held, failed or late."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivus.dash.pages import words
from rivus.dash.pages.answer import jobs_of, numbers, rows
from rivus.dash.pages.versions import stale_results
from rivus.dash.setup import Setup
from rivus.model.outcome import Json
from rivus.model.reason import with_options
from rivus.model.times import epoch, utc
from rivus.tell.checkup.finding import commands, one_line, word

if TYPE_CHECKING:
    from datasette.app import Datasette

GROUPS = 5
OVERDUE = 300.0
"""Seconds after which a ticket that is due and still waits shows that no sweep comes."""
LOOKS = 300
QUIET = 3.0
EMPTY = 3
DAY = 86400.0


async def attention(datasette: Datasette, setup: Setup, jobs: list[dict[str, Any]], now: float) -> list[Json]:
    """Lines `{kind, grave, what, since, why, href, command, short}`; short: the command without the options that say
    which folders it is about. jobs: rows of the table `jobs`."""
    parts = await asyncio.gather(
        asyncio.to_thread(lambda: list(_sources(setup, now))),
        _overdue(datasette, now),
        _failures(datasette),
        _held_by_hand(datasette),
        *(_silent(datasette, job, now) for job in jobs if job["enabled"] and not job["paused"]),
        asyncio.to_thread(lambda: list(_rejected(setup))),
        _stale(datasette, jobs),
    )
    lines = [*_jobs(jobs), *itertools.chain.from_iterable(parts)]
    mend = commands(setup.spool, setup.jobs_folder)
    for line in lines:
        line["short"] = line["command"]
        line["command"] = with_options(line["command"], mend.options)
    return sorted(lines, key=lambda line: not line["grave"])


def _line(
    kind: str, what: str, why: object = "", *, since: str | None = None, href: str = "", command: Iterable[str] = (),
    grave: bool = False,
) -> Json:  # fmt: skip
    return {
        "kind": kind, "grave": grave, "what": what, "since": since, "why": one_line(why or "", 400), "href": href,
        "command": " ".join(map(word, command)),
    }  # fmt: skip


def _jobs(jobs: list[dict[str, Any]]) -> Iterator[Json]:
    for job in jobs:
        name, href = job["name"], words.job(job["name"])
        if job["paused"]:
            go_on = ("rivus-limit", "unpause", name)
            what, since = f"{name} is paused", job["paused_since"]
            yield _line("paused", what, job["paused_why"], since=since, href=href, command=go_on, grave=True)
        if job["problem"]:
            what = f"{name} cannot run: its file is not sound"
            yield _line("broken", what, job["problem"], href=href, command=["rivus-check"], grave=True)


def _sources(setup: Setup, now: float) -> Iterator[Json]:
    from rivus.errors import RivusError
    from rivus.limits import Limits

    try:
        defined = jobs_of(setup.jobs_folder).limits
    except (RivusError, OSError) as error:
        yield _line("broken", "jobs.d cannot be read", error, command=["rivus-check"], grave=True)
        return
    limits = Limits(Path(setup.spool.limits), defined)
    for status in map(limits.status, sorted(defined)):
        href, resume = "/limits", ("rivus-limit", "resume", status.name)
        if status.broken:
            what, again = f"the limit {status.name} is closed", ("rivus-limit", "reset", status.name)
            yield _line("broken", what, "; ".join(status.broken), href=href, command=again, grave=True)
        if rest := status.parked:
            ends = "until a person resumes it" if rest.until is None else f"and opens {words.age(utc(rest.until), now)}"
            what, grave = f"{status.name} is parked {ends}", rest.until is None
            yield _line("parked", what, rest.why, since=utc(rest.since), href=href, command=resume, grave=grave)
        elif rest := status.half_open:
            what = f"{status.name} is tried with one item at a time"
            yield _line("parked", what, rest.why, since=utc(rest.since), href=href, command=resume)


async def _failures(datasette: Datasette) -> list[Json]:
    """Groups with items that nothing but a person will move."""
    sql = """
        SELECT fingerprint, class, sum(failed) AS failed, sum(held) AS held, sum(later) AS later, max(last) AS last,
            min(example_reason) AS reason, replace(group_concat(DISTINCT job), ',', ', ') AS jobs, count(*) OVER () AS n
        FROM failures GROUP BY fingerprint HAVING sum(failed) + sum(held) > 0
        ORDER BY sum(held) > 0 DESC, sum(failed) + sum(held) DESC LIMIT :most"""
    found = await rows(datasette, sql, most=GROUPS)
    lines = []
    for row in found:
        counts = ", ".join(f"{words.count(row[name])} {name}" for name in ("held", "failed", "later") if row[name])
        what, known = f"{row['jobs']}: {row['class'] or 'unknown'}, {counts}", row["fingerprint"] != "none"
        retry = ("rivus-doctor", "retry", row["fingerprint"]) if known else ()
        kind, href = "held" if row["held"] else "failed", words.group(row["fingerprint"])
        lines.append(_line(kind, what, row["reason"], since=row["last"], href=href, command=retry))
    if found and found[0]["n"] > GROUPS:
        lines.append(_line("failed", f"{found[0]['n'] - GROUPS} more groups of failures", href="/failures"))
    return lines


async def _held_by_hand(datasette: Datasette) -> list[Json]:
    sql = """
        SELECT job, stage, count(*) AS n, min(since) AS since FROM tickets
        WHERE state = 'held' AND fingerprint IS NULL GROUP BY job, stage"""
    return [
        _line(
            "held", f"{row['job']}: {words.plural(row['n'], 'item')} of {row['stage']} held by hand",
            since=row["since"], href=words.job(row["job"], **{f"{row['stage']}_state": "held"}),
        )
        for row in await rows(datasette, sql)
    ]  # fmt: skip


async def _stale(datasette: Datasette, jobs: list[dict[str, Any]]) -> list[Json]:
    found = await stale_results(datasette, jobs)
    why = "made by another version of the stage than the present one"
    return [
        _line("stale", f"{one['job']}:{one['stage']}: {words.plural(one['n'], 'stale result')}", why, href="/stale")
        for one in found
    ]


async def _overdue(datasette: Datasette, now: float) -> list[Json]:
    sql = "SELECT count(*) AS n, min(due) AS due FROM tickets WHERE due IS NOT NULL AND due < :before"
    found = await numbers(datasette, sql, before=utc(now - OVERDUE))
    if not found["n"]:
        return []
    what = f"{words.plural(found['n'], 'item')} should have been tried again by now"
    href, sweep = words.table("tickets", state="later", _sort="due"), ["rivus-sweep"]
    why = "nothing seems to sweep the spool"
    return [_line("overdue", what, why, since=found["due"], href=href, command=sweep, grave=True)]


async def _silent(datasette: Datasette, job: dict[str, Any], now: float) -> list[Json]:
    """A source without anything new for much longer than usual, or that shows nothing at all any more."""
    from rivus.tell.checkup.sources import usual_gap

    name, look = job["name"], ("rivus-discover", "-v", job["name"])
    sql = "SELECT discovered FROM items WHERE job = :job AND discovered NOT NULL ORDER BY discovered DESC LIMIT :most"
    times = sorted(epoch(row["discovered"]) for row in await rows(datasette, sql, job=name, most=LOOKS))
    gap, lines = usual_gap(times), []
    quiet = now - max(times, default=now)
    if gap is not None and quiet > max(DAY, QUIET * gap) and job["next_look"]:
        what, why = f"{name}: nothing new for {words.span(quiet)}", f"usual is {words.span(gap)}"
        lines.append(_line("silent", what, why, href=words.job(name), command=look))
    past = await rows(datasette, "SELECT seen FROM sources WHERE job = :job ORDER BY t", job=name)
    seen = [row["seen"] for row in past]
    before = seen[:-EMPTY]
    if len(before) >= EMPTY and not any(seen[-EMPTY:]) and sum(map(bool, before)) >= 0.9 * len(before):
        what = f"{name}: the last {EMPTY} looks at its source found nothing at all"
        why = f"usual is {sorted(before)[len(before) // 2]}"
        lines.append(_line("silent", what, why, href=words.job(name), command=look))
    return lines


def _rejected(setup: Setup) -> Iterator[Json]:
    from rivus.spool.layout import names

    count = sum(1 for name in names(setup.spool.rejected) if not name.endswith(".reason.json"))
    if count:
        what = f"{words.plural(count, 'file')} could not become items"
        yield _line("rejected", what, "the reason stands beside each", command=["ls", "-lt", setup.spool.rejected])
