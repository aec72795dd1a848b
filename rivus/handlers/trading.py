"""When an earnings call falls among the trading hours of New York: before which moment a price is one from before it,
and at which close the market has answered. Holidays are not known here."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from rivus.model.outcome import ItemFailed, Json

OPEN, CLOSE = time(9, 30), time(16, 15)
"""CLOSE is a quarter of an hour late: until then last prices may still be settled."""


def before_call(item: Json) -> datetime:
    """The last moment whose price knows nothing of the call: the open of its day, or the close if it comes after it.

    The call is in `date` (ISO 8601) and `hour` (`bmo`, `amc`, `dmh` or unknown). Raises ItemFailed without a date.
    """
    return _new_york(_day(item), time(16, 0) if item.get("hour") == "amc" else OPEN)


def opening_after_call(item: Json) -> datetime:
    """The open of the first trading day all of whose prices may know of the call."""
    return _new_york(_answering_day(item), OPEN)


def after_call(item: Json) -> datetime:
    """The close of that day."""
    return _new_york(_answering_day(item), CLOSE)


def _answering_day(item: Json) -> date:
    day = _day(item) if item.get("hour") == "bmo" else _day(item) + timedelta(days=1)
    return day + timedelta(days=7 - day.weekday() if day.weekday() > 4 else 0)


def _day(item: Json) -> date:
    try:
        day = date.fromisoformat(str(item.get("date"))[:10])
    except ValueError:
        day = None
    if day is None or not 1980 <= day.year <= 2200:
        raise ItemFailed("`date` is no date of a call")
    return day


def _new_york(day: date, hour: time) -> datetime:
    from zoneinfo import ZoneInfo

    return datetime.combine(day, hour, ZoneInfo("America/New_York"))
