"""Asks the SEC's EDGAR: one GET under a declared name, its peculiar refusals turned into outcomes.

Whoever asks by program has to say who it is and how to be reached, and may ask ten times a second
(https://www.sec.gov/os/webmaster-faq#developers). A look asks many times under one turn of its limit, so a process
keeps some time between its questions. All refusals come with 403 and a page.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rivus.model.document import parse_json
from rivus.model.outcome import Halt, RetryLater, SourceBlocked
from rivus.net.session import check, fetch

if TYPE_CHECKING:
    import requests

INTERVAL = 0.12
"""Seconds from one question of this process to the next."""
REST = 660.0
"""Seconds: access comes back ten minutes after the rate has dropped."""
_EMAIL = re.compile(r"[^\s@<>()]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_NAME = re.compile(r"[A-Za-z]{2}")
_LONGEST_NAME = 200
_UNDECLARED = b"undeclared automated tool"
_TOO_FAST = b"request rate threshold"
_NOT_THERE = (b"<code>accessdenied</code>", b"<code>nosuchkey</code>")
_OLD_XML = b"<companyfilings"
_asking = threading.Lock()
_next = 0.0


def declared(user_agent: str) -> str:
    """`user_agent`, if it is a name with an e-mail address. Raises Halt."""
    plain = user_agent.isascii() and user_agent.isprintable() and len(user_agent) <= _LONGEST_NAME
    if not plain or not _EMAIL.search(user_agent) or not _NAME.search(_EMAIL.sub("", user_agent)):
        raise Halt('user_agent: the SEC wants a name and an e-mail address, such as "Ada Smith ada@example.org"')
    return user_agent


def ask(
    session: requests.Session, url: str, user_agent: str, params: Mapping[str, str] | None = None
) -> requests.Response:
    """The answer to a GET of `url`, good or 404 (also for what the SEC answers 403 to because there is no such file).

    Raises Halt for a user agent that is none, or that the SEC does not take for one; SourceBlocked where it was asked
    too often, or lets nobody in; RetryLater for an empty body; the other outcomes of `rivus.net.session`.
    """
    headers = {"User-Agent": declared(user_agent)}
    _wait_for_turn()
    response = fetch(session, url, params=dict(params or {}), headers=headers)
    if response.status_code == 403:
        return _refused(response)
    if response.status_code != 404 and not check(response).content.strip():
        raise RetryLater(f"{_where(response)} answered with nothing")
    return response


def ask_json(session: requests.Session, url: str, user_agent: str, params: Mapping[str, str] | None = None) -> Any:
    """The JSON at `url`. Raises what `ask` does, ItemFailed for 404, RetryLater for what is no JSON."""
    response = check(ask(session, url, user_agent, params))
    if _OLD_XML in response.content[:2_000].lower():
        raise Halt(f"{_where(response)} gives the XML that browse-edgar once had: only EDGAR's JSON is read")
    try:
        return parse_json(response.content)
    except ValueError as error:
        raise RetryLater(f"{_where(response)}: no JSON: {str(error)[:100]}") from None


def _wait_for_turn() -> None:
    global _next
    with _asking:
        now = time.monotonic()
        turn = max(now, _next)
        _next = turn + INTERVAL
    time.sleep(turn - now)


def _refused(response: requests.Response) -> requests.Response:
    page = b" ".join(response.content[:20_000].lower().split())
    if any(mark in page for mark in _NOT_THERE):
        response.status_code = 404
        return response
    if _UNDECLARED in page and _TOO_FAST not in page:
        raise Halt("the SEC takes user_agent for no declaration of who asks")
    why = "was asked too often" if _TOO_FAST in page else "lets this address in no longer"
    raise SourceBlocked(f"{_where(response)}: the SEC {why} (403)", until=time.time() + REST)


def _where(response: requests.Response) -> str:
    from rivus.net.cleaned import clean

    return clean(response.url.partition("?")[0])
