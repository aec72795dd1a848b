"""What work has cost: amounts that can be added, and the days (UTC) in which they are counted. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite

from rivus.model.outcome import Json
from rivus.model.times import utc

DAY = 86_400.0
MARK = 0.125
"""Seconds after midnight at which what waits for a new day's budget is due: the fraction tells it from what a source
or a handler has put off until midnight."""
MOST = 1e15


@dataclass(frozen=True, slots=True)
class Spent:
    """usd: as far as it is known. unknown: how many of the calls cost nobody knows how much. items: tries that cost
    something. last: when it was paid last, "" if never."""

    usd: float = 0.0
    calls: int = 0
    tokens: int = 0
    unknown: int = 0
    items: int = 0
    last: str = ""

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            round(self.usd + other.usd, 9), self.calls + other.calls, self.tokens + other.tokens,
            self.unknown + other.unknown, self.items + other.items, max(self.last, other.last),
        )  # fmt: skip

    def at_least(self, other: Spent) -> Spent:
        """The larger of the two in each part."""
        return Spent(
            max(self.usd, other.usd), max(self.calls, other.calls), max(self.tokens, other.tokens),
            max(self.unknown, other.unknown), max(self.items, other.items), max(self.last, other.last),
        )  # fmt: skip

    def to_json(self) -> Json:
        return asdict(self)


def spent_of(document: Json) -> Spent:
    """The inverse of `to_json`. Raises KeyError, ValueError or TypeError for whatever else."""
    counts = [document[name] for name in ("calls", "tokens", "unknown", "items")]
    usd, last = document["usd"], document["last"]
    if not is_amount(usd) or not all(map(_is_count, counts)) or not isinstance(last, str):
        raise ValueError("an amount that is none")
    calls, tokens, unknown, items = counts
    return Spent(usd, calls, tokens, unknown, items, last)


def cost_of(record: Json) -> Spent | None:
    """One try, as its attempt or its receipt tells it; None if it cost nothing. An amount in USD that makes no sense
    counts as one unknown call more."""
    cost = record.get("cost")
    if not isinstance(cost, dict) or not cost:
        return None
    usd = cost.get("usd", 0.0)
    calls, tokens, unknown = (_count(cost.get(name)) for name in ("calls", "tokens", "unknown"))
    if not is_amount(usd):
        usd, unknown = 0.0, unknown + 1
    return Spent(usd, calls, tokens, unknown, 1, str(record.get("ended") or ""))


def is_amount(value: object) -> bool:
    """Whether this is a finite number that is not negative."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and isfinite(value) and 0 <= value <= MOST  # type: ignore[arg-type,operator]


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= MOST else 0


def total(amounts: dict[str, Spent]) -> Spent:
    """All of them together."""
    return sum(amounts.values(), Spent())


def day_of(now: float) -> str:
    """YYYY-MM-DD, in UTC."""
    return utc(now)[:10]


def next_day(now: float) -> float:
    """The next midnight, UTC."""
    return (now // DAY + 1) * DAY


def put_off_until(now: float) -> float:
    """When that is due which today's budget does not allow."""
    return next_day(now) + MARK
