"""How alike two texts are, told by sketches of 256 bytes.

A text is the set of its runs of four words, whatever their case. A sketch holds the least hash in each of 128 bins
(one permutation hashing, Li, Owen and Zhang 2012; an empty bin takes what the next full one to its right has,
Shrivastava and Li 2014), and the share of bins in which two agree estimates what the sets have in common (Jaccard).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice

from rivus.handlers.words import pieces

BINS = 128
RUN = 4
BANDS, ROWS = 20, 6
"""Texts of which 80 % is the same agree in at least one whole band in 997 of 1,000 cases; 70 %: in 92 of 100."""
MOST_WORDS = 100_000
_NONE = 1 << 64
_Hashes = list[int]


def sketch(text: str) -> bytes:
    """The sketch of a text, of its first 100,000 words; b"" if it has no word."""
    words = list(islice(pieces(text), MOST_WORDS))
    if not words:
        return b""
    least = [_NONE] * BINS
    for start in range(max(1, len(words) - RUN + 1)):
        run = " ".join(words[start : start + RUN])
        number = int.from_bytes(blake2b(run.encode(errors="replace"), digest_size=8).digest(), "little")
        place, rest = number % BINS, number // BINS
        if rest < least[place]:
            least[place] = rest
    return array("H", [number & 0xFFFF for number in _filled(least)]).tobytes()


def _filled(least: _Hashes) -> _Hashes:
    """Every bin with something in it; how far that was fetched counts, so that two empty bins agree for a reason."""
    filled: _Hashes = []
    for place in range(BINS):
        distance = next(far for far in range(BINS) if least[(place + far) % BINS] != _NONE)
        filled.append(least[(place + distance) % BINS] + distance * 0x9E3779B1)
    return filled


def likeness(one: bytes, other: bytes) -> float:
    """From 0 to 1: the share of what two texts have in common, by their sketches."""
    bins = zip(array("H", one), array("H", other), strict=True)
    return sum(mine == theirs for mine, theirs in bins) / BINS


def bands(sketched: bytes) -> Iterator[int]:
    """Numbers (64 bits, signed) of which texts that are much alike share one."""
    width = 2 * ROWS
    for band in range(BANDS):
        part = sketched[band * width : (band + 1) * width]
        yield int.from_bytes(blake2b(part, digest_size=8, salt=bytes([band])).digest(), "little", signed=True)
