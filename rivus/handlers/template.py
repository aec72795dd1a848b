"""Addresses and texts with fields of the item in them: `https://api.example.com/v1/{symbol}/{first.year}`.

A value is percent-encoded, so that it stays one part of the address; the host is never one.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from rivus.handlers.fields import value_at
from rivus.model.outcome import Halt, ItemFailed, Json
from rivus.sources.addresses import web_address

_FIELD = re.compile(r"\{([A-Za-z_][\w.-]{0,200})\}")
_HOST = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
LONGEST = 2_000
"""Characters of one value."""


def filled_address(template: str, item: Json) -> str:
    """The address that `template` means for this item.

    Raises Halt for a template that is no address or has a field in its host, ItemFailed for a field that is not
    there, is no text or number, or would lead to another folder (`..`).
    """
    host = _HOST.match(template)
    if host is None or "{" in host[0] or "@" in host[0]:
        raise Halt(f"url: {template!r} does not begin with http(s):// and a host that is written out")
    url = web_address(_FIELD.sub(lambda field: quote(_text(item, field[1]), safe=""), template), "url")
    if {".", ".."} & set(urlsplit(url).path.split("/")):
        raise ItemFailed("a field of the address leads to another folder")
    return url


def filled(template: str, item: Json) -> str:
    """The text `template` with its fields as they are. Raises ItemFailed as `filled_address` does."""
    return _FIELD.sub(lambda field: _text(item, field[1]), template)


def _text(item: Json, field: str) -> str:
    value = value_at(item, field)
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not text or len(text) > LONGEST:
        raise ItemFailed(f"`{field}` is no text or number of 1 to {LONGEST:,} characters, as the address needs")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ItemFailed(f"`{field}` is no Unicode text") from None
    return text
