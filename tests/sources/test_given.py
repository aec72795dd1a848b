from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rivus.model.outcome import Halt
from rivus.sources.given import dates
from rivus.sources.given import list as given_list

from .conftest import FakeLook


def days(look: FakeLook, **given: Any) -> list[tuple[str, str]]:
    return [(found.key, found.data["until"]) for found in dates(look, **given)]


def test_each_date_says_where_the_next_begins(look: FakeLook) -> None:
    assert days(look, start="2024-02-28", end="2024-03-01") == [
        ("2024-03-01", "2024-03-02"), ("2024-02-29", "2024-03-01"), ("2024-02-28", "2024-02-29"),
    ]  # fmt: skip
    assert days(look, start="2024-01-01", end="2024-01-10", step="week") == [
        ("2024-01-08", "2024-01-15"), ("2024-01-01", "2024-01-08"),
    ]  # fmt: skip


def test_a_business_day_ends_at_the_next_one(look: FakeLook) -> None:
    assert days(look, start="2024-01-05", end="2024-01-08", step="business day") == [
        ("2024-01-08", "2024-01-09"), ("2024-01-05", "2024-01-08"),
    ]  # fmt: skip
    assert days(look, start="2024-01-06", end="2024-01-07", step="business day") == []


def test_a_month_without_that_day_has_its_last(look: FakeLook) -> None:
    found = days(look, start="2023-12-31", end="2024-03-31", step="month")
    assert [day for day, _ in reversed(found)] == ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"]
    assert found[0] == ("2024-03-31", "2024-04-30")


def test_without_an_end_it_is_today_and_the_days_ahead(look: FakeLook) -> None:
    today = datetime.now(UTC).date()
    start = (today - timedelta(days=1)).isoformat()
    assert days(look, start=start)[0][0] in (today.isoformat(), (today + timedelta(days=1)).isoformat())
    assert len(days(look, start=start, days_ahead=3)) in (5, 6)
    assert days(look, start=(today + timedelta(days=9)).isoformat()) == [], "it has not begun"


def test_a_span_takes_the_dates_in_it(look: FakeLook) -> None:
    span = {"since": "2024-01-03", "until": "2024-01-05"}
    assert [day for day, _ in days(look, start="2024-01-01", end="2024-12-31", **span)] == ["2024-01-04", "2024-01-03"]


@pytest.mark.parametrize(
    "given",
    [{"start": "soon"}, {"start": "2024-01-02", "end": "2024-01-01"}, {"start": "0001-01-01"},
     {"start": "9999-12-31"},
     {"start": "2024-01-01", "end": "x"}, {"start": "2024-01-01", "days_ahead": -1},
     {"start": "2024-01-01", "since": "x"},
     {"start": "2024-01-01", "days_ahead": 10**9}],
)  # fmt: skip
def test_what_is_no_date_halts(look: FakeLook, given: dict[str, Any]) -> None:
    with pytest.raises(Halt):
        days(look, **given)


def test_a_list_gives_its_texts_numbers_and_mappings(look: FakeLook) -> None:
    items: list[Any] = [
        "AAPL",
        7,
        "https://x.org/a",
        {"key": "k", "a": 1},
        {"id": 3, "url": "u"},
        {"url": "https://y.org"},
    ]
    assert [(found.key, found.data) for found in given_list(look, items=items)] == [
        ("AAPL", {"value": "AAPL"}), ("7", {"value": 7}), ("https://x.org/a", {"url": "https://x.org/a"}),
        ("k", {"a": 1}), ("3", {"id": 3, "url": "u"}), ("https://y.org", {"url": "https://y.org"}),
    ]  # fmt: skip


@pytest.mark.parametrize("items", [["a", "a"], [{"a": 1}], [""], [{"key": True}], ["a\nb"], [{"key": {}}], [1, "1"]])
def test_an_entry_without_a_key_of_its_own_halts_the_job_before_anything_is_found(look: FakeLook, items: Any) -> None:
    with pytest.raises(Halt, match="items"):
        next(given_list(look, items=["good", *items]))


def test_an_entry_that_is_no_longer_listed_has_vanished(look: FakeLook) -> None:
    look.take(given_list(look, items=["a", "b"]))
    look.take(given_list(look, items=["b"]))
    assert look.gone == ["a"]
