"""The strategy `podcast`: the episodes of a feed, with what podcasts say beyond other feeds.

itunes: tags are those of https://help.apple.com/itc/podcasts_connect/#/itcb54353390, podcast: tags those of
https://podcastindex.org/namespace/1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from rivus.model.context import Found, Look
from rivus.model.outcome import Json
from rivus.net.charset import decode_markup
from rivus.sources import conditional, dates
from rivus.sources.addresses import absolute, web_address
from rivus.sources.elements import Element, elements
from rivus.sources.feed import ACCEPT, keyed
from rivus.sources.keys import one_line
from rivus.sources.syndication import Entry, parse

MOST_ENTRIES = 20_000
MOST_TRANSCRIPTS = 20
LONGEST_SECONDS = 10 * 86_400
_MEDIA = re.compile(r"(?i)\.(mp3|m4a|m4b|aac|og[ga]|opus|flac|wav|mp4|m4v|mov|webm)$")
_PARTS = re.compile(r"(\d{1,6})(?::(\d{1,4}))?(?::(\d{1,2}))?(?:[.,]\d+)?")
_NAMED = re.compile(r"(?i)(?:pt)?\s*(?:(\d+)\s*h[a-z]*)?\s*(?:(\d+)\s*m[a-z]*)?\s*(?:(\d+)(?:\.\d+)?\s*s[a-z]*)?")
_EXPLICIT = {"yes": True, "true": True, "explicit": True, "no": False, "false": False, "clean": False}


def podcast(
    look: Look,
    *,
    url: str,
    base_url: str | None = None,
    max_items: int = 500,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The episodes of a podcast, in the feed's order: its entries that have audio or video.

        discover: {strategy: podcast, url: https://example.org/podcast.xml, every: 1h}

    url:       the feed's address (RSS, Atom, JSON Feed).
    base_url:  where relative links start; default: the address that the feed was read from.
    max_items: how many episodes are taken from the feed's top.
    since:     only episodes published from this date or moment on (ISO 8601, UTC); until: only earlier ones. With
               either of the two, episodes without a date are left out.

    Key and data are those of the strategy `feed`; the data has also media (url, type, bytes of the first audio or
    video), and what there is of seconds, episode, season, episode_type, explicit, transcripts (url, type, language)
    and chapters (url, type).
    Raises what `feed` raises. A feed without an episode is warned of.
    """
    span = dates.span_of(since, until)
    response = conditional.get(look, web_address(url, "url"), accept=ACCEPT, span=span)
    if response is None:
        return
    base = web_address(base_url, "base_url") if base_url else response.url
    kind = response.headers.get("Content-Type", "")
    feed = parse(response.content, kind, base)
    tags = _tags(decode_markup(response.content, kind)[0], len(feed.entries))
    episodes = [_episode(entry, tag, base) for entry, tag in zip(feed.entries, tags, strict=True) if _media(entry)]
    if not episodes:
        look.log.warning("%s has %d entries, none with audio or video", url, len(feed.entries))
    if feed.flaw:
        look.log.warning("%s is not well-formed: %s", url, feed.flaw)
    found = (one for one in keyed(episodes) if span.holds(one.data.get("published") or one.data.get("updated")))
    yield from islice(found, max_items)
    conditional.forget(look) if feed.flaw else conditional.remember(look, url, response, span)


def seconds_of(text: str) -> int | None:
    """A duration: `3723`, `62:03`, `1:02:03`, `1:02:03.5`, `1h 2m 3s`, `PT1H2M3S`, `62 min`; None for what is none."""
    text = one_line(text)[:60]
    if parts := _PARTS.fullmatch(text):
        total = 0
        for part in filter(None, parts.groups()):
            total = total * 60 + int(part)
    elif text and (named := _NAMED.fullmatch(text)):
        hours, minutes, seconds = (int(part or 0) for part in named.groups())
        total = hours * 3_600 + minutes * 60 + seconds
    else:
        return None
    return total if 0 < total <= LONGEST_SECONDS else None


def _tags(text: str, count: int) -> list[Element]:
    """The element of each entry; empty ones if they cannot be told apart."""
    found = elements(text.lstrip("\ufeff \t\r\n"), frozenset({"item", "entry"}), MOST_ENTRIES)
    good = not found.flaw and len(found.found) == count
    return found.found if good else [Element("item") for _ in range(count)]


def _media(entry: Entry) -> Json | None:
    for enclosed in entry.data.get("enclosures", ()):
        kind = str(enclosed.get("type", "")).lower()
        if kind.startswith(("audio/", "video/")) or _MEDIA.search(urlsplit(enclosed["url"]).path):
            return dict(enclosed)
    return None


def _episode(entry: Entry, tag: Element, base: str) -> Entry:
    raw = entry.raw or {}

    def told(name: str) -> str:
        return tag.told(name) or one_line(raw.get(f"itunes_{name}") or _text(raw.get(f"podcast_{name}")))

    def linked(name: str) -> list[Json]:
        return _links([element.attributes for element in tag.all(name)] or [raw.get(f"podcast_{name}")], base)

    data: Json = {
        "media": _media(entry),
        "seconds": seconds_of(told("duration")) or _attached_seconds(raw),
        "episode": _number(told("episode")),
        "season": _number(told("season")),
        "episode_type": one_line(told("episodetype"), 40).lower(),
        "explicit": _EXPLICIT.get(told("explicit").lower()),
        "transcripts": linked("transcript")[:MOST_TRANSCRIPTS],
        "chapters": next(iter(linked("chapters")), None),
    }
    known = {name: value for name, value in data.items() if value not in (None, "", [])}
    return Entry(entry.id, {**entry.data, **known}, entry.raw)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _links(found: Sequence[Any], base: str) -> list[Json]:
    links = []
    for told in found:
        url = absolute(base, told.get("url")) if isinstance(told, dict) else None
        if url:
            more = {name: one_line(told.get(name), 100) for name in ("type", "language")}
            links.append({"url": url, **{name: value for name, value in more.items() if value}})
    return links


def _attached_seconds(raw: Any) -> int | None:
    """What an item of a JSON Feed says of what is attached to it."""
    attached = raw.get("attachments")
    for each in attached if isinstance(attached, list) else ():
        if isinstance(each, dict) and (seconds := seconds_of(str(each.get("duration_in_seconds") or ""))):
            return seconds
    return None


def _number(text: str) -> int | float | None:
    """The number of an episode; the podcast: tag allows 4.5."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,4})?", text, re.ASCII):
        return None
    return float(text) if "." in text else int(text)
