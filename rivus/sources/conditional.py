"""Asking a server only for what has changed (RFC 9110, 13: If-None-Match, If-Modified-Since).

The validators of the last good answer stand in the cursor, with the address they belong to: under another address
they are forgotten. A source calls `remember` only once the body has made sense, or a broken answer would be the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rivus.model.context import Look
from rivus.model.outcome import RetryLater
from rivus.net.session import check, fetch

if TYPE_CHECKING:
    import requests

LONGEST_VALIDATOR = 1_024
_FIELDS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


def get(look: Look, url: str, *, accept: str = "*/*") -> requests.Response | None:
    """The good answer to a GET of `url`, None if it is the one remembered. Raises the outcomes of fetch and check."""
    kept = look.cursor.get("validators")
    known = kept if isinstance(kept, dict) and kept.get("url") == url else {}
    asked = {_FIELDS[field]: str(known[field]) for field in _FIELDS if known.get(field)}
    response = check(fetch(look.http, url, headers={"Accept": accept, **asked}))
    if response.status_code != 304:
        return response
    if not asked:
        raise RetryLater(f"{url} answered 304 (unchanged) to a question that had no condition")
    return None


def remember(look: Look, url: str, response: requests.Response) -> None:
    """Puts the validators of `response` into the cursor."""
    found = {field: response.headers.get(field, "") for field in _FIELDS}
    fit = {field: value for field, value in found.items() if value and len(value) <= LONGEST_VALIDATOR}
    look.cursor["validators"] = {"url": url, **fit}


def forget(look: Look) -> None:
    """Has the next look read the whole answer again."""
    look.cursor.pop("validators", None)
