"""Asking a server only for what has changed (RFC 9110, 13: If-None-Match, If-Modified-Since).

The validators of the last good answer stand in the cursor, with the address they belong to and the span of time that
was taken of it: under another address, or for another span, they are forgotten. A source calls `remember` only once the
body has made sense, or a broken answer would be the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from rivus.model.context import Look
from rivus.model.outcome import Json, RetryLater
from rivus.net.session import check, fetch
from rivus.sources.dates import ALWAYS, Span

if TYPE_CHECKING:
    import requests

Judge: TypeAlias = "Callable[[requests.Response], requests.Response]"
"""The response, if its status is good; raises the outcome of any other."""
LONGEST_VALIDATOR = 1_024
_FIELDS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


def get(
    look: Look, url: str, *, accept: str = "*/*", span: Span = ALWAYS, judge: Judge = check, **sent: Mapping[str, str]
) -> requests.Response | None:  # fmt: skip
    """The good answer to a GET of `url`, None if it is the one remembered. Raises the outcomes of fetch and of `judge`.

    sent: `headers` and `params` that are not remembered, such as a secret.
    """
    kept = look.cursor.get("validators")
    known = kept if isinstance(kept, dict) and kept.get("url") == url and kept.get("span") == _written(span) else {}
    return ask(look.http, url, known, accept, judge, **sent)


def ask(
    session: requests.Session, url: str, known: Json, accept: str, judge: Judge = check, **sent: Mapping[str, str]
) -> requests.Response | None:  # fmt: skip
    """As `get`, with the validators that the caller has kept."""
    asked = {_FIELDS[field]: str(known[field]) for field in _FIELDS if known.get(field)}
    headers = {"Accept": accept, **sent.pop("headers", {}), **asked}
    response = judge(fetch(session, url, headers=headers, **sent))
    if response.status_code != 304:
        return response
    if not asked:
        raise RetryLater(f"{url} answered 304 (unchanged) to a question that had no condition")
    return None


def remember(look: Look, url: str, response: requests.Response, span: Span = ALWAYS) -> None:
    """Puts the validators of `response` into the cursor."""
    taken = {} if span.open else {"span": _written(span)}
    look.cursor["validators"] = {"url": url, **taken, **validators(response)}


def validators(response: requests.Response) -> Json:
    """What the next question about this address can say of `response`."""
    found = {field: response.headers.get(field, "") for field in _FIELDS}
    return {field: value for field, value in found.items() if value and len(value) <= LONGEST_VALIDATOR}


def forget(look: Look) -> None:
    """Has the next look read the whole answer again."""
    look.cursor.pop("validators", None)


def _written(span: Span) -> str | None:
    return None if span.open else "/".join(str(bound) for bound in span)
