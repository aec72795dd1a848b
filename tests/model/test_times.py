"""Times in documents: UTC, to the millisecond, readable by everybody."""

from __future__ import annotations

import re
import time
from datetime import datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from rivus.model.decide import FOREVER
from rivus.model.times import epoch, utc


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1767225600.123, "2026-01-01T00:00:00.123Z"),
        (1767225600.9999, "2026-01-01T00:00:00.999Z"),
        (FOREVER, "2100-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_is_written_in_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert utc(seconds) == text


def test_the_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        assert utc(0) == "1970-01-01T00:00:00.000Z"
        assert epoch("1970-01-01T00:00:00.000Z") == 0
    finally:
        monkeypatch.undo()
        time.tzset()


@settings(deadline=None)
@given(st.floats(0, FOREVER))
def test_what_is_written_is_read_back_to_the_millisecond(seconds: float) -> None:
    text = utc(seconds)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert epoch(text) == pytest.approx(seconds, abs=0.0011)
    assert datetime.fromisoformat(text).utcoffset() is not None


@settings(deadline=None)
@given(st.floats(0, FOREVER), st.floats(0, FOREVER))
def test_texts_are_in_the_order_of_their_times(one: float, other: float) -> None:
    assert (utc(one) <= utc(other)) or one > other


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        epoch(text)
