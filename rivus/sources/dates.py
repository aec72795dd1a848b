"""Dates from outside as UTC in ISO 8601 (`2024-11-05T15:00:02Z`), or None where they make no sense."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from time import struct_time

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""Anything before is a zero, a default or a typing error, not a publication on the web."""
AHEAD = timedelta(days=366)
"""Premieres and events are announced; what lies further ahead is an error."""


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
    try:
        moment = datetime.fromisoformat(str(value).strip())
        return _plausible(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _plausible(moment: datetime) -> str | None:
    if not EARLIEST <= moment <= datetime.now(UTC) + AHEAD:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
