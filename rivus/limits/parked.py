"""A source that must rest: `parked.json` {until, since, why, by}, on the wall clock; no file means it need not.

`until` null means: until a person resumes it. Several may ask for a rest: the longest wins.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

from rivus.limits.state import changing, number, put_aside, read, replace
from rivus.model.outcome import Json
from rivus.spool import atomic

_LAST = 253_402_300_799.0
_LONGEST = {"why": 1000, "by": 200}


@dataclass(frozen=True, slots=True)
class Parked:
    """until: seconds since the epoch, None until a person resumes; since: when it began; why, by: for people."""

    until: float | None
    since: float
    why: str
    by: str

    @property
    def end(self) -> float:
        return inf if self.until is None else self.until


def park(folder: Path, asked: Parked) -> None:
    """Parks until `asked.until`, unless it rests longer already. A time that is none counts as no end.

    Raises LimitUnreadable, TryAgain, OSError.
    """
    with changing(folder):
        present = _read(folder)
        wanted = Parked(_moment(asked.until), asked.since, _cut(asked, "why"), _cut(asked, "by"))
        if present is None or wanted.end > present.end:
            replace(folder / "parked.json", json.dumps(asdict(wanted)).encode())


def resume(folder: Path) -> bool:
    """Ends the rest now; whether there was one. A file that is not a parking is put aside. Raises TryAgain, OSError."""
    with changing(folder):
        path = folder / "parked.json"
        try:
            return atomic.remove(str(path))
        except IsADirectoryError:
            put_aside(path)
            return True


def parked(folder: Path, now: float) -> Parked | None:
    """The rest that lasts at `now`; one that is over is removed. Raises LimitUnreadable, TryAgain, OSError."""
    present = _read(folder)
    if present is None or present.end > now:
        return present
    with changing(folder):
        present = _read(folder)
        if present is None or present.end > now:
            return present
        atomic.remove(str(folder / "parked.json"))
        return None


def peek(folder: Path, now: float) -> Parked | None:
    """As `parked`, but changes nothing."""
    present = _read(folder)
    return present if present is not None and present.end > now else None


def _read(folder: Path) -> Parked | None:
    return read(folder / "parked.json", _understand)


def _understand(document: Json) -> Parked:
    until, why, by = document["until"], document["why"], document["by"]
    if not isinstance(why, str) or not isinstance(by, str):
        raise ValueError("a wrong type")
    end = None if until is None else number(until, 0, _LAST)
    return Parked(end, number(document["since"], 0, _LAST), why, by)


def _moment(until: float | None) -> float | None:
    # NaN fails the comparison too: a time that makes no sense must not mean that the rest is over.
    if until is None or not until <= _LAST:
        return None
    return max(0.0, until)


def _cut(asked: Parked, field: str) -> str:
    text: str = getattr(asked, field)
    return text[: _LONGEST[field]].encode(errors="replace").decode()
