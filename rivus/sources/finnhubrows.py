"""The rows of Finnhub's answers (https://finnhub.io/docs/api) as found things; None for a row that makes no sense."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeGuard

from rivus.model.context import Found
from rivus.model.outcome import Json
from rivus.sources.addresses import absolute, comparable
from rivus.sources.dates import from_seconds
from rivus.sources.keys import block, digest, key_of, one_line

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONGEST_TEXT = 1_000
_LONGEST_SUMMARY = 20_000
_MOST_FIELDS = 50
_LARGEST = 2**63
_NO_WORD = re.compile(r"[\W_]+")
_LEGAL = {
    "ab", "adr", "ag", "asa", "bv", "co", "company", "corp", "corporation", "inc", "incorporated", "limited", "llc",
    "lp", "ltd", "nv", "plc", "sa", "se",
}  # fmt: skip
"""Legal forms: a company changes its own shortly before it goes public."""
_INSIDER = {"transaction_date": "date", "transaction_code": "code", "transaction_price": "price"}


def call(row: Any) -> Found | None:
    """An earnings call, by symbol and quarter."""
    data = fields(row)
    symbol, day = str(data.get("symbol") or "").upper(), day_of(data.get("date"))
    if not symbol or day is None:
        return None
    year, quarter = data.get("year"), data.get("quarter")
    term = f"{year}q{quarter}" if year and quarter else day
    title = f"{symbol} earnings {term}"
    return Found(key_of(f"{symbol}-{term}"), {**data, "symbol": symbol, "date": day, "title": title})


def offering(row: Any) -> Found | None:
    """A company that goes public, by its name, else its symbol."""
    data = fields(row)
    symbol, name = str(data.get("symbol") or "").upper(), str(data.get("name") or "")
    day, key = day_of(data.get("date")), _plain_name(name) or symbol
    if not key or day is None:
        return None
    more = {"symbol": symbol} if symbol else {}
    title = f"IPO of {name or symbol}{f' ({symbol})' if name and symbol else ''}"
    return Found(key_of(key), {**data, **more, "date": day, "title": title})


def news(row: Any) -> Found | None:
    """A piece of news, by Finnhub's number, else its address."""
    if not isinstance(row, dict):
        return None
    url, when = absolute("", _text(row, "url")), row.get("datetime")
    published = from_seconds(when) if is_number(when) else None
    title, number = _text(row, "headline"), row.get("id")
    key = str(number) if is_number(number) and number else key_of(comparable(url)) if url else ""
    if not key or not title or published is None:
        return None
    more = {name: _text(row, name) for name in ("source", "category", "related")}
    data = {"id": key, "url": url, "title": title, "published": published, "image": absolute("", _text(row, "image"))}
    summary = block(row["summary"], _LONGEST_SUMMARY) if isinstance(row.get("summary"), str) else ""
    return Found(key, {name: value for name, value in {**data, "summary": summary, **more}.items() if value})


def transaction(symbol: str) -> Callable[[Any], Found | None]:
    """What an insider has bought or sold: rows of the company `symbol`, which not each row names."""

    def read(row: Any) -> Found | None:
        data = {_INSIDER.get(name, name): value for name, value in fields(row).items()}
        day, filed = day_of(data.get("date")), day_of(data.get("filing_date"))
        name, code = data.get("name"), data.get("code")
        if day is None or not isinstance(name, str) or not isinstance(code, str):
            return None
        told = [str(data.get(part, "")) for part in ("name", "code", "change", "share", "price", "is_derivative")]
        data |= {"symbol": symbol, "date": day, "title": f"{symbol} {code} by {name} on {day}"}
        data |= {"filing_date": filed} if filed else {}
        return Found(key_of(f"{symbol}-{day}-{digest(*told)}"), data)

    return read


def fields(row: Any) -> Json:
    """The texts, numbers and truths of a row under plain names (`epsActual`: `eps_actual`); {} if it is none."""
    if not isinstance(row, dict):
        return {}
    plain = {_CAPITAL.sub("_", one_line(name, 100)).lower(): _scalar(row[name]) for name in list(row)[:_MOST_FIELDS]}
    return {name: value for name, value in plain.items() if value is not None}


def day_of(value: Any) -> str | None:
    """A date in ISO 8601; None for what is none."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None


def _plain_name(name: str) -> str:
    words = [word for word in _NO_WORD.split(name.casefold().replace(".", "")) if word]
    while len(words) > 1 and words[-1] in _LEGAL:
        words.pop()
    return "-".join(words)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return one_line(value, _LONGEST_TEXT) if isinstance(value, str) else ""


def _scalar(value: Any) -> str | int | float | bool | None:
    """The value of one cell; None for what a table has no use for (lists, objects, numbers beyond 64 bits)."""
    if isinstance(value, str):
        return one_line(value, _LONGEST_TEXT) or None
    return value if isinstance(value, bool) or is_number(value) else None


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number that fits into 64 bits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST
