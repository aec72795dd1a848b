"""What differs between two JSON objects, field by field: outputs of two versions, of a test and of production."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal, NamedTuple

from rivus.model.outcome import Json

MOST = 100
"""So many differences are named."""
_LONGEST = 200
"""Characters of a path; field names come from outside."""


class Change(NamedTuple):
    """One difference. path: names of fields and indices from 0, joined by dots (`segments.3.text`); old, new: the
    values, None on the side where there is none."""

    path: str
    kind: Literal["added", "removed", "changed"]
    old: Any
    new: Any


def changes(old: Json, new: Json, most: int = MOST) -> list[Change]:
    """The differences, at most `most` of them, in the order of the old fields, then of those that are only new. Lists
    of one length are compared element by element, other lists differ as a whole; the order of fields does not count,
    and 1 is 1.0 but not true."""
    return list(islice(_fields(old, new, ""), most))


def _differing(old: Any, new: Any, path: str) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _fields(old, new, f"{path}.")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differing(before, after, f"{path}.{index}")
    elif isinstance(old, bool) != isinstance(new, bool) or old != new:
        yield Change(path[:_LONGEST], "changed", old, new)


def _fields(old: Json, new: Json, before: str) -> Iterator[Change]:
    for name, value in old.items():
        if name in new:
            yield from _differing(value, new[name], before + name)
        else:
            yield Change((before + name)[:_LONGEST], "removed", value, None)
    for name, value in new.items():
        if name not in old:
            yield Change((before + name)[:_LONGEST], "added", None, value)
