"""Text of the network, errors and addresses, as it may be shown and kept."""

from __future__ import annotations

import re

from rivus import secrets

_HARMLESS = "authors?|keywords?|resumekey|showresumekey|signal"
"""Names of parts of a query, whole ones, that only sound like those of a secret."""
_IN_QUERY = re.compile(
    rf"(?i)([?&;](?!(?:{_HARMLESS})=)[\w.-]{{0,40}}(?:token|key|secret|passw|auth|sig)[\w.-]{{0,40}}=)"
    r"(?!(?:true|false|[01])(?:[&\s'\"<>#)]|\Z))[^&\s'\"<>#)]+"
)
LOOKED_AT = 4 * secrets.LONGEST
"""What is read beyond the end that is shown: the longest secret, with each character of it quoted."""
_IN_HOST = re.compile(r"(://)[^/\s@'\"]+@")


def clean(text: str) -> str:
    """`text` on one line, without known secrets, user names in URLs, and what queries call a token or key."""
    text = _IN_QUERY.sub(r"\1[secret]", _IN_HOST.sub(r"\1", secrets.scrub(text)))
    return " ".join(text.split())


def beginning(text: str | bytes, most: int) -> str:
    """How a text from outside begins, for a message: cleaned first and then cut to `most` characters, for half of a
    secret is one that nobody finds any more."""
    head = text[: most + LOOKED_AT]
    told = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
    whole = clean("".join(sign for sign in told if sign.isprintable() or sign.isspace()))
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"
