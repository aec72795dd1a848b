"""Whom a company buys from and sells to, as a tree of items: the handlers of the job supply_chain.

A company that a model has named is an item of its own, a child of the one that it was named for. Its key is the way to
it (`AAPL>TSM`), its data say how the two are linked. A child that the model has invented is no failure: `validate` says
that it is not valid, nothing below it is asked for, and its parent counts it as rejected.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rivus.handlers import finnhub, llm
from rivus.model.outcome import ItemFailed, Json, Skip
from rivus.net.finnhub import BASE

if TYPE_CHECKING:
    from rivus.model.context import Context

SECRETS = ("finnhub_token", "llm_api_key")
_FOLLOWED = ["supplier", "customer"]
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.-]{0,14}")
_FORMS = {
    "the", "inc", "incorporated", "corp", "corporation", "co", "company", "ltd", "limited", "plc", "llc", "lp", "sa",
    "ag", "nv", "se", "ab", "asa", "oyj", "spa", "holding", "holdings", "group", "adr", "class", "a", "b", "c",
}  # fmt: skip
"""Words of a company's name that do not tell it from others."""


def profile(item: Json, ctx: Context, *, base_url: str = BASE) -> Json:
    """`company`, as `finnhub.company` gives it; {} for a child that Finnhub does not know. Raises what that does."""
    try:
        return finnhub.company(item, ctx, into="company", base_url=base_url)
    except ItemFailed:
        if not item.get("of"):
            raise
        return {"company": {}}


def validate(item: Json, ctx: Context) -> Json:
    """Whether the company is the one that was meant: `valid`, `why`, and `strength` (importance x confidence, 0 to 10)
    of the link that led to it; 0 if it is not valid."""
    symbol, company = str(item.get("symbol")), item["company"]
    if not item.get("of"):
        return {"valid": True, "why": "it stands in the list", "strength": 10.0}
    if not company:
        return {"valid": False, "why": f"Finnhub knows no company {symbol}", "strength": 0.0}
    if not _telling(str(item.get("name"))) & _telling(company["name"]):
        return {"valid": False, "why": f"{symbol} is {company['name']}, not {item.get('name')}", "strength": 0.0}
    return {"valid": True, "why": str(item.get("why")), "strength": round(item["importance"] * item["confidence"], 2)}


def _telling(name: str) -> set[str]:
    """The words that tell a company from others."""
    return set(re.findall(r"\w+", name.casefold())) - _FORMS


def relationships(
    item: Json, ctx: Context, *, prompt: str, schema: str, levels: int, model: str | None = None,
    base_url: str | None = None,
) -> Json:  # fmt: skip
    """`links`: the answer of `llm.extract` about the company's symbol and profile. levels: how far from the list a
    company may be to be asked about. Raises Skip for one beyond it, or that is not valid; else what `llm.extract` does.
    """
    if not item.get("valid"):
        raise Skip(str(item.get("why")))
    if len(_way(item)) > levels:
        raise Skip(f"{levels} levels below the list nothing is asked for")
    return llm.extract(
        item, ctx, prompt=prompt, schema=schema, model=model, base_url=base_url, fields=["symbol", "company"]
    )


def expand(
    item: Json, ctx: Context, *, most: int, min_confidence: float = 0.5, relations: list[str] = _FOLLOWED
) -> Json:
    """Emits the strongest links as items of this job. Gives `expanded`: their symbols, and `passed_over`: how many
    links were not followed. A company that stands on the way already is never followed again.

    most: how many at the most. relations, min_confidence: which links are followed. Raises Skip without links.
    """
    if not item.get("links"):
        raise Skip("it was not asked about, or has no link")
    chosen: dict[str, Json] = {}
    links = sorted(item["links"], key=lambda link: link["importance"] * link["confidence"], reverse=True)
    for link in links:
        symbol, fits = link["symbol"].strip().upper(), link["relation"] in relations
        if fits and link["confidence"] >= min_confidence and _SYMBOL.fullmatch(symbol) and symbol not in _way(item):
            chosen.setdefault(symbol, link)
    for symbol, link in list(chosen.items())[:most]:
        about = {**link, "symbol": symbol, "of": item["symbol"], "way": [*_way(item), symbol]}
        ctx.emit(f"{ctx.key}>{symbol}", about)
    followed = list(chosen)[:most]
    return {"expanded": followed, "passed_over": len(links) - len(followed)}


def _way(item: Json) -> list[str]:
    """The symbols from the list down to this company."""
    way = item.get("way")
    return way if isinstance(way, list) else [item["symbol"]]


def score(item: Json, ctx: Context) -> Json:
    """How much hangs on a single link: `value` is 10 x the share of the strongest in all valid ones, by `strength`;
    10 is a company with one link. Also `strongest` (its symbol), `suppliers` and `customers` (symbols), and
    `rejected` (symbol -> why).

    Takes `children`: the companies below it, after `validate`. Raises Skip if there is no valid one.
    """
    known: list[tuple[Json, Json]] = [(one["data"], one["output"] or {}) for one in item["children"]]
    valid = [(data, checked) for data, checked in known if checked.get("valid")]
    rejected = {data["symbol"]: str(checked.get("why")) for data, checked in known if not checked.get("valid")}
    if not valid:
        raise Skip(f"no valid link{': ' + '; '.join(rejected.values()) if rejected else ''}")
    data, strongest = max(valid, key=lambda pair: pair[1]["strength"])
    total = sum(checked["strength"] for _, checked in valid)
    return {
        "value": round(10 * strongest["strength"] / total, 2) if total else 0.0,
        "strongest": data["symbol"],
        "suppliers": _symbols(valid, "supplier"),
        "customers": _symbols(valid, "customer"),
        "rejected": rejected,
    }


def _symbols(valid: list[tuple[Json, Json]], relation: str) -> list[Any]:
    return [data["symbol"] for data, _ in valid if data["relation"] == relation]
