"""The guarded requests.Session itself. Import it late, as `open_session` does: it brings requests with it.

Every answer is read whole before anybody sees it, under one deadline for all hops and one cap on decoded bytes; so
a redirect's body, a compressed bomb and a server that trickles are all bounded in the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from rivus import __version__, secrets
from rivus.net.cleaned import clean
from rivus.net.guard import Policy, guarding, raise_if_cut
from rivus.net.record import Exchange, Player, Tape, asked, tape

USER_AGENT = f"rivus/{__version__} (feed and page watcher; polite)"
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
HOPS = 5
CHUNK = 65_536
SECRET_HEADERS = ("Authorization", "Cookie", "X-Api-Key", "X-Finnhub-Token")


class TooLarge(requests.RequestException):
    """The answer has more decoded bytes than the session reads."""


class BoundedAdapter(HTTPAdapter):
    """Gives answers whose body is read, decoded, complete and no longer than `max_bytes`. With a tape they are kept on
    it, or come from it."""

    def __init__(self, max_bytes: int, tape: Tape | None = None) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._tape = tape

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """As the base class, with the body in it. Raises TooLarge and the errors of requests; NotRecorded."""
        if isinstance(self._tape, Player):
            return self._rebuilt(request, self._tape.answer(request.method, request.url, request.body))
        try:
            response = self._ask(request, timeout or (CONNECT_SECONDS, READ_SECONDS), verify, cert, proxies)
        except requests.RequestException as error:
            if self._tape is not None:
                self._tape.give_up() if isinstance(error, TooLarge) else self._tape.keep(_failed(request, error))
            raise
        if self._tape is not None:
            self._tape.keep(_exchange(request, response))
        return response

    def _ask(self, request: requests.PreparedRequest, *how: Any) -> requests.Response:
        response = super().send(request, True, *how)
        try:
            # What requests itself sets when it has read a body.
            response._content = self._read(response)
            response._content_consumed = True  # type: ignore[attr-defined]
            raise_if_cut()
        except TooLarge:
            raise
        except urllib3.exceptions.DecodeError as error:
            raise requests.exceptions.ContentDecodingError(error, request=request) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise requests.ConnectionError(error, request=request) from error
        finally:
            response.close()
        return response

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.raw.stream(CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._max_bytes:
                raise TooLarge(f"the answer is larger than {self._max_bytes:,} bytes", request=response.request)
        return bytes(body)

    def _rebuilt(self, request: requests.PreparedRequest, kept: Exchange) -> requests.Response:
        if kept.error:
            raise requests.ConnectionError(kept.error, request=request)
        raw = urllib3.HTTPResponse(b"", dict(kept.headers), kept.status, reason=kept.reason, preload_content=False)
        response = self.build_response(request, raw)
        response._content = kept.body
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


def _exchange(request: requests.PreparedRequest, response: requests.Response) -> Exchange:
    return replace(
        asked(request.method, request.url, request.body), status=response.status_code, reason=response.reason or "",
        headers=tuple(response.headers.items()), final=response.url, body=response.content,
    )  # fmt: skip


def _failed(request: requests.PreparedRequest, error: Exception) -> Exchange:
    return replace(asked(request.method, request.url, request.body), error=str(error) or type(error).__name__)


class BoundedSession(requests.Session):
    """A session that reaches what `policy` opens, for `total` seconds a request (redirects and bodies included)."""

    def __init__(self, policy: Policy, total: float, max_bytes: int) -> None:
        super().__init__()
        self.trust_env = False
        self.max_redirects = HOPS
        self.headers["User-Agent"] = USER_AGENT
        self._policy, self._total = policy, total
        self._first: ContextVar[str | None] = ContextVar("rivus_first_hop", default=None)
        for scheme in ("http://", "https://"):
            self.mount(scheme, BoundedAdapter(max_bytes, tape()))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """As the base class. Its errors hold no secret; requests.Timeout when `total` has passed."""
        if self._first.get() is not None:
            return super().send(request, **kwargs)
        before = self._first.set(request.url or "")
        try:
            with guarding(self._policy, self._total) as deadline:
                return self._send(request, deadline, **kwargs)
        except requests.RequestException as error:
            error.args = (clean(str(error)),)
            raise error from None
        finally:
            self._first.reset(before)

    def _send(self, request: requests.PreparedRequest, deadline: Any, **kwargs: Any) -> requests.Response:
        try:
            response = super().send(request, **kwargs)
        except requests.RequestException:
            if not deadline.cut:
                raise
        else:
            # A cut connection looks like the end of a body that has no Content-Length.
            if not deadline.cut:
                return response
        raise requests.Timeout(f"no complete answer within {deadline.seconds:g} s", request=request)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Drops every secret header of a redirect that leaves the first request's host, port or TLS."""
        if self._leaves(prepared_request.url or ""):
            headers = prepared_request.headers
            for name in [n for n, value in headers.items() if _is_secret(n, value)]:
                del headers[name]

    def _leaves(self, url: str) -> bool:
        return bool(self.should_strip_auth(self._first.get() or "", url))  # type: ignore[no-untyped-call]


def _is_secret(name: str, value: str | bytes) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return name.title() in SECRET_HEADERS or secrets.scrub(text) != text
