"""The stages `finnhub.quote`, `finnhub.company` and `finnhub.surprises`: what Finnhub knows of the item's company.

base_url: where Finnhub is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from rivus.handlers.fields import nested, value_at
from rivus.model.outcome import ItemFailed, Json, RetryLater, Skip
from rivus.net.finnhub import BASE, SECRET, ask
from rivus.sources.addresses import web_address
from rivus.sources.dates import from_seconds
from rivus.sources.finnhubrows import is_number
from rivus.sources.keys import one_line

if TYPE_CHECKING:
    from rivus.model.context import Context

SECRETS = ("finnhub_token",)
"""What the check-up looks for before anything runs."""
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:^=_-]{0,29}")
_QUOTE = {
    "price": "c", "change": "d", "change_percent": "dp", "high": "h", "low": "l", "open": "o", "previous_close": "pc",
}  # fmt: skip
_COMPANY = {
    "name": "name", "country": "country", "currency": "currency", "exchange": "exchange", "industry": "finnhubIndustry",
    "ipo": "ipo", "market_cap": "marketCapitalization", "shares": "shareOutstanding", "url": "weburl", "logo": "logo",
}  # fmt: skip
_SURPRISE = {
    "period": "period", "year": "year", "quarter": "quarter", "actual": "actual", "estimate": "estimate",
    "surprise": "surprise", "surprise_percent": "surprisePercent",
}  # fmt: skip
_MOST_QUARTERS = 100


def quote(
    item: Json, ctx: Context, *, when: Literal["now", "before", "after"] = "now", symbol_field: str = "symbol",
    into: str | None = None, base_url: str = BASE,
) -> Json:  # fmt: skip
    """The price of a company's share: now, or on the days around its earnings call (GET /api/v1/quote).

    Takes: the field named by `symbol_field`; with `when` the fields `date` (ISO 8601) and `hour` (`bmo`: before the
           market opens, `amc`: after it closes) of the call, as the strategy `finnhub_calendar` gives them.
    Gives: `symbol`, `price`, `change`, `change_percent`, `high`, `low`, `open`, `previous_close`, `at` (UTC: of the
           last trade).

    when:  before: at most a day before the call; after: the close of the first trading day that has seen its figures.
           The item waits for that; what comes too late for `before` is skipped.
    into:  gives all of it as one field of that name, so that the quote after does not cover the one before.
    Needs the secret `finnhub_token`. Raises ItemFailed for a symbol that Finnhub does not know, Halt for a token that
    is missing, refused or not allowed to, SourceBlocked at the rate limit, RetryLater for an answer that is no quote.

        before: {handler: finnhub.quote, limit: finnhub, with: {when: before, into: before}}
        after:  {handler: finnhub.quote, limit: finnhub, with: {when: after, into: after}}
    """
    symbol = symbol_in(item, symbol_field)
    if when != "now":
        _wait(item, when)
    row = _object(_ask(ctx, base_url, "quote", symbol))
    found, traded = _picked(row, _QUOTE), row.get("t")
    if not found.get("price") or not is_number(traded):
        raise ItemFailed(f"Finnhub has no quote of {symbol}")
    if when == "after":
        _check_traded(item, traded)
    return nested({"symbol": symbol, **found, "at": from_seconds(traded)}, into)


def company(
    item: Json, ctx: Context, *, symbol_field: str = "symbol", into: str | None = None, base_url: str = BASE
) -> Json:
    """What kind of company it is (GET /api/v1/stock/profile2).

    Takes: the field named by `symbol_field`.
    Gives: `symbol` and, as far as they are known, `name`, `country`, `currency`, `exchange`, `industry`, `ipo` (date),
           `market_cap` and `shares` (both in millions), `url`, `logo`.

    into: gives all of it as one field of that name.
    Needs and raises what `finnhub.quote` does.

        company: {handler: finnhub.company, limit: finnhub, with: {into: company}}
    """
    symbol = symbol_in(item, symbol_field)
    found = _picked(_object(_ask(ctx, base_url, "stock/profile2", symbol)), _COMPANY)
    if "name" not in found:
        raise ItemFailed(f"Finnhub knows no company {symbol}")
    return nested({"symbol": symbol, **found}, into)


def surprises(
    item: Json, ctx: Context, *, this_quarter: bool = False, symbol_field: str = "symbol", into: str | None = None,
    base_url: str = BASE,
) -> Json:  # fmt: skip
    """What a company has earned, and what was expected, for the last quarters (GET /api/v1/stock/earnings).

    Takes: the field named by `symbol_field`; with `this_quarter` the fields `year` and `quarter`.
    Gives: `symbol`, `surprises`: a list, the newest first, of `{"period", "year", "quarter", "actual", "estimate",
           "surprise", "surprise_percent"}`; with `this_quarter` the fields of that quarter alone.

    this_quarter: only the quarter that the item is about; until its figures are there, the item waits.
    into:         gives all of it as one field of that name.
    Needs and raises what `finnhub.quote` does; ItemFailed for a company without figures.

        surprise: {handler: finnhub.surprises, limit: finnhub, retry: [1h, 6h, 1d], with: {this_quarter: true}}
    """
    symbol = symbol_in(item, symbol_field)
    answer = _ask(ctx, base_url, "stock/earnings", symbol)
    if not isinstance(answer, list):
        raise RetryLater("Finnhub's answer is no list of quarters")
    rows = [_picked(row, _SURPRISE) for row in answer[:_MOST_QUARTERS] if isinstance(row, dict)]
    rows = sorted(filter(None, rows), key=lambda row: str(row.get("period") or ""), reverse=True)
    if this_quarter:
        return nested({"symbol": symbol, **_quarter(rows, item)}, into)
    if not rows:
        raise ItemFailed(f"Finnhub has no figures of {symbol}")
    return nested({"symbol": symbol, "surprises": rows}, into)


def symbol_in(item: Json, field: str) -> str:
    """The symbol in that field, in upper case. Raises ItemFailed if there is none."""
    symbol = value_at(item, field)
    if not isinstance(symbol, str) or not _SYMBOL.fullmatch(symbol):
        raise ItemFailed(f"`{field}` is no symbol of a share")
    return symbol.upper()


def _wait(item: Json, when: str) -> None:
    """Returns if it is the time for a quote before or after the call. Raises RetryLater, or Skip if it is over."""
    from datetime import UTC, datetime, timedelta

    from rivus.handlers.trading import after_call, before_call

    now = datetime.now(UTC)
    due = after_call(item) if when == "after" else before_call(item) - timedelta(days=1)
    if when == "before" and now > before_call(item):
        raise Skip("it is too late for a quote from before the call")
    if now < due:
        raise RetryLater(f"the quote {when} the call is due at {due:%Y-%m-%d %H:%M %Z}", (due - now).total_seconds())


def _check_traded(item: Json, traded: float) -> None:
    from rivus.handlers.trading import opening_after_call

    if traded < opening_after_call(item).timestamp():
        raise RetryLater("nothing was traded since the call: a holiday", after=6 * 3600)


def _quarter(rows: list[Json], item: Json) -> Json:
    wanted = item.get("year"), item.get("quarter")
    if not all(map(is_number, wanted)):
        raise ItemFailed("`year` and `quarter` do not say which quarter the item is about")
    row = next((row for row in rows if (row.get("year"), row.get("quarter")) == wanted), None)
    if row is None or not is_number(row.get("actual")):
        raise RetryLater(f"the figures of {wanted[0]}q{wanted[1]} are not there yet")
    return row


def _ask(ctx: Context, base_url: str, path: str, symbol: str) -> Any:
    base = web_address(base_url, "base_url")
    return ask(ctx.http, ctx.secret(SECRET), base, path, {"symbol": symbol})


def _object(answer: Any) -> Json:
    if not isinstance(answer, dict):
        raise RetryLater("Finnhub's answer is no object")
    return answer


def _picked(row: Json, names: Mapping[str, str]) -> Json:
    """The texts and numbers of a row, by our names; what is empty is left out."""
    found = {name: row.get(theirs) for name, theirs in names.items()}
    texts = {name: one_line(value, 1_000) for name, value in found.items() if isinstance(value, str) and value.strip()}
    return texts | {name: value for name, value in found.items() if is_number(value)}
