"""Durations and rates as people write them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rivus.model.quantity import format_duration, parse_duration, parse_rate


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("90sec", 90), ("5min", 300), ("5m", 300), ("1h", 3600), ("2d", 172800), ("1w", 604800),
        ("250ms", 0.25), ("1h30min", 5400), ("1h 30 min", 5400), (" 1.5h ", 5400), ("0s", 0), ("1d1h1min1s", 90061),
    ],
)  # fmt: skip
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "min", "-5s", "1e3s", "5 years", "1h,30min", "s5", "5..5s", "1h30", "nan s"])
def test_what_is_no_number_with_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250ms"), (1, "1s"), (60, "1min"), (90, "1min30s"), (5400, "1h30min"), (3600, "1h"),
        (90061, "1d1h"), (86400 * 400, "400d"), (59.7, "1min"), (0, "0ms"),
    ],
)  # fmt: skip
def test_a_duration_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@settings(deadline=None)
@given(st.integers(1, 10**9))
def test_what_is_written_can_be_read_and_loses_less_than_one_in_twenty_four(seconds: int) -> None:
    again = parse_duration(format_duration(seconds))
    assert 0 <= seconds - again < max(1, seconds / 24)


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [
        ("250/h", 250, 3600), ("10/s", 10, 1), ("1000/d", 1000, 86400), ("1/10s", 1, 10), ("0.5/s", 0.5, 1),
        (" 30 / min ", 30, 60), ("1/2.5min", 1, 150), ("3/500ms", 3, 0.5),
    ],
)  # fmt: skip
def test_a_rate_is_read(text: str, count: float, seconds: float) -> None:
    rate = parse_rate(text)
    assert (rate.count, rate.seconds) == (count, seconds)
    assert rate.per_second == pytest.approx(count / seconds)


@pytest.mark.parametrize("text", ["", "250", "250/", "/h", "0/s", "1/0s", "-1/s", "1/h/h", "a/h", "1/year", "1/1e3s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)


@pytest.mark.parametrize("text", ["250/1h", "10/1s", "1/10s", "0.5/1min", "1000/1d"])
def test_a_rate_is_written_so_that_it_can_be_read(text: str) -> None:
    assert str(parse_rate(text)) == text
