"""What a source listed at its last whole look, so that what is no longer there is noted. Nothing is ever deleted.

The keys stand in the cursor, compressed, with what was asked for: under other parameters the comparison begins anew.
Of more than MOST keys, or PACKED bytes, none are kept and nothing is noted.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence

from rivus.model.context import Look
from rivus.model.outcome import Json
from rivus.sources.keys import digest

MOST = 50_000
PACKED = 2 * 2**20
LONGEST = 64 * 2**20
"""Bytes of the keys of one section; only for a cursor that somebody else has written."""


def asked_anew(look: Look, asked: Sequence[object]) -> bool:
    """Whether the parameters that decide what is listed are others than last time: validators do not hold then."""
    kept = look.cursor.get("listed")
    return not isinstance(kept, dict) or kept.get("about") != digest(*map(str, asked))


def note_listed(look: Look, asked: Sequence[object], sections: Mapping[str, Iterable[str] | None]) -> None:
    """Call it once all there is was yielded. Tells the look of each key of last time that is in no section now.

    asked: the parameters that decide what is listed. sections: name (one page or file of several) -> its keys, None for
    one that is the same as last time.
    """
    kept: Json = {} if asked_anew(look, asked) else look.cursor["listed"]
    before = {name: _unpack(packed) for name, packed in kept.get("sections", {}).items()}
    now = {name: before.get(name, set()) if keys is None else set(keys) for name, keys in sections.items()}
    there = set().union(*now.values())
    for key in sorted(set().union(*before.values()) - there):
        look.vanished(key)
    packed = {name: _pack(keys) for name, keys in now.items()} if len(there) <= MOST else {}
    if sum(map(len, packed.values())) > PACKED:
        packed = {}
    look.cursor["listed"] = {"about": digest(*map(str, asked)), "sections": packed}


def _pack(keys: set[str]) -> str:
    return base64.b64encode(zlib.compress("\n".join(sorted(keys)).encode())).decode()


def _unpack(packed: object) -> set[str]:
    try:
        plain = zlib.decompressobj().decompress(base64.b64decode(str(packed)), LONGEST)
        return set(filter(None, plain.decode().split("\n")))
    except (ValueError, zlib.error):
        return set()
