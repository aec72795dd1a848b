"""The stage `web.page`: one web page, kept as it came, and its visible text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rivus.handlers.bodies import HTML, fetch_body, keep_body
from rivus.handlers.fields import address_in, nested
from rivus.handlers.page import read_page
from rivus.model.outcome import ItemFailed, Json
from rivus.net.charset import content_type, decode_markup
from rivus.sources.markup import TooComplex

if TYPE_CHECKING:
    from rivus.model.context import Context


def page(item: Json, ctx: Context, *, url_field: str = "url", into: str | None = None, min_text: int = 0) -> Json:
    """One web page: its body compressed in a file, its title and visible text in the output.

    Takes: the field named by `url_field`: an http or https address.
    Gives: `file` (`page.html.gz`: the body, byte for byte), `title`, `text` (a line for each block of the page),
           `url` (after redirects), `status`, `content_type`, `charset` (the one that fits, not the declared one).

    into:     gives all of it as one field of that name, so that two pages of an item do not cover each other.
    min_text: fewer characters of text than this are an error.
    Raises RetryLater for an empty body; ItemFailed for what is no page, or too short; for HTTP statuses and
    connections whatever `rivus.net.session` says.

        fetch: {handler: web.page, limit: blog, with: {min_text: 200}}
    """
    body = fetch_body(ctx, address_in(item, url_field), (*HTML, "text/plain"))
    title, text, charset = page_text(body.content, body.header)
    if len(text) < min_text:
        raise ItemFailed(f"the page has {len(text)} characters of text, fewer than {min_text}")
    kind, _ = content_type(body.header)
    what = {"file": keep_body(ctx, body.content), "title": title, "text": text, "url": body.url}
    return nested({**what, "status": body.status, "content_type": kind, "charset": charset}, into)


def page_text(body: bytes, header: str = "text/html") -> tuple[str, str, str]:
    """Title, visible text and charset of a page; `header` is the Content-Type it came with.

    Raises ItemFailed for a page that cannot be read safely.
    """
    text, charset = decode_markup(body, header)
    if content_type(header)[0] == "text/plain":
        return "", "\n".join(text.split("\r\n")).strip(), charset
    try:
        return *read_page(text), charset
    except TooComplex as error:
        raise ItemFailed(str(error)) from None
