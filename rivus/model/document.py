"""What is taken for a document: one JSON object in UTF-8, without NaN or infinities, duplicate names, integers beyond
64 bits, lone surrogates or more than 64 levels. And what is taken for JSON of others, which may be more."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from rivus.model.outcome import Json

MAX_DEPTH = 64


def parse_object(raw: bytes) -> Json:
    """The JSON object in `raw`. Raises ValueError with the reason."""
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object at the top")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    if b"\\u" in raw:
        _check_surrogates(value)
    return value


def parse_json(raw: str | bytes, *, unique: bool = False) -> Any:
    """The JSON in `raw`, of any kind, without the words NaN and Infinity, and with `unique` without duplicate names; a
    number beyond a 64-bit float is infinite. Raises ValueError with the reason."""
    hook = _unique if unique else None
    try:
        return json.loads(raw, object_pairs_hook=hook, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    whole = dict(pairs)
    if len(whole) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:60]!r} stands twice in one object")
            seen.add(name)
    return whole


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError("an integer is beyond 64 bits")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is beyond a 64-bit float")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        inner = [part.values() if isinstance(part, dict) else part for part in level]
        level = [part for parts in inner for part in parts if isinstance(part, dict | list)]


def _check_surrogates(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a string holds half a surrogate pair") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_number, parse_constant=_constant
)
