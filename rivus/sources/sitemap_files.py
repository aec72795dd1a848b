"""The bytes of a sitemap (sitemaps.org 0.9: XML, text, a feed, an index of others; gzip) as plain pages.

Of the extensions news, video, image and xhtml:link (alternates) are read. Nothing is fetched here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from rivus.model.outcome import Json, RetryLater
from rivus.net.charset import decode_markup
from rivus.net.cleaned import beginning
from rivus.sources import dates
from rivus.sources.addresses import absolute
from rivus.sources.elements import Element, elements
from rivus.sources.keys import one_line
from rivus.sources.syndication import parse, plain

MOST = 50_000
"""Pages of one file, and LARGEST bytes of it unpacked: what the protocol allows."""
LARGEST = 50 * 2**20
MOST_INSIDE = 50
LONGEST_DESCRIPTION = 5_000
_ENTRIES = frozenset({"url", "sitemap"})
_FEEDS = {"rss", "feed", "rdf"}
_COARSE = re.compile(r"\d{4}(-\d\d)?")


class Child(NamedTuple):
    """A sitemap that an index names, and when it was last modified (UTC) if the index says so."""

    url: str
    lastmod: str | None


@dataclass(slots=True)
class Sitemap:
    """The data of the pages, or the other sitemaps, that it lists; `flaw` is what is wrong with it."""

    pages: list[Json] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    flaw: str = ""


def read_sitemap(body: bytes, content_type: str, base: str) -> Sitemap:
    """The sitemap in `body`, which came from `base`. Raises RetryLater if it is none: a web page, an error, half a file
    without a readable entry."""
    text = decode_markup(_unpacked(body, base), content_type)[0].lstrip("\ufeff \t\r\n")
    if not text.startswith("<"):
        return _plain_text(text, base)
    document = elements(text, _ENTRIES, MOST)
    if document.root in _FEEDS:
        return _feed(text, base)
    if document.root not in ("urlset", "sitemapindex"):
        raise RetryLater(f"{base} is not a sitemap: it begins with {beginning(text, 60)!r}")
    found = Sitemap(flaw=document.flaw)
    for element in document.found:
        _add(found, element, base)
    if not found.pages and not found.children and (document.found or document.flaw):
        raise RetryLater(f"{base} is a sitemap without a readable entry: {document.flaw or 'no addresses'}")
    return found


def _unpacked(body: bytes, base: str) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    import zlib

    unpacking = zlib.decompressobj(31)
    try:
        plain_bytes = unpacking.decompress(body, LARGEST)
    except zlib.error as error:
        raise RetryLater(f"{base} is broken gzip: {error}") from None
    if unpacking.unconsumed_tail:
        raise RetryLater(f"{base} is larger than {LARGEST:,} bytes unpacked")
    return plain_bytes


def _plain_text(text: str, base: str) -> Sitemap:
    lines = text.splitlines()[:MOST]
    links = [line.strip() for line in lines if line.strip().startswith(("http://", "https://"))]
    pages: list[Json] = [{"url": url} for url in (absolute(base, link) for link in links) if url]
    if not pages or not lines[0].startswith("http"):
        raise RetryLater(f"{base} is not a sitemap: it begins with {beginning(text, 60)!r}")
    return Sitemap(pages)


def _feed(text: str, base: str) -> Sitemap:
    feed = parse(text.encode("utf-8", "replace"), "application/xml; charset=utf-8", base)
    told = ("url", "title", "published", "updated")
    entries = [{name: entry.data[name] for name in told if name in entry.data} for entry in feed.entries]
    return Sitemap([entry for entry in entries if "url" in entry][:MOST], flaw=feed.flaw)


def _add(found: Sitemap, element: Element, base: str) -> None:
    # Some indexes have the address right inside <sitemap>.
    url = absolute(base, element.told("loc") or one_line(element.text))
    if url is None:
        return
    if element.name == "sitemap":
        found.children.append(Child(url, _moment(element.told("lastmod"))))
    else:
        found.pages.append(_page(element, url, base))


def _page(element: Element, url: str, base: str) -> Json:
    videos = [_video(video, base) for video in element.all("video")[:MOST_INSIDE]]
    images = [absolute(base, image.told("loc")) for image in element.all("image")[:MOST_INSIDE]]
    first = videos[0] if videos else {}
    data = {
        "url": url,
        "title": plain(element.told("news", "title")) or first.get("title"),
        "published": _moment(element.told("news", "publication_date")) or first.get("published"),
        "updated": _moment(element.told("lastmod")),
        "news": _news(element),
        "videos": videos,
        "images": [image for image in images if image],
        "alternates": _alternates(element, base),
    }
    return _filled(data)


def _news(element: Element) -> Json:
    return _filled({
        "publication": plain(element.told("news", "publication", "name")) or plain(element.told("news", "name")),
        "language": element.told("news", "publication", "language") or element.told("news", "language"),
        "keywords": plain(element.told("news", "keywords")),
    })  # fmt: skip


def _video(video: Element, base: str) -> Json:
    seconds = video.told("duration")
    return _filled({
        "title": plain(video.told("title")),
        "description": plain(video.told("description"), LONGEST_DESCRIPTION),
        "published": _moment(video.told("publication_date")),
        "expires": _moment(video.told("expiration_date")),
        "seconds": int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 9 else None,
        "url": absolute(base, video.told("content_loc")),
        "player": absolute(base, video.told("player_loc")),
        "thumbnail": absolute(base, video.told("thumbnail_loc")),
        "tags": [plain(tag.text, 100) for tag in video.all("tag")[:MOST_INSIDE]],
    })  # fmt: skip


def _alternates(element: Element, base: str) -> Json:
    """Language -> the address of the page in it."""
    links = [link.attributes for link in element.all("link")[:MOST_INSIDE]]
    found = {one_line(link.get("hreflang"), 40): absolute(base, link.get("href")) for link in links}
    return {language: url for language, url in found.items() if language and url}


def _moment(text: str) -> str | None:
    """A W3C date and time, which may end after the year or the month."""
    return dates.from_iso(f"{text}{'-01-01'[len(text) - 4 :]}" if _COARSE.fullmatch(text) else text)


def _filled(data: Json) -> Json:
    return {name: value for name, value in data.items() if value not in (None, "", [], {})}
