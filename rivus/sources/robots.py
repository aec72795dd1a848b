"""robots.txt (RFC 9309), as the strategies that read web pages obey it: asked once a look and host.

There is none (4xx but 429): all is allowed. It cannot be read (5xx, no answer): nothing is, for now. A Crawl-delay is
kept between two requests to its host, up to LONGEST_DELAY seconds each.
"""

from __future__ import annotations

import time
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from rivus.model.context import Look
from rivus.model.outcome import Halt
from rivus.net.extras import load
from rivus.net.session import check, fetch
from rivus.sources.addresses import absolute

Obedience = Literal["obey", "ignore"]
LARGEST = 512_000
"""Bytes of a robots.txt that must be read (RFC 9309, 2.5)."""
LONGEST_DELAY = 10.0
MOST_SITEMAPS = 100
ROBOT = "rivus"


class Robots:
    """What the robots.txt of the hosts of one look say. obedience: `ignore` allows everything, at once."""

    def __init__(self, look: Look, obedience: Obedience) -> None:
        self._look, self._obedience = look, obedience
        self._rules: dict[str, Any] = {}
        self._last: dict[str, float] = {}

    def allow(self, url: str) -> None:
        """Returns, after the Crawl-delay, if `url` may be asked for. Raises Halt, or why that is unknown."""
        if self._obedience == "ignore":
            return
        address = _address(url)
        rules = self._of(address)
        if not rules.can_fetch(url, ROBOT):
            raise Halt(f"{address} forbids {url}; `robots: ignore` if its owner has allowed you to")
        delay = min(float(rules.crawl_delay(ROBOT) or 0), LONGEST_DELAY)
        if delay > 0 and address in self._last:
            time.sleep(max(0.0, self._last[address] + delay - time.monotonic()))
        self._last[address] = time.monotonic()

    def sitemaps(self, url: str) -> list[str]:
        """The sitemaps that the robots.txt of this address names, whether it is obeyed or not."""
        address = _address(url)
        named = (absolute(address, urljoin(address, line)) for line in self._of(address).sitemaps)
        return list(dict.fromkeys(link for link in named if link))[:MOST_SITEMAPS]

    def _of(self, address: str) -> Any:
        if address not in self._rules:
            response = fetch(self._look.http, address)
            missing = 400 <= response.status_code < 500 and response.status_code != 429
            text = "" if missing else check(response).content[:LARGEST].decode("utf-8-sig", "replace")
            self._rules[address] = load("protego", "feeds").Protego.parse(text)
        return self._rules[address]


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/robots.txt"
