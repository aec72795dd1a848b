"""The stage `web.page`: one web page, kept as it came, and its visible text."""

from __future__ import annotations

import gzip
import re
from email.message import Message
from typing import TYPE_CHECKING

from rivus.handlers.charset import decode
from rivus.handlers.page import TooComplex, read_page
from rivus.model.outcome import ItemFailed, Json, RetryLater

if TYPE_CHECKING:
    from rivus.model.context import Context

_HTML = ("text/html", "application/xhtml+xml")
_META = re.compile(
    rb"<(?:meta|\?xml)\b[^<>]{0,500}?\b(?:charset|encoding)\s{0,9}=\s{0,9}[\"']?([\w.:-]{2,40})",
    re.IGNORECASE,
)
_META_WITHIN = 8_192
"""Browsers look for it in the first 1,024 bytes (https://html.spec.whatwg.org/#charset); real pages put it later."""


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

    response = check(fetch(ctx.http, _address(item, url_field)))
    kind, declared = content_type(response.headers.get("Content-Type", ""))
    if kind not in (*_HTML, "text/plain", ""):
        raise ItemFailed(f"not a web page: {kind}")
    if not response.content.strip():
        raise RetryLater("the page is empty")
    title, text, charset = page_text(response.content, kind or "text/html", declared)
    if len(text) < min_text:
        raise ItemFailed(f"the page has {len(text)} characters of text, fewer than {min_text}")
    file = ctx.workdir / "page.html.gz"
    file.write_bytes(gzip.compress(response.content, 6, mtime=0))
    what = {"file": ctx.name(file), "title": title, "text": text, "url": response.url}
    return {**what, "status": response.status_code, "content_type": kind, "charset": charset}


def page_text(body: bytes, kind: str = "text/html", declared: str | None = None) -> tuple[str, str, str]:
    """Title, visible text and charset of a page. kind: its media type; declared: the charset of its HTTP header.

    Raises ItemFailed for a page that cannot be read safely.
    """
    labels = [match.decode("ascii", "replace") for match in _META.findall(body[:_META_WITHIN])]
    text, charset = decode(body, [declared, *labels])
    if kind == "text/plain":
        return "", "\n".join(text.split("\r\n")).strip(), charset
    try:
        return *read_page(text), charset
    except TooComplex as error:
        raise ItemFailed(str(error)) from None


def content_type(header: str) -> tuple[str, str | None]:
    """The media type in a Content-Type header, in lower case ("" without one), and its charset."""
    message = Message()
    message["Content-Type"] = header.replace("\n", " ").replace("\r", " ") or "x"
    charset = message.get_param("charset")
    kind = header.split(";")[0].strip().lower()
    return kind, charset if isinstance(charset, str) else None


def _address(item: Json, field: str) -> str:
    url = item.get(field)
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
        raise ItemFailed(f"`{field}` is no http address")
    return url
