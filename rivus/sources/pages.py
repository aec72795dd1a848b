"""A web page as a tree (selectolax, Lexbor), and what a CSS selector finds in it."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from rivus.model.outcome import Halt, RetryLater
from rivus.net.charset import decode_markup
from rivus.net.cleaned import clean
from rivus.net.extras import load
from rivus.sources.addresses import absolute
from rivus.sources.keys import one_line
from rivus.sources.markup import TooComplex, check_formatting

if TYPE_CHECKING:
    import requests

ACCEPT = "text/html, */*;q=0.5"
_SCRIPTS = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)


def tree_of(response: requests.Response) -> Any:
    """The page in an answer, whatever its syntax, without scripts and styles: they would count as text.

    Raises RetryLater for one that could keep the parser busy for minutes."""
    page, _ = decode_markup(response.content, response.headers.get("Content-Type", ""))
    page = _SCRIPTS.sub(" ", page)
    try:
        check_formatting(page)
    except TooComplex as error:
        raise RetryLater(f"{clean(response.url)}: {error}") from None
    tree = load("selectolax.lexbor", "feeds").LexborHTMLParser(page)
    tree.strip_tags(["script", "style"])
    return tree


def select(tree: Any, selector: str, most: int) -> list[Any]:
    """At most `most` elements that `selector` finds, in the page's order. Raises Halt for what is no CSS selector."""
    try:
        return list(islice(tree.css(selector), most))
    except Exception as error:  # noqa: BLE001 - the parser's own errors have no common class
        raise Halt(f"selector: {selector!r} is not a CSS selector: {one_line(error, 100)}") from None


def base_of(tree: Any, address: str) -> str:
    """Where the relative links of a page start that was read from `address`."""
    node = tree.css_first("base[href]")
    return (absolute(address, node.attributes.get("href")) if node else None) or address
