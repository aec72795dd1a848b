"""Amounts add up, days begin at midnight UTC, and what makes no sense is unknown, never zero."""

from __future__ import annotations

from math import inf, nan

import pytest

from rivus.model.money import MARK, Spent, cost_of, day_of, next_day, put_off_until, spent_of, total
from rivus.model.times import epoch, utc

LATE = epoch("2026-02-28T23:59:59.999Z")


def test_amounts_add_up_in_every_part_and_keep_the_later_time() -> None:
    one, two = Spent(0.1, 1, 10, 0, 1, "2026-01-01"), Spent(0.2, 2, 20, 1, 1, "2026-01-02")
    assert total({"a": one, "b": two}) == Spent(0.3, 3, 30, 1, 2, "2026-01-02")


def test_ten_thousand_small_amounts_add_up_exactly() -> None:
    whole = Spent()
    for _ in range(10_000):
        whole += Spent(0.000_000_15)
    assert whole.usd == 0.0015


def test_an_amount_is_read_as_it_was_written() -> None:
    spent = Spent(0.25, 3, 900, 1, 2, "2026-01-01T00:00:00.000Z")
    assert spent_of(spent.to_json()) == spent


@pytest.mark.parametrize(
    "wrong",
    [{"usd": -1}, {"usd": nan}, {"usd": inf}, {"usd": "1"}, {"usd": True}, {"calls": 1.0}, {"calls": -1}, {"last": 3}],
)
def test_an_amount_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        spent_of(Spent().to_json() | wrong)


def test_an_amount_that_lacks_a_part_is_refused() -> None:
    with pytest.raises(KeyError):
        spent_of({"usd": 1.0})


@pytest.mark.parametrize("record", [{}, {"cost": {}}, {"cost": [1]}, {"cost": 3}])
def test_a_try_without_a_cost_cost_nothing(record: dict[str, object]) -> None:
    assert cost_of(record) is None


@pytest.mark.parametrize("usd", [nan, -1, "much", None])
def test_a_recorded_amount_that_is_none_counts_as_an_unknown_call(usd: object) -> None:
    cost = cost_of({"cost": {"usd": usd, "calls": 2, "tokens": "x"}, "ended": "2026-01-01"})
    assert cost == Spent(0.0, 2, 0, 1, 1, "2026-01-01")


def test_a_day_ends_at_midnight_utc() -> None:
    assert day_of(LATE) == "2026-02-28"
    assert utc(next_day(LATE)) == "2026-03-01T00:00:00.000Z"
    assert next_day(next_day(LATE)) == next_day(LATE) + 86_400
    assert put_off_until(LATE) == next_day(LATE) + MARK
