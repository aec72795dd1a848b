"""What stands between the network and Datasette: an ASGI application around another one.

Let through are GET and HEAD, to this machine by a name of its own (so that no page on the web can reach it by a name
that it makes point here), in an address of bounded length and of plain characters, to pages that only read. Cookies
and credentials are taken off: nobody is logged in here. Each answer gets the headers that let a browser run
nothing but the files in `static/`, and an answer that goes wrong half way never becomes a traceback.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote_plus

from rivus.talk import say

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

LONGEST = 8000
"""Bytes of an address."""
ARGUMENTS = 100
FACETS = 12
"""Each costs a query of its own."""
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS: Headers = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
OWN = re.compile(rb"/-/(static/.*|(versions|settings)(\.json)?)")
"""What is open of Datasette's own service pages; the others are for logging in and for its developers."""
_PLAIN = re.compile(rb"/[!-\[\]-~]*")
_QUERY = re.compile(rb"[!-~]*")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", re.IGNORECASE)
_TAKEN_OFF = (b"cookie", b"authorization")


class Guard:
    """hosts: further names by which it may be asked. began, ended: called around each request that is let through."""

    def __init__(self, app: App, hosts: frozenset[str], began: Callable[[], None], ended: Callable[[], None]) -> None:
        self._app, self._hosts, self._began, self._ended = app, hosts, began, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        answer = _Answer(send, head=scope["method"] == "HEAD", static=_path(scope).startswith(b"/static/"))
        if refusal := refused(scope, self._hosts):
            await answer.plain(*refusal)
            return
        self._began()
        try:
            await _while_wanted(self._app(_cleaned(scope), _nothing, answer), receive)
        except Exception as error:  # noqa: BLE001 - nothing that a request does may end the server
            await answer.broken(error)
        finally:
            self._ended()


async def _while_wanted(answering: Awaitable[None], receive: Receive) -> None:
    """Ends the answer when the visitor has gone: a long table would be written to nobody, with a warning a row."""
    work, gone = asyncio.ensure_future(answering), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        work.cancel()
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nothing() -> Message:
    """What is read of a request: pages are asked for without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


def refused(scope: Scope, hosts: frozenset[str]) -> tuple[int, str] | None:
    """The status and the text of a refusal, None if a request is let through."""
    if scope["method"] not in ("GET", "HEAD"):
        return 405, "This dashboard only shows: GET and HEAD.\n"
    if not is_ours([value for name, value in scope["headers"] if name == b"host"], hosts):
        return 403, "It is not known by this name; rivus-dash --host-name NAME allows another one.\n"
    path, query = _path(scope), scope.get("query_string", b"")
    if len(path) + len(query) > LONGEST:
        return 414, f"An address has at most {LONGEST} characters.\n"
    if not _PLAIN.fullmatch(path) or path.startswith(b"//") or not _QUERY.fullmatch(query):
        return 400, "The address has characters that must be percent-encoded.\n"
    names = [unquote_plus(one.partition(b"=")[0].decode()) for one in query.split(b"&")]
    if len(names) > ARGUMENTS or sum(name.startswith("_facet") for name in names) > FACETS:
        return 400, f"At most {ARGUMENTS} arguments, and {FACETS} facets.\n"
    if "_trace" in names:
        return 400, "There is no trace.\n"
    if path.startswith(b"/-/") and not OWN.fullmatch(path):
        return 404, "No such page.\n"
    return None


def is_ours(values: list[bytes], hosts: frozenset[str]) -> bool:
    """Whether a request's Host headers are one name or address of this machine, or one of `hosts`."""
    match = _HOST.fullmatch(values[0].decode("latin-1")) if len(values) == 1 else None
    if match is None:
        return False
    name = match[1].lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name in hosts:
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _path(scope: Scope) -> bytes:
    raw = scope.get("raw_path")
    return (scope["path"].encode() if raw is None else bytes(raw)).partition(b"?")[0]


def _cleaned(scope: Scope) -> Scope:
    """The request as Datasette gets it: always GET, and without what could say who asks."""
    headers = [(name, value) for name, value in scope["headers"] if name not in _TAKEN_OFF]
    return {**scope, "method": "GET", "headers": headers}


class _Answer:
    """A `send` that adds the headers, and leaves the body out for HEAD."""

    def __init__(self, send: Send, head: bool, static: bool) -> None:
        self._send, self._head, self._started = send, head, False
        self._caching = b"max-age=300" if static else b"no-store"

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            await self._send({**message, "headers": self._with_ours(message.get("headers", []))})
        elif message["type"] == "http.response.body" and self._head:
            await self._send({"type": "http.response.body", "more_body": message.get("more_body", False)})
        else:
            await self._send(message)

    def _with_ours(self, headers: Iterable[Iterable[bytes]]) -> Headers:
        replaced = {name for name, _ in ALWAYS} | {b"cache-control", b"set-cookie", b"link"}
        theirs = [(name, value) for name, value in headers if name.lower() not in replaced]
        return [*theirs, *ALWAYS, (b"cache-control", self._caching)]

    async def plain(self, status: int, text: str) -> None:
        headers: Headers = [(b"content-type", b"text/plain; charset=utf-8")]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": text.encode()})

    async def broken(self, error: Exception) -> None:
        """An error that no page was made of: a request that cannot be read, unless the answer had begun."""
        say(f"dash: {type(error).__name__}: {error}", 1 if isinstance(error, ValueError) else 0)
        if not self._started:
            await self.plain(*((400, "Not understood.\n") if isinstance(error, ValueError) else (500, "A bug.\n")))
        else:
            await self({"type": "http.response.body", "body": b"", "more_body": False})
