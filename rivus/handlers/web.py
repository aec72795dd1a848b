"""The stage `web.page`: one web page, kept as it came, and its visible text."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from rivus.handlers.fields import address_in
from rivus.handlers.page import TooComplex, read_page
from rivus.model.outcome import ItemFailed, Json, RetryLater
from rivus.net.charset import content_type, decode_markup

if TYPE_CHECKING:
    from rivus.model.context import Context

_HTML = ("text/html", "application/xhtml+xml")


def page(item: Json, ctx: Context, *, url_field: str = "url", min_text: int = 0) -> Json:
    """One web page: its body compressed in a file, its title and visible text in the output.

    Takes: the field named by `url_field`: an http or https address.
    Gives: `file` (`page.html.gz`: the body, byte for byte), `title`, `text` (a line for each block of the page),
           `url` (after redirects), `status`, `content_type`, `charset` (the one that fits, not the declared one).

    min_text: fewer characters of text than this are an error.
    Raises RetryLater for an empty body; ItemFailed for what is no page, or too short; for HTTP statuses and
    connections whatever `rivus.net.session` says.

        fetch: {handler: web.page, limit: blog, with: {min_text: 200}}
    """
    from rivus.net.session import check, fetch

    response = check(fetch(ctx.http, address_in(item, url_field)))
    header = response.headers.get("Content-Type", "")
    kind, _ = content_type(header)
    if kind not in (*_HTML, "text/plain", ""):
        raise ItemFailed(f"not a web page: {kind}")
    if not response.content.strip():
        raise RetryLater("the page is empty")
    title, text, charset = page_text(response.content, header)
    if len(text) < min_text:
        raise ItemFailed(f"the page has {len(text)} characters of text, fewer than {min_text}")
    file = ctx.workdir / "page.html.gz"
    file.write_bytes(gzip.compress(response.content, 6, mtime=0))
    what = {"file": ctx.name(file), "title": title, "text": text, "url": response.url}
    return {**what, "status": response.status_code, "content_type": kind, "charset": charset}


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
