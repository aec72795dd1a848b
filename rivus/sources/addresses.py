"""Web addresses: checked when a person wrote them, made absolute and comparable when a page did."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit, urlunsplit

from rivus.model.outcome import Halt

LONGEST = 8_192
"""Characters; no server is asked for more, and a page could hold anything."""
_TRACKING = re.compile(r"(?i)utm_\w+|fbclid|gclid|dclid|msclkid|yclid|igshid|mc_cid|mc_eid|_hsenc|_hsmi|mkt_tok")
_DEFAULT_PORTS = {":80", ":443"}


def web_address(text: str, parameter: str) -> str:
    """`text`, if it is an http or https address. Raises Halt, naming `parameter`."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(c.isspace() for c in text):
        raise Halt(f"{parameter}: {text!r} is not an address that begins with http:// or https://")
    return text


def absolute(base: str, link: str | None) -> str | None:
    """The http or https address that `link` on the page `base` means; None for any other kind, or none at all."""
    try:
        url = urljoin(base, (link or "").strip())
        parts = urlsplit(url)
        good = bool(link) and parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    return url if good and len(url) <= LONGEST and not any(c.isspace() or c < " " for c in url) else None


def comparable(url: str) -> str:
    """`url` as a key: https, lower-case host, no default port, fragment or tracking parameter (utm_*, fbclid …)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host = parts.netloc.lower()
    for port in _DEFAULT_PORTS:
        host = host.removesuffix(port)
    query = "&".join(p for p in parts.query.split("&") if not _TRACKING.fullmatch(p.partition("=")[0]))
    scheme = "https" if parts.scheme in ("http", "https") else parts.scheme
    return urlunsplit((scheme, host, parts.path or "/", query, ""))
