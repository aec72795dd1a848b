"""Text of the network, errors and addresses, as it may be shown and kept."""

from __future__ import annotations

import re

from rivus import secrets

_IN_QUERY = re.compile(r"(?i)([?&;][\w.-]{0,40}(?:token|key|secret|passw|auth|sig)[\w.-]{0,40}=)[^&\s'\"<>#)]+")
_IN_HOST = re.compile(r"(://)[^/\s@'\"]+@")


def clean(text: str) -> str:
    """`text` on one line, without known secrets, user names in URLs, and what queries call a token or key."""
    text = _IN_QUERY.sub(r"\1[secret]", _IN_HOST.sub(r"\1", secrets.scrub(text)))
    return " ".join(text.split())
