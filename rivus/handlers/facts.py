"""What a page says about itself: title, author, date, language, site, the address it wants to be known by.

Read are `meta` elements (Open Graph, Dublin Core and the usual names), JSON-LD (https://schema.org/Article), `time`
and `link`. All of it is a claim of the page: texts are made one line and cut, dates must make sense, links be http.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rivus.handlers.page import title_of
from rivus.model.outcome import Json
from rivus.sources.addresses import absolute
from rivus.sources.dates import from_iso
from rivus.sources.keys import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborHTMLParser

LONGEST = 1_000
_TITLES = ("og:title", "twitter:title", "dc.title")
_AUTHORS = ("author", "article:author", "dc.creator", "parsely-author", "sailthru.author", "byl")
_DATES = ("article:published_time", "datepublished", "dc.date.issued", "dc.date", "date", "pubdate", "parsely-pub-date")
_LANGUAGES = ("content-language", "dc.language", "language", "og:locale")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_JSON_LD = re.compile(r"<script\b[^<>]{0,300}application/ld\+json[^<>]{0,300}>", re.IGNORECASE)
_LONGEST_SCRIPT = 300_000
_SCRIPTS, _THINGS, _PEOPLE = 10, 200, 10


def facts_of(html: str, tree: LexborHTMLParser, url: str) -> Json:
    """What is known of the page at `url`: `title`, `author`, `published` (UTC), `language`, `site`, `canonical`.

    What a page does not say, or says in a way that makes no sense, is left out; `site` is its host then.
    """
    meta, article = _meta(tree), _article(html)
    titles = (*(meta.get(name) for name in _TITLES), article.get("headline"), title_of(tree))
    authors = (article.get("author"), *(meta.get(name) for name in _AUTHORS))
    facts = {
        "title": next(filter(None, (one_line(title, LONGEST) for title in titles if isinstance(title, str))), ""),
        "author": next(filter(None, map(_author, authors)), ""),
        "published": next(filter(None, map(from_iso, _dates(tree, meta, article))), None),
        "language": _language(tree, meta),
        "site": meta.get("og:site_name") or (urlsplit(url).hostname or "").removeprefix("www."),
        "canonical": _canonical(tree, url),
    }
    return {name: value for name, value in facts.items() if value}


def _meta(tree: LexborHTMLParser) -> dict[str, str]:
    """The first content of each name, in lower case."""
    found: dict[str, str] = {}
    for node in islice(tree.css("meta[content]"), 500):
        given = node.attributes
        name = given.get("property") or given.get("name") or given.get("itemprop") or given.get("http-equiv") or ""
        found.setdefault(name.lower(), one_line(given.get("content"), LONGEST))
    return found


def _article(html: str) -> Json:
    """The first thing in JSON-LD that has a headline or a date of publication."""
    for tag in islice(_JSON_LD.finditer(html), _SCRIPTS):
        end = html.find("</script", tag.end(), tag.end() + _LONGEST_SCRIPT)
        try:
            whole = json.loads(html[tag.end() : max(end, tag.end())])
        except (ValueError, RecursionError):
            continue
        for thing in islice(_things(whole), _THINGS):
            if "datePublished" in thing or "headline" in thing:
                return thing
    return {}


def _things(value: Any) -> Iterator[Json]:
    """The objects of a JSON-LD document: one, a list of them, or what is under `@graph`."""
    for thing in value if isinstance(value, list) else [value]:
        if isinstance(thing, dict):
            yield thing
            graph = thing.get("@graph")
            yield from (each for each in graph if isinstance(each, dict)) if isinstance(graph, list) else ()


def _author(value: Any) -> str:
    """Names, however they are wrapped; "" for an address, which some pages give as the author."""
    people = (each.get("name") if isinstance(each, dict) else each for each in _all(value))
    names = (one_line(name, 200) for each in people for name in _all(each) if isinstance(name, str))
    good = dict.fromkeys(name for name in names if name and "://" not in name)
    return ", ".join(islice(good, _PEOPLE))


def _all(value: Any) -> list[Any]:
    """The first values of what may be one or a list."""
    return value[:_PEOPLE] if isinstance(value, list) else [value]


def _dates(tree: LexborHTMLParser, meta: dict[str, str], article: Json) -> Iterator[Any]:
    yield article.get("datePublished")
    yield from (meta[name] for name in _DATES if name in meta)
    for selector in ("time[itemprop=datePublished]", "time[pubdate]", "article time[datetime]"):
        node = tree.css_first(selector)
        yield node.attributes.get("datetime") if node else None


def _language(tree: LexborHTMLParser, meta: dict[str, str]) -> str:
    root = tree.css_first("html[lang]")
    said = [root.attributes.get("lang") if root else None, *(meta.get(name) for name in _LANGUAGES)]
    return next((text.strip().replace("_", "-") for text in said if text and _LANGUAGE.fullmatch(text.strip())), "")


def _canonical(tree: LexborHTMLParser, url: str) -> str | None:
    node = tree.css_first("link[rel=canonical][href]")
    return absolute(url, node.attributes.get("href")) if node else None
