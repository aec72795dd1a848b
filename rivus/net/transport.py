"""The guarded requests.Session itself. Import it late, as `open_session` does: it brings requests with it.

Every answer is read whole before anybody sees it, under one deadline for all hops and one cap on decoded bytes; so
a redirect's body, a compressed bomb and a server that trickles are all bounded in the same place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from rivus import __version__, secrets
from rivus.net.guard import Policy, guarding

USER_AGENT = f"rivus/{__version__} (feed and page watcher; polite)"
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
HOPS = 5
CHUNK = 65_536
SECRET_HEADERS = ("Authorization", "Cookie", "X-Api-Key", "X-Finnhub-Token")
_IN_QUERY = re.compile(r"(?i)([?&;][\w.-]{0,40}(?:token|key|secret|passw|auth|sig)[\w.-]{0,40}=)[^&\s'\"<>#)]+")
_IN_HOST = re.compile(r"(://)[^/\s@'\"]+@")


class TooLarge(requests.RequestException):
    """The answer has more decoded bytes than the session reads."""


class BoundedAdapter(HTTPAdapter):
    """Gives answers whose body is read, decoded, complete and no longer than `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """As the base class, with the body in it. Raises TooLarge and the errors of requests."""
        timeout = timeout or (CONNECT_SECONDS, READ_SECONDS)
        response = super().send(request, True, timeout, verify, cert, proxies)
        try:
            # What requests itself sets when it has read a body.
            response._content = self._read(response)
            response._content_consumed = True  # type: ignore[attr-defined]
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
            self.mount(scheme, BoundedAdapter(max_bytes))

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


def clean(text: str) -> str:
    """`text` on one line, without known secrets, user names in URLs, and what queries call a token or key."""
    text = _IN_QUERY.sub(r"\1[secret]", _IN_HOST.sub(r"\1", secrets.scrub(text)))
    return " ".join(text.split())


def _is_secret(name: str, value: str | bytes) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return name.title() in SECRET_HEADERS or secrets.scrub(text) != text
