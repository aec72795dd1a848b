"""What redoing results would cost, from what the stage's results have cost so far.

A sample of at most 1,000 results speaks for all. What is not known is None, never nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rivus.model.outcome import Json
from rivus.model.times import epoch

if TYPE_CHECKING:
    from rivus.config.schema import Limit, Stage

SAMPLE = 1000


@dataclass(slots=True)
class Past:
    """The receipts of one stage's results. seen: how many; unknown: of how many nobody knows the price."""

    seen: int = 0
    unknown: int = 0
    kept: list[Json] = field(default_factory=list)
    _draw: random.Random = field(default_factory=lambda: random.Random(0))

    def add(self, receipt: Json) -> None:
        """Counts one receipt, and keeps it with the chance that each has (reservoir sampling)."""
        self.seen += 1
        self.unknown += _usd(receipt) is None
        if len(self.kept) < SAMPLE:
            self.kept.append(receipt)
        elif (place := self._draw.randrange(self.seen)) < SAMPLE:
            self.kept[place] = receipt

    def usd(self, share: float) -> float | None:
        """The price of one run that this share of the runs does not exceed; None if no price is known."""
        return _quantile([usd for receipt in self.kept if (usd := _usd(receipt)) is not None], share)

    def calls(self) -> float | None:
        """The mean number of calls in a run; None if none was counted."""
        counts = [calls for receipt in self.kept if (calls := _number(_cost(receipt).get("calls"))) is not None]
        return sum(counts) / len(counts) if counts else None

    def seconds(self) -> float | None:
        """The mean duration of a run."""
        times = [took for receipt in self.kept if (took := _seconds(receipt)) is not None]
        return sum(times) / len(times) if times else None


def estimate(past: Past, count: int, stage: Stage, limit: Limit | None) -> Json:
    """What `count` more runs would take: calls, minutes, usd of the usual (p50) and of the dear (p95) run times the
    number, and of what share of the past runs no price is known."""
    calls, middle, dear = past.calls(), past.usd(0.5), past.usd(0.95)
    return {
        "calls": None if calls is None else round(calls * count),
        "minutes": _minutes(past.seconds(), count, stage, limit),
        "usd_p50": None if middle is None else round(middle * count, 6),
        "usd_p95": None if dear is None else round(dear * count, 6),
        "price_unknown": round(past.unknown / past.seen, 3) if past.seen else None,
    }


def _minutes(seconds: float | None, count: int, stage: Stage, limit: Limit | None) -> float | None:
    """As many at once as the stage and its limit allow, and no faster than the limit's rate."""
    if seconds is None:
        return None
    at_once = min(stage.concurrency, limit.slots) if limit and limit.slots else stage.concurrency
    work = seconds * count / min(at_once, max(count, 1))
    queue = max(count - limit.burst, 0) / limit.rate.per_second if limit and limit.rate else 0.0
    return round(max(work, queue) / 60, 2)


def _cost(receipt: Json) -> Json:
    cost = receipt.get("cost")
    return cost if isinstance(cost, dict) else {}


def _usd(receipt: Json) -> float | None:
    """The price of a run; None if any part of it is unknown."""
    cost = _cost(receipt)
    return None if cost.get("unknown") else _number(cost.get("usd"))


def _seconds(receipt: Json) -> float | None:
    try:
        return max(epoch(receipt["ended"]) - epoch(receipt["started"]), 0.0)
    except (KeyError, TypeError, ValueError):
        return None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _quantile(values: list[float], share: float) -> float | None:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else None
