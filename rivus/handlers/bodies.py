"""The bodies of web pages: fetched, kept compressed with the item, and read again by a later stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rivus.handlers.fields import address_in, value_at
from rivus.model.outcome import ItemFailed, Json, RetryLater
from rivus.net.charset import content_type

if TYPE_CHECKING:
    from rivus.model.context import Context

HTML = ("text/html", "application/xhtml+xml", "")
"""Content types of web pages, and none at all."""


class Body(NamedTuple):
    """A page as it came. header: its Content-Type; url: after redirects; status: None if it was not fetched now."""

    content: bytes
    header: str
    url: str
    status: int | None


def body_of(item: Json, ctx: Context, url_field: str, file_field: str | None) -> Body:
    """The page in the file that `file_field` names, else the one at the address in `url_field`."""
    return kept_body(item, ctx, file_field, url_field) if file_field else fetch_body(ctx, address_in(item, url_field))


def fetch_body(ctx: Context, url: str, kinds: tuple[str, ...] = HTML) -> Body:
    """The page at `url`. kinds: the content types that will do. Raises RetryLater for an empty body, ItemFailed for
    what is no page, and the outcomes of `rivus.net.session`."""
    from rivus.net.session import check, fetch

    response = check(fetch(ctx.http, url))
    header = response.headers.get("Content-Type", "")
    kind, _ = content_type(header)
    if kind not in kinds:
        raise ItemFailed(f"not a web page: {kind}")
    if not response.content.strip():
        raise RetryLater("the page is empty")
    return Body(response.content, header, response.url, response.status_code)


def keep_body(ctx: Context, content: bytes) -> str:
    """Writes a body to `page.html.gz`, byte for byte, and gives the file's name for the output."""
    import gzip

    file = ctx.workdir / "page.html.gz"
    file.write_bytes(gzip.compress(content, 6, mtime=0))
    return ctx.name(file)


def kept_body(item: Json, ctx: Context, file_field: str, url_field: str) -> Body:
    """The page in the file that `file_field` names, with what `web.page` has said of it beside that field.

    Raises ItemFailed if there is no such file, or it holds no page.
    """
    name = value_at(item, file_field)
    outer = file_field.rpartition(".")[0]
    beside = value_at(item, outer) if outer else item
    url = beside.get("url")
    address = url if isinstance(url, str) and url.startswith("http") else address_in(item, url_field)
    header = f"text/html; charset={beside.get('charset') or ''}"
    return Body(_unpacked(ctx, name, file_field), header, address, None)


def _unpacked(ctx: Context, name: object, file_field: str) -> bytes:
    import gzip

    from rivus.net.session import MAX_BYTES

    if not isinstance(name, str):
        raise ItemFailed(f"`{file_field}` names no file")
    try:
        with gzip.open(ctx.path(name)) as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, ValueError) as error:  # ValueError of `path` too: the name leads out of the item
        raise ItemFailed(f"`{file_field}`: {type(error).__name__}: the page cannot be read") from None
    if len(content) > MAX_BYTES:
        raise ItemFailed(f"`{file_field}` holds more than {MAX_BYTES:,} bytes")
    return content
