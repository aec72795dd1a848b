"""Investment ideas and what came of them: the handlers of the jobs ideas and ideas_archive.

An idea is read twice, from its site and from the Wayback Machine; either may be gone, or be cut short for those who do
not subscribe. Its return is reckoned from the first price after it was published.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rivus.handlers.article import article
from rivus.handlers.fields import address_in
from rivus.model.outcome import ItemFailed, Json, RetryLater, Skip
from rivus.sources.addresses import comparable, web_address
from rivus.sources.dates import from_iso
from rivus.sources.keys import key_of

if TYPE_CHECKING:
    from rivus.model.context import Context

_DAY = timedelta(days=1)
_LATEST = 10
"""Days after a horizon in which a price still counts as the one of that day: holidays, or a halt in trading."""


def add(item: Json, ctx: Context, *, job: str, site: str, depth: int) -> Json:
    """Emits an archived page's idea into `job`, under the key that the site's own list gives it.

    Takes: `original`, `url` and `published` of the strategy `wayback`.
    Gives: `idea`: the key.

    site:  where the site is now; the archive knows it by all the names that it has had.
    depth: how many parts the path of an idea has (3: `/idea/NAME/NUMBER`).
    Raises Skip for a page that is no idea's.
    """
    parts = [part for part in urlsplit(address_in(item, "original")).path.split("/") if part]
    if len(parts) != depth:
        raise Skip("not the page of an idea")
    url = "/".join([web_address(site, "site").rstrip("/"), *parts])
    key = key_of(comparable(url))
    ctx.emit(key, {"url": url, "archived": item["url"], "archived_at": item.get("published")}, job=job)
    return {"idea": key}


def live(item: Json, ctx: Context) -> Json:
    """`live`: the article at the item's `url`, as `web.article` gives it; {} and `live_fault` if there is none."""
    return _copy(item, ctx, "live")


def archived(item: Json, ctx: Context, *, base_url: str = "https://web.archive.org") -> Json:
    """`archived`: the same of the copy that the item names, else of the newest in the Wayback Machine."""
    if item.get("archived"):
        return _copy({"url": item["archived"]}, ctx, "archived")
    base = web_address(base_url, "base_url").rstrip("/")
    return _copy({"url": f"{base}/web/2id_/{address_in(item)}"}, ctx, "archived")


def _copy(item: Json, ctx: Context, into: str) -> Json:
    """That a page is gone is a result here: the other copy may do."""
    try:
        return article(item, ctx, into=into)
    except ItemFailed as error:
        return {into: {}, f"{into}_fault": str(error)}


def check(item: Json, ctx: Context) -> Json:
    """Whether what a model has read out of `text` stands there.

    Takes: `text`, `symbol` (or null), `quote` (a sentence of the text), `day` (ISO 8601, or null), and the page's
           `published`.
    Gives: `day`, `period1` and `period2`: the days from a week before to a year and some after, in seconds since the
           epoch.

    Raises ItemFailed without a symbol, for a quote that is not in the text, and without a day that can be.
    """
    if not item["symbol"]:
        raise ItemFailed("the text does not tell which share it is about")
    if _plain(item["quote"]) not in _plain(item["text"]):
        raise ItemFailed("the quote does not stand in the text: the model has made it up")
    told = from_iso(item.get("published") or item.get("day")) or ""
    if not told or not "1990" < told < datetime.now(UTC).isoformat():
        raise ItemFailed("nothing says when it was published")
    noon = datetime.fromisoformat(f"{told[:10]}T12:00:00+00:00")
    first, last = noon - 7 * _DAY, noon + 400 * _DAY
    return {"day": told[:10], "period1": int(first.timestamp()), "period2": int(last.timestamp())}


def _plain(text: str) -> str:
    """Letters and digits alone: typography and line breaks are not what a quote is about."""
    return "".join(filter(str.isalnum, text.casefold()))


def due(item: Json, ctx: Context, *, days: int) -> Json:
    """`due`: the day on which the idea is `days` old. Raises RetryLater until a week after it."""
    day = date.fromisoformat(item["day"]) + timedelta(days=days)
    wait = datetime.combine(day, datetime.min.time(), UTC) + 7 * _DAY - datetime.now(UTC)
    if wait > timedelta(0):
        raise RetryLater(f"what came of it is to be seen on {day}", after=wait.total_seconds())
    return {"due": day.isoformat()}


def returns(item: Json, ctx: Context, *, horizons: list[int]) -> Json:
    """What an idea was worth: in per cent, for a short idea with the sign turned.

    Takes: `day`, `side`, and `prices` and `market`: `{"at": [seconds], "close": [price or null]}`.
    Gives: `returns`: `d90` -> `{"share", "market", "excess"}` for each of the `horizons` (days) that can be told.

    Raises ItemFailed if there is none.
    """
    sign = -1 if item["side"] == "short" else 1
    start = date.fromisoformat(item["day"])
    share, market = (_closes(item[name]) for name in ("prices", "market"))
    found: Json = {}
    for days in horizons:
        gains = [_gain(closes, start, start + timedelta(days=days)) for closes in (share, market)]
        if None not in gains:
            own, all_ = (round(sign * float(gain or 0), 2) for gain in gains)
            found[f"d{days}"] = {"share": own, "market": all_, "excess": round(own - all_, 2)}
    if not found:
        raise ItemFailed(f"no prices from {start} on, or not long enough")
    return {"returns": found}


def _closes(chart: Any) -> list[tuple[date, float]]:
    """The days with a price, in order. Raises ItemFailed for what is no chart."""
    at, close = (chart.get(name) for name in ("at", "close")) if isinstance(chart, dict) else (None, None)
    if not isinstance(at, list) or not isinstance(close, list) or len(at) != len(close):
        raise ItemFailed("the prices are no chart")
    pairs = [(when, price) for when, price in zip(at, close, strict=True) if _positive(when) and _positive(price)]
    return sorted((datetime.fromtimestamp(when, UTC).date(), float(price)) for when, price in pairs)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**40


def _gain(closes: list[tuple[date, float]], start: date, end: date) -> float | None:
    """From the first price after `start` to the first from `end` on, in per cent."""
    first = next((price for day, price in closes if start < day <= start + _LATEST * _DAY), None)
    last = next((price for day, price in closes if end <= day <= end + _LATEST * _DAY), None)
    return None if first is None or last is None else 100 * (last / first - 1)
