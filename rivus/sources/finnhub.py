"""The strategies `finnhub_calendar`, `finnhub_ipo`, `finnhub_news` and `finnhub_insider`: what is new at Finnhub.

Finnhub is asked by whole days (UTC). A row that makes no sense is left out; each answer's are counted and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any, Literal

from rivus.model.context import Found, Look
from rivus.model.outcome import RetryLater
from rivus.net.finnhub import BASE, SECRET, ask
from rivus.sources import finnhubrows as rows
from rivus.sources.addresses import web_address
from rivus.sources.dates import Span, span_of
from rivus.sources.days import days_of

WINDOW_DAYS = {"finnhub_calendar": 30, "finnhub_ipo": 90, "finnhub_news": 5, "finnhub_insider": 90}
"""Days that a back-fill asks for at once: Finnhub cuts longer answers short."""
SECRETS = ("finnhub_token",)
"""What the check-up looks for before anything runs."""


def finnhub_calendar(
    look: Look,
    *,
    base_url: str = BASE,
    days_back: int = 1,
    days_ahead: int = 7,
    symbols: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The earnings calls around today (UTC), one per company and quarter (GET /api/v1/calendar/earnings).

        discover: {strategy: finnhub_calendar, symbols: [AAPL, NVDA], days_ahead: 14, limit: finnhub, every: 6h}

    base_url:   where Finnhub is.
    days_back:  days before today that are asked for; days_ahead: days after it.
    symbols:    only these companies, one request each; default: all, in one request.
    since:      the first day that is asked for instead (ISO 8601, UTC); until: the day or moment before which to end.

    Needs the secret `finnhub_token`. The key is SYMBOL-YEARqQUARTER (AAPL-2020q1). The data has symbol, date, title,
    year, quarter, hour, eps_actual, eps_estimate, revenue_actual, revenue_estimate, as far as they are known.
    Raises Halt for a span without a day and for a token that is missing, refused or not allowed to, SourceBlocked at
    the rate limit, RetryLater for an answer that is no calendar.
    """
    asked = _span(*days_of(span_of(since, until), days_back, days_ahead))
    for symbol in symbols or [""]:
        query = {**asked, "symbol": symbol} if symbol else asked
        yield from _found(look, _ask(look, base_url, "calendar/earnings", query, "earningsCalendar"), rows.call)


def finnhub_ipo(
    look: Look,
    *,
    base_url: str = BASE,
    days_back: int = 7,
    days_ahead: int = 30,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The companies that go public around today (UTC), one item each (GET /api/v1/calendar/ipo).

        discover: {strategy: finnhub_ipo, limit: finnhub, every: 12h, on_change: rerun}

    base_url:  where Finnhub is.
    days_back: days before today that are asked for; days_ahead: days after it.
    since:     the first day that is asked for instead (ISO 8601, UTC); until: the day or moment before which to end.

    Needs the secret `finnhub_token`. The key is the company's name without its legal form (zentalis-pharmaceuticals),
    for date, price, status and symbol change until the day. The data has symbol, name, date, title, exchange, status
    (expected, priced, withdrawn, filed), price, number_of_shares, total_shares_value, as far as they are known.
    Raises what `finnhub_calendar` does.
    """
    asked = _span(*days_of(span_of(since, until), days_back, days_ahead))
    yield from _found(look, _ask(look, base_url, "calendar/ipo", asked, "ipoCalendar"), rows.offering)


def finnhub_news(
    look: Look,
    *,
    base_url: str = BASE,
    symbols: list[str] | None = None,
    category: Literal["general", "forex", "crypto", "merger"] = "general",
    days_back: int = 2,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """News of companies (GET /api/v1/company-news), or of the market (GET /api/v1/news).

        discover: {strategy: finnhub_news, symbols: [AAPL, NVDA], limit: finnhub, every: 30min}

    base_url:  where Finnhub is.
    symbols:   news of these companies, one request each; default: of the market.
    category:  which news of the market.
    days_back: days before today (UTC) for which the news of companies are asked.
    since:     only news from this date or moment on (ISO 8601, UTC); until: only earlier ones. Finnhub has those of
               companies for a year; those of the market cannot be asked for by date: it gives the last ones.

    Needs the secret `finnhub_token`. The key is Finnhub's number of the news; what several companies share is found
    once. The data has id, url, title, published (UTC), summary, source, image, category, related (symbols), as far as
    they are known. Raises what `finnhub_calendar` does.
    """
    span = span_of(since, until)
    taken: set[str] = set()
    for path, query in _news_queries(symbols, category, days_back, span):
        for found in _found(look, _ask(look, base_url, path, query), rows.news):
            if found.key not in taken and (span.open or span.holds(found.data["published"])):
                taken.add(found.key)
                yield found


def finnhub_insider(
    look: Look,
    *,
    symbols: list[str],
    base_url: str = BASE,
    days_back: int = 14,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """What directors and officers have bought and sold of their company (GET /api/v1/stock/insider-transactions).

        discover: {strategy: finnhub_insider, symbols: [AAPL, NVDA], limit: finnhub, every: 1d}

    symbols:   the companies, one request each.
    base_url:  where Finnhub is.
    days_back: days before today (UTC) that are asked for.
    since:     the first day that is asked for instead (ISO 8601, UTC); until: the day or moment before which to end.

    Needs the secret `finnhub_token`. The key is SYMBOL-DATE- and a digest of person, kind, number and price. The data
    has symbol, name, title, date (of the transaction), filing_date, code (P bought, S sold, … as on Form 4), change,
    share (held afterwards), price, is_derivative, currency, source, as far as they are known.
    Raises what `finnhub_calendar` does.
    """
    asked = _span(*days_of(span_of(since, until), days_back, 0))
    for symbol in symbols:
        query = {**asked, "symbol": symbol}
        answer = _ask(look, base_url, "stock/insider-transactions", query, "data")
        yield from _found(look, answer, rows.transaction(symbol.upper()))


def _news_queries(
    symbols: list[str] | None, category: str, days_back: int, span: Span
) -> Iterator[tuple[str, dict[str, str]]]:
    """Path and query of each request. For a span a day more on both sides: in which zone its days are, Finnhub does
    not say."""
    if not symbols:
        yield "news", {"category": category}
        return
    first, last = days_of(span, days_back, 0)
    more = timedelta(days=0 if span.open else 1)
    for symbol in symbols:
        yield "company-news", {"symbol": symbol, **_span(first - more, last + more)}


def _span(first: date, last: date) -> dict[str, str]:
    return {"from": first.isoformat(), "to": last.isoformat()}


def _ask(look: Look, base_url: str, path: str, query: dict[str, str], name: str | None = None) -> list[Any]:
    """The rows of an answer: the answer itself, or its field `name`."""
    answer = ask(look.http, look.secret(SECRET), web_address(base_url, "base_url"), path, query)
    found = answer if name is None else answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise RetryLater(f"Finnhub's answer to {path} has no {name or 'rows'}")
    return found


def _found(look: Look, table: list[Any], read: Callable[[Any], Found | None]) -> Iterator[Found]:
    unfit = []
    for row in table:
        if (found := read(row)) is not None:
            yield found
        else:
            unfit.append(row)
    if unfit:
        look.log.warning("%d of %d rows make no sense and are left out: %.200r", len(unfit), len(table), unfit[0])
