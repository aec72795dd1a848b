"""HTTP for sources and handlers: a guarded, bounded session, and one place that turns its failures into outcomes.

`fetch` deals with what the network does, `check` with what the server says; neither ever sleeps or tries twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, SourceBlocked
from rivus.net.guard import PrivateAddress, policy_of

if TYPE_CHECKING:
    import requests

TOTAL_SECONDS = 60.0
MAX_BYTES = 20 * 2**20
LONGEST_REST = 86_400.0
"""A Retry-After beyond a day is cut to one: a source should not be lost to a server's typing error."""


def open_session(
    private_hosts: Iterable[str] = (), *, total: float = TOTAL_SECONDS, max_bytes: int = MAX_BYTES
) -> requests.Session:
    """A requests.Session whose answers come with their body already read.

    private_hosts: what the guard leaves open (addresses, networks, names); every hop of every request is under it.
    total: seconds for one request with all its redirects (at most 5) and bodies; max_bytes: of one decoded body.
    Only http and https; no proxies, .netrc or other settings from the environment.
    """
    from rivus.net.transport import BoundedSession

    return BoundedSession(policy_of(private_hosts), total, max_bytes)


def fetch(session: requests.Session, url: str, **request: Any) -> requests.Response:
    """The answer to a GET of `url`, whatever its status. Raises the outcome of what went wrong before one came."""
    import requests
    import urllib3.exceptions

    try:
        return session.get(url, **request)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # ValueError: a redirect to what is no address.
        raise outcome_of(error, url) from None


def outcome_of(error: BaseException, url: str) -> Outcome:
    """The outcome that an error of requests, urllib3 or a socket means for `url`.

    ItemFailed for an address that is refused or impossible and an answer that is too large, else RetryLater.
    """
    from rivus.net.cleaned import clean
    from rivus.net.transport import TooLarge

    chain = list(causes(error))
    private = next((e for e in chain if isinstance(e, PrivateAddress)), None)
    if private:
        return ItemFailed(f"{clean(url)}: {private}")
    reason = f"{clean(url)}: {clean(_reason(chain))}"
    if isinstance(error, (TooLarge, ValueError)) and not isinstance(error, _decoding_errors()):
        return ItemFailed(reason)
    return RetryLater(reason)


def check(response: requests.Response) -> requests.Response:
    """The response, if its status is good (2xx, 304). Raises the outcome of any other.

    Halt (401 to a credential), RetryLater (408, 425, 5xx), SourceBlocked (429; 503 that says when to come back), else
    ItemFailed.
    """
    from rivus.net.cleaned import clean
    from rivus.net.transport import SECRET_HEADERS

    status = response.status_code
    if 200 <= status < 300 or status == 304:
        return response
    after = retry_after(response.headers)
    reason = clean(f"{response.url} answered {status} {response.reason or ''}")
    if status == 401 and any(name in response.request.headers for name in SECRET_HEADERS):
        raise Halt(f"{reason}: the credential is refused")
    if status == 429 or (status == 503 and after is not None):
        raise SourceBlocked(reason, until=None if after is None else time.time() + after)
    if status in (408, 425) or status >= 500:
        raise RetryLater(reason, after=after)
    raise ItemFailed(reason)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that Retry-After asks for (RFC 9110, 10.2.3: a number or a date), at most a day; None without."""
    text = str(headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_REST)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max(when.timestamp() - time.time(), 0.0), LONGEST_REST)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, outermost first; libraries hide that in five different places."""
    pending, seen = [error], set[int]()
    while pending:
        found = pending.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = [getattr(found, name, None) for name in ("__cause__", "__context__", "reason", "cause")]
        pending += [e for e in (*inner, *found.args) if isinstance(e, BaseException)]


def _reason(chain: list[BaseException]) -> str:
    """What the innermost error says, a system error before all others: the outer ones repeat the whole URL."""
    system = [e.strerror for e in chain if isinstance(e, OSError) and e.strerror]
    told = [str(e) for e in chain if str(e)]
    return (system or told or [type(chain[0]).__name__])[-1]


def _decoding_errors() -> tuple[type[BaseException], ...]:
    """Errors that happen to be ValueErrors, but speak of the answer and not of the address."""
    import requests

    return (requests.exceptions.JSONDecodeError, requests.exceptions.ContentDecodingError)
