"""Keys and texts from outside, made fit to be kept: no control characters, no broken Unicode, a bounded length."""

from __future__ import annotations

import hashlib
import re
from typing import Any

LONGEST_KEY = 1_024
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def key_of(text: str) -> str:
    """`text` as a key: one line, at most 1,024 characters."""
    return bounded(one_line(text))


def bounded(key: str) -> str:
    """`key`, if it is not too long; a longer one keeps its beginning and gets a digest."""
    return key if len(key) <= LONGEST_KEY else f"{key[: LONGEST_KEY - 33]}-{digest(key)}"


def is_fit(text: str) -> bool:
    """Whether `text` is one line of plain text as it stands."""
    return not _UNFIT.search(text) and "\n" not in text and "\t" not in text


def digest(*parts: str) -> str:
    """32 hexadecimal digits that stand for these texts, in this order."""
    joined = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]


def one_line(value: Any, limit: int | None = None) -> str:
    """`value` as text with single spaces, cut to `limit` characters."""
    return cut(" ".join(_UNFIT.sub("", "" if value is None else str(value)).split()), limit)


def text_of(value: Any) -> str:
    """A key from a text or a number; "" for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return one_line(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def block(value: Any, limit: int) -> str:
    """`value` as text with its line ends, cut to `limit` characters."""
    return cut(_UNFIT.sub("", "" if value is None else str(value)).strip(), limit)


def cut(text: str, limit: int | None) -> str:
    """`text`, of which at most `limit` characters are left, the last an ellipsis if there were more."""
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"
