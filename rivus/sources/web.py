"""The strategy `web_links`: the links of a page that has no feed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, RetryLater
from rivus.net.charset import decode_markup
from rivus.net.extras import load
from rivus.net.session import check, fetch
from rivus.sources import conditional
from rivus.sources.addresses import absolute, comparable, web_address
from rivus.sources.keys import key_of, one_line
from rivus.sources.patterns import compiled, matching

LONGEST_TITLE = 1_000
MOST_LINKS = 20_000
ANCHORS = 3
"""Of several links to one address, often a picture and a text, so many are asked for a title."""
LONGEST_ROBOTS = 512_000
"""Bytes of a robots.txt that must be read (RFC 9309, 2.5)."""
ROBOT = "rivus"


def web_links(
    look: Look,
    *,
    url: str,
    selector: str = "a[href]",
    pattern: str | None = None,
    max_items: int = 500,
    robots: bool = True,
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
    robots:    whether the site's robots.txt is obeyed.

    The key is the address without fragment, scheme and tracking parameters. The data has url and title (the text).
    Raises RetryLater if the selector matches nothing (the page has changed, or this is a login page), Halt for a bad
    selector or pattern and for a page that robots.txt forbids.
    """
    web_address(url, "url")
    if pattern is not None:
        compiled(pattern)
    if robots:
        _obey_robots(look, url)
    response = conditional.get(look, url, accept="text/html, */*;q=0.5")
    if response is None:
        return
    page, _ = decode_markup(response.content, response.headers.get("Content-Type", ""))
    links = _links(page, response.url, selector)
    chosen = links if pattern is None else matching(pattern, list(links))
    yield from islice(_found({link: nodes for link, nodes in links.items() if link in chosen}), max_items)
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


def _links(page: str, address: str, selector: str) -> dict[str, list[Any]]:
    """Absolute address -> the links to it, in the page's order. Raises RetryLater when there is none."""
    tree: Any = load("selectolax.lexbor", "feeds").LexborHTMLParser(page)
    try:
        nodes = tree.css(selector)
    except Exception as error:  # noqa: BLE001 - the parser's own errors have no common class
        raise Halt(f"selector: {selector!r} is not a CSS selector: {one_line(error, 100)}") from None
    base_node = tree.css_first("base[href]")
    base = absolute(address, base_node.attributes.get("href")) if base_node else None
    links: dict[str, list[Any]] = {}
    for node in islice(nodes, MOST_LINKS):
        anchor = node if node.attributes.get("href") else node.css_first("a[href]")
        link = absolute(base or address, anchor.attributes.get("href")) if anchor else None
        if link is not None:
            links.setdefault(link, []).append(anchor)
    if not links:
        raise RetryLater(
            f"{address}: {selector!r} finds no link on a page of {len(page):,} characters: has it changed?"
        )
    return links


def _title(anchor: Any) -> str:
    """The text of a link, else what its image or the link itself is called."""
    text = one_line(anchor.text(separator=" "), LONGEST_TITLE)
    image = None if text else anchor.css_first("img[alt]")
    return text or one_line((image or anchor).attributes.get("alt" if image else "title"), LONGEST_TITLE)


def _obey_robots(look: Look, url: str) -> None:
    """Returns if robots.txt allows `url`, or there is none (RFC 9309, 2.3.1). Raises Halt, or why it is unknown."""
    parts = urlsplit(url)
    address = f"{parts.scheme}://{parts.netloc}/robots.txt"
    response = fetch(look.http, address)
    if 400 <= response.status_code < 500 and response.status_code != 429:
        return
    text = check(response).content[:LONGEST_ROBOTS].decode("utf-8-sig", "replace")
    if not load("protego", "feeds").Protego.parse(text).can_fetch(url, ROBOT):
        raise Halt(f"{address} forbids {url}; `robots: false` if its owner has allowed you to")
