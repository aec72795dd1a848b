"""Dates from outside as UTC in ISO 8601 (`2024-11-05T15:00:02Z`), or None where they make no sense; and spans of time.

A span is `since` (included) and `until` (not included): ISO dates or moments, in UTC where they name no zone. Either
may be None, which is open.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from time import struct_time
from typing import NamedTuple

from rivus.model.outcome import Halt

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""Anything before is a zero, a default or a typing error, not a publication on the web."""
AHEAD = timedelta(days=366)
"""Premieres and events are announced; what lies further ahead is an error."""
FIRST_MILLISECONDS = 1e11
"""As seconds that is the year 5138, as milliseconds 1973."""
LONGEST = 60
"""Characters of a text that could be a date."""


def from_struct(value: struct_time | None) -> str | None:
    """The date of a UTC struct_time, as feedparser gives it."""
    if value is None:
        return None
    try:
        return from_seconds(calendar.timegm(value))
    except (ValueError, OverflowError, TypeError):
        return None


def from_seconds(value: float | None) -> str | None:
    """The date of seconds since the epoch."""
    if value is None:
        return None
    try:
        return _plausible(datetime.fromtimestamp(value, UTC))
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def from_iso(value: object) -> str | None:
    """The date of an ISO 8601 text; one without a zone is taken as UTC."""
    moment = moment_of(value)
    return _plausible(moment) if moment else None


def from_any(value: object) -> str | None:
    """The date of what interfaces give: ISO 8601, seconds or milliseconds since the epoch, or as in mail (RFC 5322)."""
    text = "" if isinstance(value, bool) else str(value).strip()[:LONGEST]
    if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        return from_seconds(float(text) / (1000 if float(text) >= FIRST_MILLISECONDS else 1))
    return from_iso(text) or from_mail(text)


def from_mail(text: str) -> str | None:
    """The date of `Tue, 05 Nov 2024 15:00:02 GMT` (RFC 5322)."""
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        return _plausible(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


class Span(NamedTuple):
    """From `since` (included) to `until` (not included), in UTC; None is open."""

    since: datetime | None
    until: datetime | None

    @property
    def open(self) -> bool:
        """Whether everything is within, what has no date included."""
        return self.since is None and self.until is None

    def holds(self, date: object) -> bool:
        """Whether a date or moment in ISO 8601 is within; what is none is within the open span alone."""
        moment = moment_of(date)
        if moment is None:
            return self.open
        return (self.since is None or self.since <= moment) and (self.until is None or moment < self.until)


ALWAYS = Span(None, None)


def span_of(since: str | None, until: str | None) -> Span:
    """The span that two parameters name. Raises Halt for what is no date, and for a span that holds nothing."""
    span = Span(_bound(since, "since"), _bound(until, "until"))
    if span.since and span.until and span.until <= span.since:
        raise Halt(f"until: {until!r} is not after since, {since!r}")
    return span


def within(published: str | None, since: str | None, until: str | None) -> bool:
    """Whether a date lies in a span; what has none lies only in the open one. Raises Halt as `span_of` does."""
    return span_of(since, until).holds(published)


def moment_of(text: object) -> datetime | None:
    """The moment of an ISO 8601 date or moment, in UTC; None for what is none. One without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(str(text).strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _bound(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    moment = moment_of(text)
    if moment is None or not 1900 <= moment.year < 3000:
        raise Halt(f"{name}: {text!r} is no ISO 8601 date (2024-01-31) or moment (2024-01-31T07:00:00Z)")
    return moment


def _plausible(moment: datetime) -> str | None:
    if not EARLIEST <= moment <= datetime.now(UTC) + AHEAD:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
