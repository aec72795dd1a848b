"""The strategy `web_links`: the links of a page that has no feed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from rivus.model.context import Found, Look
from rivus.model.outcome import RetryLater
from rivus.sources import conditional
from rivus.sources.addresses import absolute, comparable, web_address
from rivus.sources.keys import key_of, one_line
from rivus.sources.listed import asked_anew, note_listed
from rivus.sources.pages import ACCEPT, base_of, select, tree_of
from rivus.sources.patterns import compiled, matching
from rivus.sources.robots import Obedience, Robots

LONGEST_TITLE = 1_000
MOST_LINKS = 20_000
ANCHORS = 3
"""Of several links to one address, often a picture and a text, so many are asked for a title."""


def web_links(
    look: Look,
    *,
    url: str,
    selector: str = "a[href]",
    pattern: str | None = None,
    max_items: int = 500,
    robots: Obedience = "obey",
) -> Iterator[Found]:
    """The links of a page, in the page's order, each address once.

        discover:
          strategy: web_links
          url: https://example.org/news
          selector: "article h2 a"
          pattern: "/news/20\\\\d\\\\d/"

    url:       the page.
    selector:  a CSS selector of the links, or of elements that have one inside.
    pattern:   a regular expression that the absolute address must contain a match of.
    max_items: how many links are taken.
    robots:    `obey` or `ignore` the site's robots.txt.

    The key is the address without fragment, scheme and tracking parameters. The data has url and title (the text).
    A link that was there at the last look and is no longer is noted as vanished.
    Raises RetryLater if the selector matches nothing (the page has changed, or this is a login page), Halt for a bad
    selector or pattern and for a page that robots.txt forbids.
    """
    web_address(url, "url")
    if pattern is not None:
        compiled(pattern)
    Robots(look, robots).allow(url)
    asked = (url, selector, pattern)
    if asked_anew(look, asked):
        conditional.forget(look)
    response = conditional.get(look, url, accept=ACCEPT)
    if response is None:
        return
    links = _links(tree_of(response), response.url, selector)
    chosen = links if pattern is None else matching(pattern, list(links))
    if not chosen:
        look.log.warning("%s: none of the page's %d links matches the pattern", url, len(links))
    yield from islice(_found({link: nodes for link, nodes in links.items() if link in chosen}), max_items)
    note_listed(look, asked, {"": [key_of(comparable(link)) for link in chosen]})
    conditional.remember(look, url, response)


def _found(links: dict[str, list[Any]]) -> Iterator[Found]:
    taken: set[str] = set()
    for link, anchors in links.items():
        key = key_of(comparable(link))
        if key not in taken:
            taken.add(key)
            # Not before it is needed: on a hostile page the texts of all links hold the whole page each.
            text = next(filter(None, map(_title, anchors[:ANCHORS])), "")
            yield Found(key, {"url": link, "title": text} if text else {"url": link})


def _links(tree: Any, address: str, selector: str) -> dict[str, list[Any]]:
    """Absolute address -> the links to it, in the page's order. Raises RetryLater when there is none."""
    base = base_of(tree, address)
    links: dict[str, list[Any]] = {}
    for node in select(tree, selector, MOST_LINKS):
        anchor = node if node.attributes.get("href") else node.css_first("a[href]")
        link = absolute(base, anchor.attributes.get("href")) if anchor else None
        if link is not None:
            links.setdefault(link, []).append(anchor)
    if not links:
        raise RetryLater(f"{address}: {selector!r} finds no link on the page: has it changed?")
    return links


def _title(anchor: Any) -> str:
    """The text of a link, else what its image or the link itself is called."""
    text = one_line(anchor.text(separator=" "), LONGEST_TITLE)
    image = None if text else anchor.css_first("img[alt]")
    return text or one_line((image or anchor).attributes.get("alt" if image else "title"), LONGEST_TITLE)
