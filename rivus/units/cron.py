"""The crontab that does what the units do, as far as cron can, for machines without systemd. crontab(5) gives `%` a
meaning of its own; what cron cannot say stands there as a comment. A pure function of the jobs, the place and a time.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING
from zlib import crc32

from rivus.config.schema import Discover, Job
from rivus.model.quantity import format_duration

if TYPE_CHECKING:
    from rivus.units.place import Place

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WORDS = {"minutely": "*:*", "hourly": "*:00", "daily": "00:00", "weekly": "Mon 00:00"}
_DAILY = re.compile(
    r"(?:(?P<days>[A-Za-z.,]+) +)?(?:\*-\*-\* +)?(?P<hour>\*|\d{1,2}):(?P<minute>\*|\d{1,2})(?::00)?"
    r"(?: +(?P<zone>[A-Za-z]\S*))?"
)
_HOURS = (1, 2, 3, 4, 6, 8, 12)
_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)


@dataclass(frozen=True)
class When:
    """fields: the five of crontab(5), "" if cron cannot say it. notes: what is different from what was asked."""

    fields: str
    notes: tuple[str, ...] = ()


def crontab(jobs: Mapping[str, Job], place: Place, now: datetime) -> str:
    """The whole crontab. now: with the time zone that cron has."""
    return "\n".join(_lines(jobs, place, now)) + "\n"


def _lines(jobs: Mapping[str, Job], place: Place, now: datetime) -> Iterator[str]:
    yield "# rivus from cron, for the account whose the spool is: rivus-units cron | crontab -"
    yield "# That replaces the account's whole crontab. Print it again after a change of jobs.d."
    yield "# A look that the machine slept through is not made up for, and a stage runs when its job is looked after,"
    yield "# not the moment an item is ready. Secrets: RIVUS_SECRET_NAME=… lines at the top of the crontab."
    for name in sorted(jobs):
        if jobs[name].enabled:
            yield from ("", *_job(jobs[name], place, now))
    minute = _stable("doctor", 60)
    yield from ("", f"{_stable('prune', 60)} 3 * * * {_command(place, 'rivus-prune')}")
    yield f"* * * * * {_command(place, 'rivus-sweep')}"
    # What a check-up finds is what it prints; cron mails that.
    yield f"{minute} * * * * {_command(place, 'rivus-doctor', quiet=False)}"


def _job(job: Job, place: Place, now: datetime) -> Iterator[str]:
    discover = job.discover
    if discover is None or (discover.every is None and discover.calendar is None):
        yield f"# {job.name}: a person starts its discovery; what is in its stages runs"
        for stage in job.stages:
            yield f"* * * * * {_command(place, 'rivus-stage', '--no-stdin', f'{job.name}:{stage}')}"
        return
    when = _calendar(discover.calendar, now) if discover.calendar else _every(job.name, discover)
    yield from (f"# {job.name}: {note}" for note in when.notes)
    yield f"{when.fields or '# WHEN'} {_command(place, 'rivus-run', job.name)}"


def _every(name: str, discover: Discover) -> When:
    """The longest time between two looks that cron can say and that is not longer than what was asked."""
    minutes = max(1, int((discover.every or 0) // 60))
    fields, said = _interval(name, minutes)
    exact = said * 60 == discover.every
    asked = format_duration(discover.every or 0)
    return When(fields, () if exact else (f"cron cannot say every {asked}: every {format_duration(said * 60)}",))


def _interval(name: str, minutes: int) -> tuple[str, int]:
    """Five fields for about so many minutes, at an offset of this job's own, and the minutes that they mean."""
    if minutes < 60:
        step = max(each for each in _MINUTES if each <= minutes)
        return ("* * * * *" if step == 1 else f"{_stable(name, step)}-59/{step} * * * *"), step
    minute, hours = _stable(name, 60), minutes // 60
    if hours < 24:
        step = max(each for each in _HOURS if each <= hours)
        return f"{minute} {'*' if step == 1 else f'{_stable(name, step)}-23/{step}'} * * *", step * 60
    hour = _stable(name, 24)
    if hours < 7 * 24:
        return f"{minute} {hour} * * *", 1440
    return f"{minute} {hour} * * {_stable(name, 7)}", 7 * 1440


def _calendar(expression: str, now: datetime) -> When:
    """A time of the day on some days of the week; anything else is for a person to translate."""
    found = _DAILY.fullmatch(_WORDS.get(expression.strip().lower(), expression.strip()))
    days = _days(found["days"]) if found else None
    zone = _zone(found["zone"]) if found and found["zone"] else None
    if found is None or days is None or (found["zone"] and zone is None):
        return When("", (f"say this in cron's words: {expression}",))
    hour, minute = found["hour"], found["minute"]
    if zone is None:
        clock = " ".join("*" if part == "*" else str(int(part)) for part in (minute, hour))
        return When(f"{clock} * * {_said(days)}")
    if "*" in (hour, minute):
        return When("", (f"say this in cron's words: {expression}",))
    return _shifted(int(hour), int(minute), days, zone, now)


def _shifted(hour: int, minute: int, days: set[int], zone: tzinfo, now: datetime) -> When:
    """The same moment by cron's clock, which knows one zone."""
    there, here = now.astimezone(zone).utcoffset(), now.utcoffset()
    ahead = int((here - there).total_seconds() // 60) if here is not None and there is not None else 0
    turn, rest = divmod(hour * 60 + minute + ahead, 1440)
    moved = {(day + turn) % 7 for day in days}
    note = f"{hour:02}:{minute:02} {zone}, by today's clocks; print this again when clocks have changed"
    return When(f"{rest % 60} {rest // 60} * * {_said(moved)}", (note,))


def _days(text: str | None) -> set[int] | None:
    """`Mon..Fri,Sun` as numbers of cron (0: Sunday); None if it is none of these."""
    days: set[int] = set()
    for part in (text or "sun..sat").lower().split(","):
        first, dots, last = part.partition("..")
        ends = [name[:3] for name in (first, last if dots else first)]
        if not set(ends) <= set(DAYS):
            return None
        start, length = DAYS.index(ends[0]), (DAYS.index(ends[1]) - DAYS.index(ends[0])) % 7
        days |= {(start + each) % 7 for each in range(length + 1)}
    return days


def _said(days: set[int]) -> str:
    return "*" if len(days) == 7 else ",".join(map(str, sorted(days)))


def _zone(name: str) -> tzinfo | None:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return None


def _stable(name: str, below: int) -> int:
    """A number of this job's own, the same each time, so that jobs do not all start in one minute."""
    return crc32(name.encode()) % below


def _command(place: Place, program: str, *arguments: str, quiet: bool = True) -> str:
    """One command line; a folder's `%` would end it. quiet: without its output, which are the items."""
    argv = [str(place.bin / program), "--jobs", str(place.jobs), "--spool", str(place.spool), *arguments]
    return shlex.join(argv).replace("%", r"\%") + (" >/dev/null" if quiet else "")
