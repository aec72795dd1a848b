from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from rivus.model.outcome import Halt
from rivus.sources.dates import ALWAYS, span_of
from rivus.sources.days import days_of


def test_an_open_span_has_the_days_around_today() -> None:
    today = datetime.now(UTC).date()
    assert days_of(ALWAYS, 2, 3) == (today - timedelta(2), today + timedelta(3))


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        ("2024-01-01", "2024-02-01", date(2024, 1, 1), date(2024, 1, 31)),
        ("2024-01-01T23:00:00Z", "2024-01-02T00:00:01Z", date(2024, 1, 1), date(2024, 1, 2)),
    ],
)
def test_a_span_has_each_day_that_is_in_it_in_part(since: str, until: str, first: date, last: date) -> None:
    assert days_of(span_of(since, until), 1, 1) == (first, last)


@pytest.mark.parametrize("back", [10**4 * 400, 10**12, -10])
def test_days_that_are_none_halt(back: int) -> None:
    with pytest.raises(Halt):
        days_of(ALWAYS, back, 0)
