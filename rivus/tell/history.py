"""What the spool's journal says about an item: its lines, from the day it was found to now.

Days may be compressed (`.jsonl.gz`). What cannot be read is passed over: a broken line alone, of a broken file what
comes after the damage. Bounded in memory: the last MOST lines are kept.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from io import BufferedReader
from typing import TYPE_CHECKING

from rivus.model.item import file_name, stem
from rivus.model.outcome import Json
from rivus.model.times import epoch, utc
from rivus.spool.layout import Spool, names
from rivus.spool.reader import Unreadable, read_document

if TYPE_CHECKING:
    from gzip import GzipFile

MOST = 10_000
BLOCK = 1 << 20
LINE = 1 << 20
"""Bytes of a line; a longer one is none of ours."""
DAY = 86_400.0


def history(spool: Spool, job: str, key: str) -> list[Json]:
    """The lines about an item, oldest first; each has `t`, a time."""
    since, named = _first_day(spool, job, key), (key, stem(key))
    marks = {json.dumps(name, ensure_ascii=False).encode(errors="replace") for name in named}
    found: deque[Json] = deque(maxlen=MOST)
    for day in sorted(day for day in names(spool.journal) if day[:10] >= since):
        for line in _lines(f"{spool.journal}/{day}", marks):
            if any(mark in line for mark in marks) and (entry := _entry(line, job, named)):
                found.append(entry)
    return list(found)


def _first_day(spool: Spool, job: str, key: str) -> str:
    """YYYY-MM-DD: the day before the one of the birth record, as clocks are set back and records are changed; "" if
    there is none that tells."""
    path = f"{spool.births(job)}/{file_name(key)}"
    try:
        found = epoch(str(read_document(path)["meta"]["discovered"]))
        return utc(min(os.lstat(path).st_mtime, found) - DAY)[:10]
    except (OSError, Unreadable, KeyError, TypeError, ValueError, OverflowError):
        return ""


def _lines(path: str, marks: set[bytes]) -> Iterator[bytes]:
    """The whole lines of all blocks that hold a mark: most blocks are passed over with one look."""
    import zlib

    try:
        with _open(path) as file:
            rest, whole = b"", True
            while block := file.read1(BLOCK):
                end = block.rfind(b"\n") + 1
                if end:
                    lines = block[:end] if whole else block[block.index(b"\n") + 1 : end]
                    lines, rest, whole = rest + lines, b"", True
                    if any(mark in lines for mark in marks):
                        yield from lines.splitlines(keepends=True)
                rest += block[end:]
                if len(rest) > LINE:
                    rest, whole = b"", False
    except (OSError, EOFError, zlib.error):
        return


def _open(path: str) -> BufferedReader | GzipFile:
    if path.endswith(".gz"):
        import gzip

        return gzip.open(path, "rb")
    return open(path, "rb")


def _entry(line: bytes, job: str, named: tuple[str, str]) -> Json | None:
    try:
        entry = json.loads(line)
        mine = entry["job"] == job and entry["key"] in named
        return {**entry, "t": utc(epoch(entry["t"]))} if mine else None
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
