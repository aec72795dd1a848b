"""The job `ipo_watch`: the recorded calendar, and a company that changes its mind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rivus.plugins import find
from tests.conftest import ROOT, House, World
from tests.jobs.house import ship
from tests.site import Site
from tests.site import site as site

EXPECTED = {
    "date": "2031-05-06", "exchange": "NYSE", "name": "Weir Works Inc.", "symbol": "WEIR", "status": "expected",
    "numberOfShares": 10_000_000, "price": "14.00-16.00", "totalSharesValue": 184_000_000,
}  # fmt: skip


def put(site: Site, row: dict[str, Any]) -> None:
    site.put("/api/v1/calendar/ipo", json.dumps({"ipoCalendar": [row]}), kind="application/json")


def test_the_recorded_calendar_becomes_sizes_and_points(house: House, world: World) -> None:
    job = ship(house, "ipo_watch", {"finnhub": world.url})
    job.run()
    rows = {row["symbol"]: row for row in job.rows()}
    assert (rows["ZNTL"]["low"], rows["ZNTL"]["high"], rows["ZNTL"]["amount"]) == (16.0, 18.0, 130_050_000)
    assert (rows["WIMI"]["amount"], rows["WIMI"]["status"], rows["WIMI"]["points"]) == (32_500_000, "expected", 1)
    assert rows["ZNTL"]["points"] == 3
    assert "expected for 2020-04-03 at 16.00 to 18.00, about 130 million USD" in rows["ZNTL"]["text"]
    assert job.run() == []


def test_a_withdrawal_runs_the_same_item_again(house: House, site: Site) -> None:
    put(site, EXPECTED)
    job = ship(house, "ipo_watch", {"finnhub": site.url})
    job.run()
    assert [output["amount"] for output in job.outputs("size").values()] == [150_000_000]
    put(site, {**EXPECTED, "price": "", "status": "withdrawn"})
    job.run()
    (row,) = job.rows()
    assert (row["status"], row["low"], row["points"]) == ("withdrawn", None, -2)


@pytest.mark.parametrize(
    ("price", "range_"), [("16.00-18.00", (16.0, 18.0)), ("$7", (7.0, 7.0)), (None, (None, None)), ("", (None, None))]
)
def test_a_range_of_prices_is_read_as_numbers(price: str | None, range_: tuple[float | None, float | None]) -> None:
    size = find("handler", "ipo_watch.size", ROOT / "jobs.d")
    made = size({"symbol": "X", "date": "2031-01-01", "price": price, "number_of_shares": "many"}, None)
    assert (made["low"], made["high"], made["amount"]) == (*range_, None)
