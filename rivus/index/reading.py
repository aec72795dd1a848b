"""Looking at the spool for the index: where a ticket is, what a directory holds, what a document says. Changes nothing.

Documents are decoded leniently (what is in a box is shown, whether or not a stage would take it), but with the bounds
that stages have: a regular file of at most 16 MiB. Names are `str` as the system gives them, surrogates and all.
"""

from __future__ import annotations

import os
import stat
from typing import Any, NamedTuple

import msgspec

from rivus.model.outcome import Json
from rivus.model.states import BOXES, Box
from rivus.spool.layout import Spool
from rivus.spool.reader import MAX_BYTES

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_decode = msgspec.json.Decoder().decode


class Place(NamedTuple):
    """A directory that holds tickets of one stage. owner: of claims, else None."""

    stage: str
    box: Box
    owner: str | None
    path: str


class Seen(NamedTuple):
    """A file: its inode, when it was written (ns), and what it holds or why that cannot be read."""

    inode: int
    mtime: int
    document: Json
    fault: str = ""


def see(path: str) -> Seen | None:
    """What is at `path`; None if nothing is."""
    try:
        handle = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _closed(path, str(error.strerror))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return Seen(status.st_ino, status.st_mtime_ns, {}, "not a regular file")
        if status.st_size > MAX_BYTES:
            return Seen(status.st_ino, status.st_mtime_ns, {}, f"{status.st_size} bytes, more than {MAX_BYTES}")
        document, fault = _parsed(_bytes(handle, status.st_size))
        return Seen(status.st_ino, status.st_mtime_ns, document, fault)
    finally:
        os.close(handle)


def _bytes(handle: int, size: int) -> bytes:
    raw = os.read(handle, size + 1)
    while 0 < len(raw) < size:  # one read gives at most 2 GiB, but may give less
        more = os.read(handle, size - len(raw))
        if not more:
            break
        raw += more
    return raw


def _parsed(raw: bytes) -> tuple[Json, str]:
    try:
        value: Any = _decode(raw)
    except (ValueError, RecursionError) as error:
        return {}, f"cannot be read: {error}"
    return (value, "") if isinstance(value, dict) else ({}, "cannot be read: not a JSON object at the top")


def _closed(path: str, fault: str) -> Seen | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return Seen(status.st_ino, status.st_mtime_ns, {}, f"cannot be opened: {fault}")


def entries(folder: str) -> list[str]:
    """The names in a directory that are not hidden; none if there is no such directory."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def places(spool: Spool, job: str, stage: str) -> list[Place]:
    """The directories of a stage that hold tickets. Of a ticket that is in two, the first of these counts."""
    found = []
    for box in BOXES:
        path = spool.box(job, stage, box)
        if box is Box.RUNNING:
            found += [Place(stage, box, owner, f"{path}/{owner}") for owner in sorted(entries(path))]
        else:
            found.append(Place(stage, box, None, path))
    return found


def find(stage: list[Place], name: str) -> Place | None:
    """Where a ticket is. Looks twice where it may be on its way."""
    for place in (*stage, *stage):
        if os.path.lexists(f"{place.path}/{name}"):
            return place
    return None
