"""What the journal says has moved since the index last looked: which items are to be read again, and nothing else.

The position is a day's file, its inode and an offset. Lost, cut, rotated or hand-edited files cost a little more work
or a closer look at the directories, never a wrong row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from rivus.index.reading import entries
from rivus.model.item import NAME, file_name
from rivus.spool.layout import Spool

MOST = 64 << 20
"""Bytes of news above which reading the whole spool is quicker."""
Items = dict[tuple[str, str], None]
_decode = msgspec.json.Decoder().decode


class Position(NamedTuple):
    """Up to where the journal has been read. day: the file, "" before any."""

    day: str = ""
    inode: int = 0
    offset: int = 0
    mtime: int = 0


class News(NamedTuple):
    """items: (job, file name), to be read again. position: up to where this is all. whole: whether the journal shows no
    sign of having lost or changed lines."""

    items: Items
    position: Position
    whole: bool


def end(spool: Spool) -> Position:
    """The end of the journal now."""
    days = sorted(entries(spool.journal))
    status = _status(f"{spool.journal}/{days[-1]}") if days else None
    return Position(days[-1], status.st_ino, status.st_size, status.st_mtime_ns) if status else Position()


def size(spool: Spool, since: Position) -> int:
    """Bytes that have come after a position."""
    days = [day for day in entries(spool.journal) if day >= since.day]
    sizes = sum(status.st_size for day in days if (status := _status(f"{spool.journal}/{day}")))
    return sizes - since.offset


def news(spool: Spool, since: Position) -> News:
    """What has come after a position."""
    items: Items = {}
    now, whole = since, True
    days = sorted(day for day in entries(spool.journal) if day >= since.day)
    if since.day and since.day not in days:
        whole = False
    for day in days:
        status = _status(path := f"{spool.journal}/{day}")
        if status is None:
            continue
        start = 0
        if day == since.day:
            same = status.st_ino == since.inode and status.st_size >= since.offset
            unwritten = status.st_size == since.offset and status.st_mtime_ns != since.mtime
            whole = same and not unwritten
            start = since.offset if same else 0
        offset = _read(path, start, items)
        now = Position(day, status.st_ino, offset, status.st_mtime_ns)
    return News(items, now, whole)


def _read(path: str, start: int, items: Items) -> int:
    """Notes the items in the whole lines after `start`; gives where the last one ends."""
    try:
        with open(path, "rb") as lines:
            lines.seek(start)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                start += len(line)
                items.update(dict.fromkeys(_items(line)))
    except FileNotFoundError:
        pass
    return start


def _items(line: bytes) -> Iterator[tuple[str, str]]:
    """The items that a line may be about: it names a key, or the name of a file with or without its ending."""
    try:
        entry: Any = _decode(line)
        job, key = entry["job"], entry["key"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return
    if not (isinstance(job, str) and NAME.fullmatch(job) and isinstance(key, str)):
        return
    name = file_name(key)
    yield job, name
    plain = f"{key}.json"
    if name != plain or entry.get("move") == "reject":
        yield from ((job, other) for other in (plain, key) if _is_name(other))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 255 and "/" not in name and not name.startswith(".") and "\0" not in name


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
