"""A source that must rest: `parked.json` {until, since, why, by, trips}, on the wall clock; no file: it need not.

`until` null means: until a person resumes it. Several may ask for a rest: the longest wins. When the rest is over the
file stays, and the source is half-open: one probe at a time (`probe`), until one ends well or a person resumes.

trips counts the rests in a row that no success has ended. After a failed probe the rest is at least twice as long as
the last one, at most a day, unless the source itself, or a person, asks for more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

from rivus.limits.state import changing, number, put_aside, read, replace
from rivus.model.outcome import Json
from rivus.spool import atomic

PERSON = "person"
"""`by` of a rest that a person asked for: it is no trip, and lasts as long as the person said."""
SHORTEST_AGAIN = 60.0
LONGEST_AGAIN = 86_400.0
_LAST = 253_402_300_799.0
_LONGEST = {"why": 1000, "by": 200}


@dataclass(frozen=True, slots=True)
class Parked:
    """until: seconds since the epoch, None until a person resumes; since: when it began; why, by: for people; trips:
    which rest in a row this is, 0 for one that only a person asked for."""

    until: float | None
    since: float
    why: str
    by: str
    trips: int = 1

    @property
    def end(self) -> float:
        return inf if self.until is None else self.until

    def lasts(self, now: float) -> bool:
        """Whether the source must still rest; afterwards it is half-open."""
        return self.end > now


def park(folder: Path, asked: Parked) -> Parked:
    """Parks until `asked.until`, unless it rests longer already, and gives the rest that lasts now.

    A time that is none counts as no end. `asked.since` is now; `asked.trips` does not matter. Raises LimitUnreadable,
    TryAgain, OSError.
    """
    with changing(folder):
        present = present_rest(folder)
        wanted = next_rest(present, asked)
        if present is not None and wanted.end <= present.end:
            return present
        replace(folder / "parked.json", json.dumps(asdict(wanted)).encode())
        return wanted


def next_rest(present: Parked | None, asked: Parked) -> Parked:
    """What `asked` comes to when `present` is in the file."""
    until = _moment(asked.until)
    trips = present.trips if present else 0
    if asked.by != PERSON and not (present and present.lasts(asked.since)):
        trips += 1
        if present and until is not None:
            until = min(_LAST, max(until, asked.since + least_again(present)))
    return Parked(until, asked.since, _cut(asked, "why"), _cut(asked, "by"), trips)


def least_again(last: Parked) -> float:
    """Seconds that the rest after `last` takes at least, if it did not help."""
    before = 0.0 if last.by == PERSON else last.end - last.since
    return min(LONGEST_AGAIN, max(SHORTEST_AGAIN, 2 * before))


def resume(folder: Path) -> bool:
    """Ends the rest now, and forgets its trips; whether there was one. A file that is not a parking is put aside.

    Raises TryAgain, OSError.
    """
    with changing(folder):
        path = folder / "parked.json"
        try:
            return atomic.remove(str(path))
        except IsADirectoryError:
            put_aside(path)
            return True


def forget(folder: Path, rest: Parked) -> bool:
    """Ends `rest`, unless another one has begun since; whether it did. Raises LimitUnreadable, TryAgain, OSError."""
    with changing(folder):
        return present_rest(folder) == rest and atomic.remove(str(folder / "parked.json"))


def present_rest(folder: Path) -> Parked | None:
    """The rest that lasts, or that is over without a success since. Raises LimitUnreadable."""
    return read(folder / "parked.json", _understand)


def _understand(document: Json) -> Parked:
    until, why, by, trips = document["until"], document["why"], document["by"], document.get("trips", 1)
    if not isinstance(why, str) or not isinstance(by, str) or type(trips) is not int:
        raise ValueError("a wrong type")
    if trips < 0:
        raise ValueError("a negative number")
    end = None if until is None else number(until, 0, _LAST)
    return Parked(end, number(document["since"], 0, _LAST), why, by, trips)


def _moment(until: float | None) -> float | None:
    # NaN fails the comparison too: a time that makes no sense must not mean that the rest is over.
    if until is None or not until <= _LAST:
        return None
    return max(0.0, until)


def _cut(asked: Parked, field: str) -> str:
    text: str = getattr(asked, field)
    return text[: _LONGEST[field]].encode(errors="replace").decode()
