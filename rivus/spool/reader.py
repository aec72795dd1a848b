"""Reading strictly what anybody may have put into a directory.

A document is a regular file of at most 16 MiB, UTF-8, one JSON object, without NaN or infinities, duplicate names,
integers beyond 64 bits, lone surrogates or more than 64 levels. Whatever else is there raises Unreadable with the
reason, at once and in bounded memory.
"""

from __future__ import annotations

import json
import math
import os
import stat
from typing import Any, NoReturn

from rivus.model.outcome import Json
from rivus.talk import scrubbed

MAX_BYTES = 16 << 20
MAX_DEPTH = 64


class Unreadable(Exception):
    """Why this cannot be a document. age: seconds since its last byte was written (a negative one is old)."""

    def __init__(self, reason: str, age: float = math.inf) -> None:
        super().__init__(reason)
        self.age = age


def read_document(path: str, now: float | None = None) -> Json:
    """The JSON object in the file. Raises Unreadable, FileNotFoundError.

    now: for the age of what does not parse; None leaves it infinite.
    """
    raw, modified = _read_bytes(path)
    try:
        return parse_object(raw)
    except ValueError as error:
        raise Unreadable(str(error), math.inf if now is None else now - modified) from None


def _read_bytes(path: str) -> tuple[bytes, float]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("not a regular file")
        if status.st_size > MAX_BYTES:
            raise Unreadable(f"{status.st_size} bytes, more than {MAX_BYTES}")
        parts = []
        while part := os.read(handle, status.st_size + 1):
            parts.append(part)
            if sum(map(len, parts)) > MAX_BYTES:
                raise Unreadable(f"grows beyond {MAX_BYTES} bytes")
        return b"".join(parts), status.st_mtime
    finally:
        os.close(handle)


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


def dump(document: Json) -> bytes:
    """A document as it stands in a file: one line, UTF-8, secrets taken out. Raises ValueError for whatever
    `read_document` would refuse, so that nothing is written which cannot be read again."""
    try:
        raw = scrubbed(json.dumps(document, ensure_ascii=False, allow_nan=False)).encode() + b"\n"
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{len(raw)} bytes of JSON, more than {MAX_BYTES}: write a file into the workdir instead")
    parse_object(raw)
    return raw
