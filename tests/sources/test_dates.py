from __future__ import annotations

import time

import pytest

from rivus.sources.dates import from_iso, from_seconds, from_struct


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


@pytest.mark.parametrize("seconds", [0, -1, 1e30, float("nan"), float("inf"), None])
def test_seconds_that_make_no_sense_are_none(seconds: float | None) -> None:
    assert from_seconds(seconds) is None
