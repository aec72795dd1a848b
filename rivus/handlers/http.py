"""The stages `http.json`, what an interface answers to a GET, and `http.download`, a body of any kind as a file."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rivus.handlers.fields import address_in, nested
from rivus.handlers.template import filled, filled_address
from rivus.model.context import OF_THE_TIMEOUT
from rivus.model.outcome import Halt, ItemFailed, Json, RetryLater, Skip
from rivus.net.charset import content_type
from rivus.net.cleaned import beginning
from rivus.sources.answer import expression, json_of, with_secret
from rivus.sources.keys import one_line

if TYPE_CHECKING:
    import requests

    from rivus.model.context import Context

Scalar: TypeAlias = str | int | float | bool
LARGEST_FILE = 2_000
"""MB."""
LARGEST = 15 << 20
"""Bytes of an answer that is kept: a document has at most 16 MiB, with what is known of the item beside it."""


def get_json(
    item: Json, ctx: Context, *, url: str | None = None, url_field: str = "url",
    params: dict[str, Scalar] | None = None, secret: str | None = None, header: str = "X-Api-Key",
    query: str | None = None, select: str | None = None, into: str | None = None,
    absent: Literal["fail", "skip"] = "fail",
) -> Json:  # fmt: skip
    """The JSON that an address answers with.

    Takes: the fields that stand in `url` and `params`; without `url` the field named by `url_field`: an address.
    Gives: the JSON object, or the part of it that `select` names, as the output; whatever it is, as the field `into`.

    url:    the address, with fields of the item: `https://api.example.com/v1/{symbol}`. Their values are encoded; the
            host is written out.
    params: the query; texts may have fields in them too.
    secret: the name of a secret that is sent along, and only to a `url` that the job names. List it under `secrets:` of
            the job, too.
    header: the header that holds the secret (Authorization: as `Bearer VALUE`, unless the value names a scheme,
            `Basic …`); query: the part of the query that holds it instead.
    select: a JMESPath expression (https://jmespath.org).
    into:   needed for what is no object.
    absent: what 404, 410 and an empty answer mean: the item has `failed`, or there is nothing to do (`skip`).
    Raises RetryLater for what is no JSON; ItemFailed if nothing is there (null, nothing selected, a missing field),
    for what is no object without `into`, and beyond 15 MiB; Halt for a secret that is refused or missing and for
    parameters that make no sense; for HTTP statuses and connections whatever `rivus.net.session` says.

        quote:
          handler: http.json
          with: {url: "https://api.example.com/v1/{symbol}/quote", secret: example_key, select: data.price, into: price}
    """
    pick = expression(select, "select", ItemFailed) if select is not None else None
    if secret and url is None:
        raise Halt("a secret goes only to a `url` that stands in the job, not to an address from an item")
    address = filled_address(url, item) if url is not None else address_in(item, url_field)
    texts = {name: filled(value, item) if isinstance(value, str) else value for name, value in (params or {}).items()}
    nothing = Skip if absent == "skip" else ItemFailed
    value = json_of(_asked(ctx, address, texts, secret, header, query, (404, 410) if absent == "skip" else ()))
    value = pick(value) if pick else value
    if value is None or value in ("", [], {}):
        raise nothing(f"{select or 'the answer'} is empty")
    _check_fit(value)
    if into is None and not isinstance(value, dict):
        raise ItemFailed(f"{select or 'the answer'} is no object: say with `into` under which name it belongs")
    return nested(value, into)


def download(
    item: Json, ctx: Context, *, url: str | None = None, url_field: str = "url", types: list[str] | None = None,
    max_mb: float = 100, into: str | None = None,
) -> Json:  # fmt: skip
    """A body of any kind as a file: it goes to the disk as it comes.

    Takes: the fields that stand in `url`; without it the field named by `url_field`: an address.
    Gives: `file` (`body` with the usual suffix of its type), `bytes`, `sha256`, `content_type`, `url` (after
           redirects).

    url:    the address, with fields of the item, as for `http.json`.
    types:  content types that are expected, `application/pdf` or `image/*`; others fail the item, unread.
    max_mb: what is larger fails the item.
    into:   gives all of it as one field of that name.
    Raises RetryLater for an empty body, ItemFailed as said; for HTTP statuses and connections whatever
    `rivus.net.session` says.

        fetch: {handler: http.download, with: {types: [application/pdf], max_mb: 50}}
    """
    from rivus.net.download import save

    if not 0 < max_mb <= LARGEST_FILE:
        raise Halt(f"`max_mb` is not between 0 and {LARGEST_FILE:,}: {max_mb}")
    address = filled_address(url, item) if url is not None else address_in(item, url_field)
    seconds = ctx.timeout * OF_THE_TIMEOUT
    limits: Json = {"private_hosts": ctx.private_hosts, "total": seconds, "max_bytes": int(max_mb * 1_000_000)}
    file = ctx.workdir / "body"
    saved = save(address, file, accept=lambda response: _expect(_kind(response), types), **limits)
    if not saved.size:
        file.unlink()
        raise RetryLater("the body is empty")
    kind = _kind(saved.response)
    named = file.rename(file.with_suffix(_suffix(kind)))
    what = {"file": ctx.name(named), "bytes": saved.size, "sha256": saved.sha256}
    return nested({**what, "content_type": kind, "url": saved.response.url}, into)


def _asked(
    ctx: Context, url: str, params: dict[str, Any], secret: str | None, header: str, query: str | None,
    nothing: tuple[int, ...],
) -> requests.Response:  # fmt: skip
    from rivus.net.session import check, fetch

    sent, asked = with_secret(secret, ctx.secret(secret), header, query) if secret else ({}, {})
    headers = {"Accept": "application/json", **sent}
    response = fetch(ctx.http, url, params={**params, **asked}, headers=headers)
    if secret and response.status_code == 401:
        raise Halt(f"the secret {secret} is refused (401)")
    if response.status_code in nothing:
        raise Skip(f"the address answered {response.status_code}")
    return check(response)


def _check_fit(value: Any) -> None:
    """Raises ItemFailed for what is JSON but cannot stand in a document, or is too large for one."""
    import json

    from rivus.model.document import parse_object

    try:
        parse_object(json.dumps({"value": value}).encode())
    except (ValueError, RecursionError) as error:
        raise ItemFailed(f"the answer cannot be kept: {beginning(str(error), 100)}") from None
    if (size := len(json.dumps(value, ensure_ascii=False).encode())) > LARGEST:
        advice = "take a part of it with `select`, or all of it as a file with `http.download`"
        raise ItemFailed(f"the answer cannot be kept: {size:,} bytes are more than {LARGEST:,}: {advice}")


def _kind(response: requests.Response) -> str:
    kind, _ = content_type(response.headers.get("Content-Type", ""))
    return one_line(kind, 100)


def _expect(kind: str, types: list[str] | None) -> None:
    if types is not None and not any(fnmatchcase(kind, pattern.lower()) for pattern in types):
        raise ItemFailed(f"the content type is {kind or 'not given'}, not {' or '.join(types)}")


def _suffix(kind: str) -> str:
    """By Python's own table, not by the system's, which differs from one to the next."""
    from mimetypes import MimeTypes

    return MimeTypes().guess_extension(kind) or ".bin"
