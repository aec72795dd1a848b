"""`JOB/archive/YYYY-MM.jsonl.gz`: lines, compressed in members (RFC 1952) that can each be read alone.

A file is only ever added to. A crash leaves a last member that is not whole: it is passed over, and cut off before
the next one is added. Bytes that are no member, with a whole one after them, are damage, and that is told.
"""

from __future__ import annotations

import mmap
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from typing import NamedTuple

from rivus.errors import BadConfig
from rivus.spool import atomic

ENDING = ".jsonl.gz"
PIECE = 1 << 18
_HEAD = bytes.fromhex("1f8b080000000000")
"""How a member begins: gzip, deflate, no flags, no time."""
_GZIP = 16 + zlib.MAX_WBITS
_NAME = re.compile(rb'\{"name":"([A-Za-z0-9._%+-]+)"')
"""How a line begins; names of files hold nothing else."""


class Member(NamedTuple):
    """Where a member stands in its file, in bytes."""

    start: int
    length: int


def add(path: str, end: int, lines: Sequence[bytes]) -> Member:
    """Adds one member, durably, after the byte `end`; what stands there is cut off. Raises BadConfig: the file is
    shorter; OSError."""
    size = _size(path)
    if size < end:
        raise BadConfig(f"{path} holds {size} bytes of the {end} that were written; put the whole file back")
    if size > end:
        atomic.cut(path, end)
    pack = zlib.compressobj(wbits=_GZIP)
    packed = b"".join([*(pack.compress(line + b"\n") for line in lines), pack.flush()])
    atomic.append(path, packed)
    atomic.sync(path)
    if not end:
        atomic.sync(os.path.dirname(path))
    return Member(end, len(packed))


def scan(path: str, start: int = 0) -> Iterator[tuple[Member, list[bytes]]]:
    """The members from the byte `start` on, where one begins, each with its lines. Raises BadConfig for damage."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while start < size:
            found = _unpack(file, start)
            if found is None and _whole_after(file, start):
                raise BadConfig(f"{path} is damaged at byte {start}; put a whole copy back, or move the file away")
            if found is None:
                return
            text, length = found
            yield Member(start, length), text.split(b"\n")[:-1]
            start += length


def check_end(path: str, end: int, kept: Callable[[str], bool]) -> None:
    """Tells a member after the byte `end` that a crash left torn, whose items are all kept elsewhere, from one that was
    cut off later. Raises BadConfig for that."""
    for found in map(_NAME.match, _torn(path, end)):
        if found and not kept(found[1].decode()):
            raise BadConfig(f"{path} is cut off after byte {end}; put a whole copy back, or move the file away")


def _torn(path: str, start: int) -> list[bytes]:
    """The lines that can be read of a member which is not whole; the last one may be a part."""
    unpack, parts = zlib.decompressobj(_GZIP), []
    with open(path, "rb") as file:
        file.seek(start)
        try:
            while piece := file.read(PIECE):
                parts.append(unpack.decompress(piece))
        except zlib.error:
            pass
    return b"".join(parts).split(b"\n")


def read_line(path: str, start: int, number: int) -> bytes:
    """One line of the member at the byte `start`. Raises BadConfig: it is not there any more."""
    try:
        with open(path, "rb") as file:
            found = _unpack(file, start)
    except FileNotFoundError:
        found = None
    lines = found[0].split(b"\n") if found else []
    if number + 1 >= len(lines):
        raise BadConfig(f"{path} has no whole member at byte {start}; put a whole copy back")
    return lines[number]


def _unpack(file: BufferedReader, start: int) -> tuple[bytes, int] | None:
    """The text of a member, and its length in the file; None if it is not whole."""
    unpack, taken, parts = zlib.decompressobj(_GZIP), 0, []
    file.seek(start)
    try:
        while not unpack.eof:
            piece = file.read(PIECE)
            if not piece:
                return None
            taken += len(piece)
            parts.append(unpack.decompress(piece))
    except zlib.error:
        return None
    return b"".join(parts), taken - len(unpack.unused_data)


def _whole_after(file: BufferedReader, start: int) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        place = whole.find(_HEAD, start + 1)
        while place >= 0:
            if _unpack(file, place):
                return True
            place = whole.find(_HEAD, place + 1)
    return False


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
