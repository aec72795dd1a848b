"""The strategies `dates` and `list`: items that the job itself names."""

from __future__ import annotations

import builtins
import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json
from rivus.sources.dates import moment_of, span_of
from rivus.sources.keys import is_fit, key_of
from rivus.sources.listed import note_listed

NETWORK = False
FARTHEST = 3_660
"""Days ahead."""
Step: TypeAlias = Literal["day", "week", "month", "business day"]
Entry: TypeAlias = str | int | dict[str, Any]


def dates(
    look: Look,
    *,
    start: str,
    end: str | None = None,
    days_ahead: int = 0,
    step: Step = "day",
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """Dates, the last first: for what is asked for by the day, and to catch up on a past.

        discover: {strategy: dates, start: "2020-01-01", step: business day, calendar: daily}

    start:      the first date (ISO 8601, in quotes).
    end:        the last; default: today (UTC) and `days_ahead` days.
    days_ahead: see end.
    step:       day, week, month (the day of `start`, or the month's last) or business day (Monday to Friday).
    since:      only dates from this one on (ISO 8601); until: only those before it.

    The key is the date. The data has date and until, the next one: what lies between is the date's.
    Raises Halt for what is no date, and for a span that is none.
    """
    span = span_of(since, until)
    first, last = _day(start, "start"), _last(end, days_ahead)
    if end and last < first:
        raise Halt(f"start: {first} is after the end, {last}")
    # A month more, so that the last has one that follows.
    days = [*_days(first, last + timedelta(days=32), step)]
    for day, following in reversed([*pairwise(days)]):
        if day <= last and span.holds(day.isoformat()):
            yield Found(day.isoformat(), {"date": day.isoformat(), "until": following.isoformat()})


def list(look: Look, *, items: builtins.list[Entry]) -> Iterator[Found]:
    """The items that stand in the job, in their order.

        discover: {strategy: list, items: [AAPL, NVDA, {key: tsla, symbol: TSLA, sector: cars}]}

    items: texts, numbers and mappings.

    The key of a text or number is itself, and the data has it as `value`, or as `url` if it is an address. That of a
    mapping is its `key`, else its `id` or `url`; the data is the mapping without `key`.
    Raises Halt for one without a key, and for two with the same.
    """
    found = [_entry(entry, number) for number, entry in enumerate(items, 1)]
    seen: set[str] = set()
    for one in found:
        if one.key in seen:
            raise Halt(f"items: {one.key!r} stands there twice")
        seen.add(one.key)
    yield from found
    note_listed(look, (), {"": seen})


def _entry(entry: Entry, number: int) -> Found:
    if not isinstance(entry, dict):
        address = str(entry).startswith(("http://", "https://"))
        return Found(_key(entry, number), {"url" if address else "value": entry})
    named = next((entry[name] for name in ("key", "id", "url") if entry.get(name) is not None), None)
    data: Json = {name: value for name, value in entry.items() if name != "key"}
    return Found(_key(named, number), data)


def _key(value: Any, number: int) -> str:
    fit = (isinstance(value, str) and is_fit(value)) or (isinstance(value, int) and not isinstance(value, bool))
    if not fit or not (key := key_of(str(value))):
        raise Halt(f"items: number {number} has no key (a text or a whole number): {str(value)[:100]!r}")
    return key


def _days(first: date, last: date, step: Step) -> Iterator[date]:
    """From `first` to `last`, both included."""
    number, day = 0, first
    while day <= last:
        if step != "business day" or day.weekday() < 5:
            yield day
        number += 1
        day = _month(first, number) if step == "month" else first + number * timedelta(days=7 if step == "week" else 1)


def _month(first: date, number: int) -> date:
    """The day of `first` so many months later; the month's last if it is shorter."""
    year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
    return date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1]))


def _last(end: str | None, days_ahead: int) -> date:
    if not 0 <= days_ahead <= FARTHEST:
        raise Halt(f"days_ahead: {days_ahead} is not between 0 and {FARTHEST}")
    return _day(end, "end") if end else datetime.now(UTC).date() + timedelta(days=days_ahead)


def _day(text: str, name: str) -> date:
    moment = moment_of(text)
    if moment is None or not 1900 <= moment.year < 3000:
        raise Halt(f"{name}: {text!r} is no ISO 8601 date (2024-01-31)")
    return moment.date()
