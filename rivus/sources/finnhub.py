"""The strategy `finnhub_calendar`: earnings calls from Finnhub's calendar (GET /api/v1/calendar/earnings)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.net.session import check, fetch
from rivus.sources.addresses import web_address
from rivus.sources.keys import key_of, one_line

if TYPE_CHECKING:
    import requests

SECRETS = ("finnhub_token",)
"""What the check-up looks for before anything runs."""
_NO_TOKEN = re.compile(r"(?i)api key|sign up|api token")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONGEST_TEXT = 1_000


def finnhub_calendar(
    look: Look,
    *,
    base_url: str = "https://finnhub.io",
    days_back: int = 1,
    days_ahead: int = 7,
    symbols: list[str] | None = None,
) -> Iterator[Found]:
    """The earnings calls around today (UTC), one per company and quarter.

        discover: {strategy: finnhub_calendar, symbols: [AAPL, NVDA], days_ahead: 14, limit: finnhub, every: 6h}

    base_url:   where Finnhub is.
    days_back:  days before today that are asked for; days_ahead: days after it.
    symbols:    only these companies, one request each; default: all, in one request.

    Needs the secret `finnhub_token`. The key is SYMBOL-YEARqQUARTER (AAPL-2020q1). The data has symbol, date, title,
    year, quarter, hour, eps_actual, eps_estimate, revenue_actual, revenue_estimate, as far as they are known.
    Raises Halt for a token that is missing, refused or not allowed to, SourceBlocked at the rate limit, RetryLater
    for an answer that is no calendar.
    """
    base = web_address(base_url, "base_url").rstrip("/")
    today = datetime.now(UTC).date()
    span = {"from": _iso(today, -days_back), "to": _iso(today, days_ahead)}
    for symbol in symbols or [""]:
        query = {**span, "symbol": symbol} if symbol else span
        for row in _rows(_ask(look, f"{base}/api/v1/calendar/earnings", query)):
            found = _from_row(row)
            if found is not None:
                yield found
            else:
                look.log.warning("a row of the calendar without symbol or date is left out: %.200r", row)


def _iso(today: date, days: int) -> str:
    try:
        return (today + timedelta(days=days)).isoformat()
    except OverflowError:
        raise Halt(f"days_back, days_ahead: {abs(days)} days is beyond any calendar") from None


def _ask(look: Look, url: str, query: dict[str, str]) -> requests.Response:
    headers = {"X-Finnhub-Token": look.secret("finnhub_token")}
    response = fetch(look.http, url, params=query, headers=headers)
    told = one_line(response.content[:500].decode("utf-8", "replace"), 200)
    if response.status_code in (401, 403):
        raise Halt(f"Finnhub refuses the token or the plan it stands for ({response.status_code}): {told}")
    if response.status_code == 429 and _NO_TOKEN.search(told):
        raise Halt(f"Finnhub has seen no token: {told}")
    return check(response)


def _rows(response: requests.Response) -> list[Any]:
    try:
        answer = json.loads(response.content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RetryLater(f"Finnhub's answer is no JSON: {one_line(error, 100)}") from None
    rows = answer.get("earningsCalendar") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise RetryLater("Finnhub's answer has no earningsCalendar")
    return rows


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _from_row(row: Any) -> Found | None:
    if not isinstance(row, dict):
        return None
    fields = {_CAPITAL.sub("_", one_line(name, 100)).lower(): value for name, value in row.items()}
    data = {name: _scalar(value) for name, value in fields.items()}
    symbol, day = str(data.get("symbol") or "").upper(), _day(data.get("date"))
    if not symbol or day is None:
        return None
    year, quarter = data.get("year"), data.get("quarter")
    term = f"{year}q{quarter}" if year and quarter else day
    title = f"{symbol} earnings {term}"
    data = {name: value for name, value in data.items() if value is not None}
    return Found(key_of(f"{symbol}-{term}"), {**data, "symbol": symbol, "date": day, "title": title})


def _day(value: Any) -> str | None:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None


def _scalar(value: Any) -> Json | str | int | float | bool | None:
    """The value of one cell; None for what a calendar has no use for (lists, objects, infinities)."""
    if isinstance(value, str):
        return one_line(value, _LONGEST_TEXT) or None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float)) else None
