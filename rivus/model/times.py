"""Times as they stand in documents: UTC, ISO 8601, milliseconds, `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(seconds: float) -> str:
    """`seconds` since the epoch as `2026-01-31T09:30:00.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(text: str) -> float:
    """The inverse of `utc`. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()
