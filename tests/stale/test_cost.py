"""What redoing would cost, from past receipts; what is not known stays unknown."""

from __future__ import annotations

import pytest

from rivus.config.schema import Limit, Stage
from rivus.model.outcome import Json
from rivus.model.quantity import parse_rate
from rivus.stale.cost import SAMPLE, Past, estimate

STAGE = Stage(name="s", handler="x.y", needs=[], concurrency=4)


def past(*costs: Json | None, seconds: int = 30) -> Past:
    found = Past()
    for cost in costs:
        times = {"started": "2026-01-01T00:00:00.000Z", "ended": f"2026-01-01T00:00:{seconds:02}.000Z"}
        found.add({**times, **({"cost": cost} if cost is not None else {})})
    return found


def test_the_usual_and_the_dear_run_are_told_apart() -> None:
    told = estimate(past(*[{"calls": 2, "usd": 0.1}] * 18, *[{"calls": 2, "usd": 1.0}] * 2), 10, STAGE, None)
    assert (told["calls"], told["usd_p50"], told["usd_p95"], told["price_unknown"]) == (20, 1.0, 10.0, 0.0)


@pytest.mark.parametrize("cost", [None, {}, {"calls": 1, "unknown": 1}, {"usd": 0.5, "unknown": 1}, {"usd": "1"}])
def test_an_unknown_price_is_never_nothing(cost: Json | None) -> None:
    told = estimate(past(cost), 10, STAGE, None)
    assert (told["usd_p50"], told["usd_p95"], told["price_unknown"]) == (None, None, 1.0)


def test_a_price_that_is_nothing_is_known() -> None:
    assert estimate(past({"usd": 0, "calls": 1}), 10, STAGE, None)["usd_p95"] == 0


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [(None, 5.0), (Limit(slots=2), 10.0), (Limit(slots=9), 5.0), (Limit(rate=parse_rate("1/min"), burst=10), 30.0)],
)
def test_minutes_follow_from_concurrency_slots_and_rate(limit: Limit | None, minutes: float) -> None:
    assert estimate(past({}, {}), 40, STAGE, limit)["minutes"] == minutes


@pytest.mark.parametrize("receipt", [{}, {"started": 1, "ended": 2}, {"started": "x", "ended": "y"}, {"cost": [1]}])
def test_what_cannot_be_read_is_unknown(receipt: Json) -> None:
    found = Past()
    found.add(receipt)
    assert estimate(found, 1, STAGE, None)["minutes"] is None


def test_a_sample_speaks_for_many_in_bounded_memory() -> None:
    found = past(*[{"usd": 1.0, "calls": 1}] * (3 * SAMPLE))
    assert (len(found.kept), found.seen, found.usd(0.5)) == (SAMPLE, 3 * SAMPLE, 1.0)
