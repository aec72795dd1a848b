"""Spans of time: how a person asks for one, and which sources can be asked for one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rivus.errors import BadConfig
from rivus.model.quantity import parse_duration
from rivus.sources.dates import moment_of


@dataclass(frozen=True, slots=True)
class Request:
    """A span as a person asked for it. words: since and until as they were typed; they tell whether two requests are
    the same, for `90d` means another span tomorrow."""

    words: tuple[str, str | None]
    since: datetime
    until: datetime


def request(since: str, until: str | None, now: float) -> Request:
    """The span from `since` to `until` (None: now); each is a date or moment in ISO 8601, UTC, or a duration before
    now. Raises ValueError."""
    begin, end = _moment(since, now), _moment("0s" if until is None else until, now)
    if end <= begin:
        raise ValueError(f"the span ends ({text_of(end)}) before it has begun ({text_of(begin)})")
    return Request((since, until), begin, end)


def text_of(moment: datetime) -> str:
    """A moment as sources get it: to the second, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def window_days(strategy: str, folder: Path) -> int | None:
    """Days that a source wants to be asked for at once; None for any number. folder: jobs.d. The source's module says
    so in WINDOW_DAYS, by the name of the strategy's function. Raises BadConfig if it takes no since and until."""
    from rivus.plugins import find

    source = find("source", strategy, folder)
    if not _can(source):
        if {"since", "until"} <= inspect.signature(source).parameters.keys():
            raise BadConfig(f"{strategy}: since and until must be keyword-only; put a `*` before them")
        able = ", ".join(_able(folder))
        raise BadConfig(f"{strategy} cannot be asked for a span of time (since, until); these can: {able}")
    declared = getattr(inspect.unwrap(source), "__globals__", {}).get("WINDOW_DAYS", {})
    days = declared.get(strategy.rpartition(".")[2]) if isinstance(declared, dict) else 0
    if days is not None and not (isinstance(days, int) and days >= 1):
        raise BadConfig(f"{strategy}: WINDOW_DAYS: {declared!r} does not give a whole number of days")
    return days


def _can(source: Callable[..., Any]) -> bool:
    from rivus.plugins import parameters

    return {"since", "until"} <= parameters(source).keys()


def _able(folder: Path) -> list[str]:
    from rivus.plugins import find
    from rivus.sources import REGISTRY

    return [name for name in sorted(REGISTRY) if _can(find("source", name, folder))]


def _moment(text: str, now: float) -> datetime:
    moment = moment_of(text)
    if moment is None:
        try:
            moment = datetime.fromtimestamp(now, UTC) - timedelta(seconds=parse_duration(text))
        except OverflowError:
            moment = None
        except ValueError:
            raise ValueError(
                f"{text!r} is no date (2024-01-31), moment (2024-01-31T07:00:00Z) or duration (90d)"
            ) from None
    if moment is None or not 1900 <= moment.year < 3000:
        raise ValueError(f"{text!r} is beyond any calendar")
    return moment.replace(microsecond=0)
