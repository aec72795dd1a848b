"""Reading strictly what anybody may have put into a directory.

A document is a regular file of at most 16 MiB that holds what `rivus.model.document` takes. Whatever else is there
raises Unreadable with the reason, at once and in bounded memory.
"""

from __future__ import annotations

import json
import math
import os
import stat

from rivus.model.document import parse_object
from rivus.model.outcome import Json
from rivus.talk import scrubbed

MAX_BYTES = 16 << 20
PIECE = 1 << 16


class Unreadable(Exception):
    """Why this cannot be a document. age: seconds since its last byte was written (a negative one is old)."""

    def __init__(self, reason: str, age: float = math.inf) -> None:
        super().__init__(reason)
        self.age = age


class TooLarge(ValueError):
    """A document has more bytes than are written."""


def read_document(path: str, now: float | None = None, most: int = MAX_BYTES) -> Json:
    """The JSON object in the file. Raises Unreadable, FileNotFoundError.

    now: for the age of what does not parse; None leaves it infinite. most: bytes that are read at the most.
    """
    raw, modified = read_bytes(path, most)
    try:
        return parse_object(raw)
    except ValueError as error:
        raise Unreadable(str(error), math.inf if now is None else now - modified) from None


def read_bytes(path: str, most: int = MAX_BYTES) -> tuple[bytes, float]:
    """What a regular file holds, and when it was last modified. Raises Unreadable, FileNotFoundError."""
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
        if status.st_size > most:
            raise Unreadable(f"{status.st_size} bytes, more than {most}")
        parts, size = [], 0
        while part := os.read(handle, max(status.st_size + 1, PIECE)):
            parts.append(part)
            size += len(part)
            if size > most:
                raise Unreadable(f"grows beyond {most} bytes")
        return b"".join(parts), status.st_mtime
    finally:
        os.close(handle)


def dump(document: Json) -> bytes:
    """A document as it stands in a file: one line, UTF-8, secrets taken out. Raises ValueError for whatever
    `read_document` would refuse, so that nothing is written which cannot be read again.
    TooLarge, one of these, says that only its size is at fault."""
    try:
        raw = scrubbed(json.dumps(document, ensure_ascii=False, allow_nan=False)).encode() + b"\n"
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if len(raw) > MAX_BYTES:
        raise TooLarge(f"{len(raw)} bytes of JSON, more than {MAX_BYTES}")
    parse_object(raw)
    return raw
