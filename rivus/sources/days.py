"""The whole days (UTC) of a look, for sources that are asked by the day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from rivus.model.outcome import Halt
from rivus.sources.dates import Span


def days_of(span: Span, back: int, ahead: int) -> tuple[date, date]:
    """The first and the last day that are asked for: those of the span, where it is open `back` days before today and
    `ahead` days after it. Raises Halt if there is none between, or no such day."""
    today = datetime.now(UTC).date()
    first = span.since.date() if span.since else _day_from(today, -back, "days_back")
    last = (span.until - timedelta(microseconds=1)).date() if span.until else _day_from(today, ahead, "days_ahead")
    if last < first:
        raise Halt(f"since, until: {first} to {last} holds no day; give both")
    return first, last


def _day_from(today: date, days: int, name: str) -> date:
    try:
        day = today + timedelta(days=days)
    except OverflowError:
        day = date.min
    if not 1900 <= day.year < 3000:
        raise Halt(f"{name}: {abs(days)} days is beyond any calendar")
    return day
