"""The stage `web.article`: the main text of a page, without what stands around it on every page of the site.

trafilatura finds it where it is installed, else (and where trafilatura finds nothing) the densest stretch of blocks.
Neither can be interrupted while it works, so what they are given is bounded: trafilatura gets at most MOST_TAGS tags
and MOST_CHARACTERS; what is larger is left to the plain method, whose time is linear.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rivus.handlers.bodies import body_of, keep_body
from rivus.handlers.densest import densest_text
from rivus.handlers.facts import facts_of
from rivus.handlers.fields import nested
from rivus.handlers.page import parse_page
from rivus.model.outcome import Halt, ItemFailed, Json
from rivus.net.charset import decode_markup
from rivus.net.extras import load
from rivus.sources.dates import from_iso
from rivus.sources.keys import one_line
from rivus.sources.markup import TooComplex

if TYPE_CHECKING:
    from rivus.model.context import Context

MOST_TAGS = 20_000
MOST_CHARACTERS = 5_000_000
"""Together they keep the worst page known (lists in lists) to about 2 s."""
LEAST = 25
"""Characters; what trafilatura finds below that is a caption or a button."""
_alone = threading.Lock()
"""Held while trafilatura works: when several threads begin with it at once, lxml, on which it stands, corrupts the
memory of the process about once in 25 starts (lxml 6.1)."""


def article(
    item: Json, ctx: Context, *, url_field: str = "url", file_field: str | None = None, into: str | None = None,
    min_text: int = 0,
) -> Json:  # fmt: skip
    """The main text of an article, and what the page says about itself.

    Takes: the field named by `url_field`: an http or https address; or, with `file_field`, a page that `web.page` has
           kept: it is not fetched again.
    Gives: `text` (a line for each paragraph), `method` (`trafilatura` or `plain`), `url` (after redirects), `charset`,
           `file` (`page.html.gz`: the body, byte for byte) if it was fetched; as far as they are
           known `title`, `author`, `published` (UTC), `language`, `site`, `canonical` (the address by which the page
           wants to be known).

    file_field: the field with the file, `file` after `web.page`; `first.file` if that was told `into: first`.
    into:       gives all of it as one field of that name.
    min_text:   fewer characters of text than this are an error.
    Raises ItemFailed for a page without an article, or with too short a one; otherwise as `web.page`. Without the
    extra `articles` the method is always `plain`.

        extract: {handler: web.article, needs: [fetch], with: {file_field: file, min_text: 500}}
    """
    body = body_of(item, ctx, url_field, file_field)
    found = article_of(body.content, body.url, body.header)
    if len(found["text"]) < min_text:
        raise ItemFailed(f"the article has {len(found['text'])} characters, fewer than {min_text}")
    kept = {} if file_field else {"file": keep_body(ctx, body.content)}
    return nested({**found, "url": body.url, **kept}, into)


def article_of(content: bytes, url: str, header: str = "text/html") -> Json:
    """The article in the page `content` from `url`; `header` is the Content-Type it came with.

    Raises ItemFailed for a page that has none, or that cannot be read safely, and Halt without selectolax.
    """
    html, charset = decode_markup(content, header)
    try:
        tree = parse_page(html)
    except TooComplex as error:
        raise ItemFailed(str(error)) from None
    facts = facts_of(html, tree, url)
    text, guessed = extracted(html, url)
    method = "trafilatura" if text else "plain"
    text = text or densest_text(tree)
    if not text:
        raise ItemFailed("the page has no article")
    return {**guessed, **facts, "text": text, "method": method, "charset": charset}


def extracted(html: str, url: str) -> tuple[str, Json]:
    """Text, author and date as trafilatura finds them; ("", {}) if it finds no text, may not try or is not there."""
    if len(html) > MOST_CHARACTERS or html.count("<") > MOST_TAGS:
        return "", {}
    with _alone:
        return _extracted(html, url)


def _extracted(html: str, url: str) -> tuple[str, Json]:
    try:
        extract = load("trafilatura", "articles").bare_extraction
    except Halt:
        return "", {}
    dates = {"extensive_search": False, "original_date": True}
    try:
        found = extract(html, url=url, with_metadata=True, include_comments=False, date_extraction_params=dates)
    except Exception:  # noqa: BLE001 - a page on which it stumbles is one in which it finds nothing
        return "", {}
    text = "\n".join(" ".join(line.split()) for line in ((found and found.text) or "").splitlines() if line.strip())
    # More text than there is page is a page made to be repeated.
    return (text, _guessed(found)) if LEAST <= len(text) <= len(html) else ("", {})


def _guessed(found: Any) -> Json:
    guessed = {"author": one_line(found.author, 200), "published": from_iso(found.date)}
    return {name: value for name, value in guessed.items() if value}
