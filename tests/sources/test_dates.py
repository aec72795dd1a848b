from __future__ import annotations

import time

import pytest

from rivus.model.outcome import Halt
from rivus.sources.dates import from_any, from_iso, from_seconds, from_struct, span_of, within


def test_dates_are_utc() -> None:
    assert from_iso("2024-11-05T16:00:02+01:00") == "2024-11-05T15:00:02Z"
    assert from_iso("2024-11-05T15:00:02Z") == from_iso("2024-11-05T15:00:02") == "2024-11-05T15:00:02Z"
    assert from_seconds(1_730_818_802) == from_struct(time.gmtime(1_730_818_802)) == "2024-11-05T15:00:02Z"


@pytest.mark.parametrize(
    "text",
    ["", "soon", None, "0001-01-01", "1970-01-01T00:00:00Z", "2999-01-01", "9999-12-31T23:59:59-14:00", 5],
)
def test_a_date_that_makes_no_sense_is_none(text: object) -> None:
    assert from_iso(text) is None


@pytest.mark.parametrize(
    "value",
    ["2024-11-05T16:00:02+01:00", 1730818802, 1730818802.9, "1730818802", 1730818802000, "1730818802123",
     "Tue, 05 Nov 2024 15:00:02 GMT", " 5 Nov 2024 16:00:02 +0100"],
)  # fmt: skip
def test_interfaces_write_dates_in_many_ways(value: object) -> None:
    assert from_any(value) == "2024-11-05T15:00:02Z"
    assert from_any("20241105") == from_any("2024-11-05") == "2024-11-05T00:00:00Z"


@pytest.mark.parametrize(
    "value", [None, True, "", "soon", 0, 5, -1730818802, 10**13, 10**30, "Tue, 99 Nov 2024", [], {}, "9" * 10**5, 1e300]
)
def test_what_is_no_date_in_any_way_is_none(value: object) -> None:
    assert from_any(value) is None


@pytest.mark.parametrize("seconds", [0, -1, 1e30, float("nan"), float("inf"), None])
def test_seconds_that_make_no_sense_are_none(seconds: float | None) -> None:
    assert from_seconds(seconds) is None


def test_a_span_holds_its_beginning_and_not_its_end() -> None:
    assert [day for day in range(1, 6) if within(f"2024-02-0{day}", "2024-02-02", "2024-02-04")] == [2, 3]
    assert within("2024-01-31T23:59:59Z", None, "2024-02-01") and not within("2024-02-01T00:00:00Z", None, "2024-02-01")
    assert within("2024-02-01", "2024-02-01", None) and not within("2024-01-31", "2024-02-01", None)


def test_a_span_is_in_utc_and_the_zone_of_a_date_counts() -> None:
    assert within("2024-02-01T00:30:00+01:00", None, "2024-02-01")
    assert not within("2024-02-01T00:30:00+01:00", "2024-02-01T00:00:00", None)
    assert within("2024-02-01T00:30:00Z", "2024-02-01T01:30:00+01:00", "2024-02-01T00:30:01Z")


@pytest.mark.parametrize("published", [None, "", "soon"])
def test_what_has_no_date_is_within_the_open_span_alone(published: str | None) -> None:
    assert within(published, None, None)
    assert not within(published, "2024-01-01", None)
    assert not within(published, None, "2024-01-01")


@pytest.mark.parametrize(
    ("since", "until", "named"),
    [
        ("last week", None, "since: 'last week'"), (None, "", "until: ''"), ("2024-13-01", "x", "since: '2024-13-01'"),
        ("0001-01-01T00:00:00+14:00", None, "since: '0001"), ("2024-01-02", "2024-01-02", "until: '2024-01-02'"),
        ("2024-01-02", "2024-01-01T23:59:59Z", "until: '2024-01-01"), ("90d", None, "since: '90d'"),
    ],
)  # fmt: skip
def test_a_span_that_is_none_is_a_broken_configuration(since: str | None, until: str | None, named: str) -> None:
    with pytest.raises(Halt, match=named):
        span_of(since, until)
    with pytest.raises(Halt, match=named):
        within("2024-01-01", since, until)
