"""Which pages a parser can be given, for it cannot be interrupted: its time grows with the square of nesting and of
attributes, and its memory with the product of unclosed formatting tags and blocks."""

from __future__ import annotations

import re

MAX_TAGS = 100_000
MAX_RUN = 10_000
"""Words between two tags, any of which could be an attribute. Together the limits keep 20 MB to about a minute."""

_CARRIED_ON = re.compile(r"<(/?)(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE)
"""What a parser opens again in each block while it is not closed (https://html.spec.whatwg.org/#the-list-of-active-formatting-elements)."""
MAX_PRODUCT = 2_000_000
"""Formatting tags open at once times all tags: the elements that a parser may make."""


class TooComplex(ValueError):
    """The page could keep the parser busy for minutes."""


def check_markup(html: str) -> int:
    """How many tags there are. Raises TooComplex."""
    # What stands before the first tag is text.
    _, *runs = html.split("<")
    if len(runs) > MAX_TAGS or max((len(run.split()) for run in runs), default=0) > MAX_RUN:
        raise TooComplex("the page has too many tags, or too many words in one, to be read safely")
    return len(runs)


def check_formatting(html: str) -> None:
    """Raises TooComplex, also for formatting tags that are carried on from block to block."""
    tags = check_markup(html)
    open_now = most = 0
    for match in _CARRIED_ON.finditer(html):
        open_now = max(0, open_now - 1) if match[1] else open_now + 1
        most = max(most, open_now)
    if most * tags > MAX_PRODUCT:
        raise TooComplex("the page has too many unclosed formatting tags to be read safely")
