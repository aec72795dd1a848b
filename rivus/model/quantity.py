"""Durations and rates as people write them: `90s`, `5min`, `1h30min`, `2d`; `250/h`, `10/s`, `1000/d`."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
UNITS |= {"y": 365 * 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|sec|m|min|h|d|w|y)")
_WHOLE = re.compile(rf"(?:{_PART.pattern}\s*)+")


def parse_duration(text: str) -> float:
    """Seconds in `text`. Raises ValueError for anything that is not a number with a unit."""
    text = text.strip()
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 90s, 5min, 1h or 2d")
    return sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float) -> str:
    """`seconds` in the two largest units that matter: 5400 -> '1h30min', 0.25 -> '250ms'."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    whole, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` things in `seconds` seconds."""

    count: float
    seconds: float

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    def __str__(self) -> str:
        return f"{self.count:g}/{format_duration(self.seconds)}"


def parse_rate(text: str) -> Rate:
    """The rate in `text`, such as `250/h` or `1/10s`. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)?\s*(ms|s|sec|m|min|h|d|w)", text.strip())
    if not match or not float(match[1]) or not float(match[2] or 1):
        raise ValueError(f"{text!r} is not a rate such as 250/h, 10/min or 1/10s")
    return Rate(float(match[1]), float(match[2] or 1) * UNITS[match[3]])
