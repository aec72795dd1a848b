"""The bytes of a feed (RSS 0.9x-2.0, Atom, RDF through feedparser; JSON Feed 1 and 1.1) as plain entries.

Nothing is fetched here, and no text is trusted: markup is sanitised by feedparser, links are absolute http(s) ones,
titles plain text, dates plausible.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from rivus.model.outcome import Json, RetryLater
from rivus.net.charset import decode_markup
from rivus.net.cleaned import beginning
from rivus.net.extras import load
from rivus.sources import dates
from rivus.sources.addresses import absolute
from rivus.sources.keys import block, one_line

LONGEST_TITLE = 1_000
LONGEST_SUMMARY = 20_000
MOST_TAGS = MOST_ENCLOSURES = 50
_REFERENCE = re.compile(r"&#([xX][0-9a-fA-F]+|[0-9]+);?")
_MARKUP = re.compile(r"<[a-zA-Z/!][^<>]*>|&#?\w+;")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `id` is what the feed calls it, "" if it does not; `data` has only what the feed has."""

    id: str
    data: Json
    raw: Any = field(default=None, repr=False)
    """feedparser's own view of the entry, or the item of a JSON Feed, for what only one site or kind of feed has."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The entries in the feed's order; `flaw` is what is wrong with its syntax, "" for a well-formed one."""

    entries: list[Entry]
    flaw: str = ""


def parse(body: bytes, content_type: str, base: str) -> Feed:
    """The feed in `body`; `base` is the address that relative links start from.

    Raises RetryLater if it is no feed at all, or too broken for a single entry: a maintenance or login page, an
    error in JSON, half an answer. These often heal.
    """
    text = decode_markup(body, content_type)[0].lstrip("\ufeff \t\r\n")
    if not text:
        raise RetryLater(f"{base} is not a feed: the answer is empty")
    if text.startswith(("{", "[")):
        return _json_feed(text, base)
    return _xml_feed(text, base)


def _xml_feed(text: str, base: str) -> Feed:
    feedparser = load("feedparser", "feeds")
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": base}
    # A file object, for feedparser opens a str or bytes that names a file or an address.
    raw = io.BytesIO(_REFERENCE.sub(_valid, text).encode("utf-8", "replace"))
    try:
        parsed = feedparser.parse(raw, response_headers=headers)
    except Exception as error:  # noqa: BLE001 - what hostile input makes the parser raise is anybody's guess
        raise RetryLater(f"{base} is not a feed that can be parsed: {one_line(error, 100)}") from None
    if not parsed.version:
        raise RetryLater(f"{base} is not a feed: it begins with {beginning(text, 60)!r}")
    flaw = one_line(parsed.bozo_exception, 200) if parsed.bozo else ""
    if flaw and not parsed.entries:
        raise RetryLater(f"{base} is a broken feed without a readable entry: {flaw}")
    return Feed([_entry(e, base) for e in parsed.entries], flaw)


def _valid(reference: re.Match[str]) -> str:
    """A numeric character reference, if there is such a character: the parser fails over others."""
    digits = reference[1].lower().lstrip("x0")[:8] or "0"
    code = int(digits, 16 if reference[1][0] in "xX" else 10)
    return reference[0] if 0 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF else "\ufffd"


def _entry(e: Any, base: str) -> Entry:
    enclosures = [_enclosure(base, x.get("href"), x.get("type"), x.get("length")) for x in e.get("enclosures", ())]
    data = {
        "url": _first_link(base, e.get("link"), e.get("id"), [x["url"] for x in enclosures if x]),
        "title": plain(e.get("title")),
        # feedparser's own `get` would let `updated` stand in for a missing date, and warn.
        "published": dates.from_struct(dict.get(e, "published_parsed")),
        "updated": dates.from_struct(dict.get(e, "updated_parsed")),
        "summary": block(e.get("summary") or _content(e), LONGEST_SUMMARY),
        "author": plain(e.get("author")),
        "tags": _tags(tag.get("term") for tag in e.get("tags", ())),
        "enclosures": [x for x in enclosures if x][:MOST_ENCLOSURES],
    }
    # feedparser takes an id for a relative link; without the base it is the same wherever the feed moves.
    return Entry(one_line(e.get("id")).removeprefix(urljoin(base, ".")), _filled(data), e)


def _first_link(base: str, link: Any, name: Any, enclosed: list[str]) -> str | None:
    """Where an entry is: its link, an id that is an address, or what is attached to it (podcasts)."""
    named = _text(name) if str(name).startswith(("http://", "https://")) else None
    return next((url for url in (absolute(base, _text(x)) for x in (link, named, *enclosed)) if url), None)


def _content(e: Any) -> str:
    return next((c.get("value", "") for c in e.get("content", ())), "")


def _json_feed(text: str, base: str) -> Feed:
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RetryLater(f"{base} is not a feed: broken JSON ({one_line(error, 100)})") from None
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list) or "jsonfeed.org" not in str(feed.get("version")):
        raise RetryLater(f"{base} is not a feed: JSON that begins with {beginning(text, 60)!r}")
    return Feed([_json_entry(item, base) for item in items if isinstance(item, dict)])


def _json_entry(item: Json, base: str) -> Entry:
    attached = [x for x in _list(item.get("attachments")) if isinstance(x, dict)]
    enclosures = [_enclosure(base, x.get("url"), x.get("mime_type"), x.get("size_in_bytes")) for x in attached]
    summary = item.get("summary") or item.get("content_text") or _without_markup(_text(item.get("content_html")) or "")
    data = {
        "url": _first_link(base, item.get("url") or item.get("external_url"), item.get("id"), []),
        "title": plain(item.get("title")),
        "published": dates.from_iso(item.get("date_published")),
        "updated": dates.from_iso(item.get("date_modified")),
        "summary": block(summary, LONGEST_SUMMARY),
        "author": ", ".join(filter(None, (one_line(a.get("name")) for a in _authors(item)))),
        "tags": _tags(_list(item.get("tags"))),
        "enclosures": [x for x in enclosures if x][:MOST_ENCLOSURES],
    }
    return Entry(one_line(item.get("id")), _filled(data), item)


def _authors(item: Json) -> list[Json]:
    """`authors` of version 1.1, else `author` of version 1."""
    return [a for a in (_list(item.get("authors")) or [item.get("author")]) if isinstance(a, dict)]


def _enclosure(base: str, link: Any, kind: Any, size: Any) -> Json | None:
    url = absolute(base, _text(link))
    length = str(size) if size is not None else ""
    known = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None
    return _filled({"url": url, "type": one_line(kind, 100), "bytes": known}) if url else None


def _tags(terms: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(tag for tag in (plain(term, 100) for term in terms) if tag))[:MOST_TAGS]


def plain(value: Any, limit: int = LONGEST_TITLE) -> str:
    """One line of text without markup or entities."""
    return one_line(_without_markup(one_line(value, LONGEST_SUMMARY)), limit)


def _without_markup(text: str) -> str:
    if not _MARKUP.search(text):
        return text
    tree = load("selectolax.lexbor", "feeds").LexborHTMLParser(text)
    tree.strip_tags(["script", "style"])
    return str(tree.text())


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _filled(data: Json) -> Json:
    return {name: value for name, value in data.items() if value not in (None, "", [])}
