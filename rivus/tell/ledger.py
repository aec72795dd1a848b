"""The ledger of a day's questions to a language model: what was asked, what it cost, and whether there is some left.

`ledger.json`: {"day": "2026-01-31", "calls": [{"at", "fingerprint", "state", "usd", "at_most"}, …]}. A call stands in
it, durably, before it is made, with the most that it can cost; so a process that is killed has spent too much in the
ledger, never too little. state: `asked` (and perhaps nobody lived to see the answer), `answered`, `unanswered`.
usd: null while it is unknown; until then, or for ever, `at_most` counts. A ledger that cannot be read is closed.
Whoever uses it holds the lock of its folder.
"""

from __future__ import annotations

import json
import time
from math import isfinite
from pathlib import Path

from rivus.limits.state import replace
from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.spool.reader import Unreadable, read_document

STATES = ("asked", "answered", "unanswered")


class Spent(Exception):
    """Nothing more may be asked; the reason is for a person."""


class AskedAlready(Exception):
    """This question was asked today."""


class Ledger:
    """calls, usd: what a day may take; without `usd`, or without knowing the cost, only calls are counted.

    Raises Spent if the file cannot be read.
    """

    def __init__(self, path: Path, calls: int, usd: float | None) -> None:
        self._path, self._most_calls, self._most_usd = path, calls, usd
        self._day, self._calls = _read(path)

    def reserve(self, fingerprint: str, at_most: float | None) -> None:
        """Writes down that a call is about to be made. at_most: USD, None if that cannot be known.

        Raises AskedAlready, Spent (also when it cannot be written).
        """
        self._turn_page()
        if any(call["fingerprint"] == fingerprint and call["state"] != "unanswered" for call in self._calls):
            raise AskedAlready("it was asked today already")
        if len(self._calls) >= self._most_calls:
            raise Spent(f"the day's {self._most_calls} calls are used up")
        if self._most_usd is not None and self.spent + (at_most or 0.0) > self._most_usd:
            raise Spent(f"another call could exceed the day's {self._most_usd:g} USD ({self.spent:.4f} are spent)")
        call: Json = {"at": utc(time.time()), "fingerprint": fingerprint, "state": "asked"}
        self._calls.append({**call, "usd": None, "at_most": at_most})
        self._write()

    def settle(self, answered: bool, usd: float | None) -> None:
        """Completes the last call. usd: what it cost, None if unknown. Raises Spent if it cannot be written."""
        self._calls[-1] |= {"state": "answered" if answered else "unanswered", "usd": usd}
        self._write()

    @property
    def spent(self) -> float:
        """USD of today: what is known, and the most for what is not."""
        return sum(call["usd"] if call["usd"] is not None else call["at_most"] or 0.0 for call in self._calls)

    def _turn_page(self) -> None:
        today = utc(time.time())[:10]
        if today > self._day:  # a clock that was set back opens no new day
            self._day, self._calls = today, []

    def _write(self) -> None:
        try:
            replace(self._path, json.dumps({"day": self._day, "calls": self._calls}).encode())
        except OSError as error:
            raise Spent(f"{self._path} cannot be written: {error.strerror}") from None


def _read(path: Path) -> tuple[str, list[Json]]:
    try:
        document = read_document(str(path))
        return _day(document["day"]), [_call(call) for call in document["calls"]]
    except FileNotFoundError:
        return "", []
    except (Unreadable, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Spent(f"{path} cannot be read ({error}); remove it to begin the day anew") from None


def _day(value: object) -> str:
    time.strptime(str(value), "%Y-%m-%d")
    return str(value)


def _call(call: Json) -> Json:
    if not isinstance(call["fingerprint"], str) or call["state"] not in STATES:
        raise ValueError("a call that is none")
    for name in ("usd", "at_most"):
        value = call[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and isfinite(value) and value >= 0):
            raise ValueError(f"{name} is no amount")
    return call
