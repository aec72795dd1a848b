"""What is wrong with a file, where it stands in it, and what may have been meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

Where: TypeAlias = tuple[str | int, ...]
"""The way to a value: names of fields and numbers of list entries, from the top of the file."""
Mark: TypeAlias = tuple[int, int]
"""Line and column, both counted from 1."""
Finding: TypeAlias = tuple[Where, str]
"""What is wrong, and with which value."""

MAX_TEXT = 300
MAX_COMPARED = 200
_PLAIN = re.compile(r"[\w-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One line for a person: `file:line:col: path: message`; `path` is "" for the file as a whole."""

    file: str
    line: int
    col: int
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(
            part for part in (f"{self.file}:{self.line}:{self.col}", self.path, self.message) if part
        )


def problem_at(file: str, marks: Mapping[Where, Mark], finding: Finding) -> Problem:
    """The problem of a finding, placed at its value or at the nearest one around it that the file has."""
    path, message = finding
    place = path
    while place and place not in marks:
        place = place[:-1]
    line, col = marks.get(place, (1, 1))
    return Problem(file, line, col, dotted(path), message)


def dotted(path: Where) -> str:
    """`stages.fetch.retry[1]`; a name that is not a plain word is quoted, so that no text reaches a
    terminal raw."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += "." * bool(text) + (part if _PLAIN.fullmatch(part) else quoted(part))
    return text


def quoted(text: object) -> str:
    """`text` between quotes, with control characters escaped and cut to a length that a line can bear."""
    shown = ascii(text) if not str(text).isprintable() else repr(text)
    return shown if len(shown) <= MAX_TEXT else shown[:MAX_TEXT] + "…"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the one of `known` that is nearest to `name`; "" if none is near."""
    from difflib import get_close_matches

    near = get_close_matches(str(name)[:100], islice(known, MAX_COMPARED), n=1)
    return f", did you mean {quoted(near[0])}?" if near else ""
