"""The jobs `earnings` and `earnings_backfill`: calls to come, calls just held, and calls of the past."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from rivus.plugins import find
from tests.conftest import ROOT, House, World
from tests.jobs.house import ship
from tests.site import Page, Site
from tests.site import site as site

NEW_YORK = ZoneInfo("America/New_York")


def row(symbol: str, day: date, **figures: Any) -> dict[str, Any]:
    known = {"hour": "bmo", "year": 2031, "quarter": 2, "epsActual": None, "epsEstimate": 1.0}
    return {"symbol": symbol, "date": day.isoformat(), **known, **figures}


def next_opening() -> date:
    """The first day whose opening of the market, if it is one, lies ahead: at most 24 hours."""
    now = datetime.now(NEW_YORK)
    return now.date() + timedelta(days=now.time() >= time(9, 30))


def put(site: Site, path: str, body: Any) -> None:
    site.put(path, json.dumps(body), kind="application/json")


def finnhub(site: Site, calendar: list[dict[str, Any]], price: float) -> None:
    put(site, "/api/v1/calendar/earnings", {"earningsCalendar": calendar})
    put(site, "/api/v1/quote", {"c": price, "d": 1.0, "dp": 1.0, "t": int(datetime.now(UTC).timestamp())})
    quarter = {"actual": 1.1, "estimate": 1.0, "year": 2031, "quarter": 2, "period": "2031-06-30"}
    put(site, "/api/v1/stock/earnings", [{**quarter, "quarter": 1, "actual": 9.0}, quarter])


def test_each_stage_of_earnings_waits_for_its_time_and_a_report_follows_the_figures(house: House, site: Site) -> None:
    held, soon, later = date.today() - timedelta(days=6), next_opening(), next_opening() + timedelta(days=5)
    finnhub(site, [row("HELD", held), row("SOON", soon), row("LATER", later)], price=50.0)
    job = ship(house, "earnings", {"finnhub": site.url})
    job.run()
    assert job.keys("before") == ["HELD-2031q2", "SOON-2031q2"]
    before = job.outputs("before")
    assert before["HELD-2031q2"] == {}, "too late for a price from before"
    assert before["SOON-2031q2"]["before"]["price"] == 50.0
    assert job.keys("before", "later") == ["LATER-2031q2"]
    assert job.keys("after", "later") == ["LATER-2031q2", "SOON-2031q2"]
    assert job.outputs("report")["HELD-2031q2"]["text"] == "HELD: 1.10 a share, +0.10 against the estimate (+10.0 %)"
    assert job.keys("report", "wait") == ["LATER-2031q2", "SOON-2031q2"]
    shown = {line["symbol"]: (line["date"], line["surprise"], line["state"]) for line in job.rows()}
    assert shown["HELD"] == (held.isoformat(), 10.0, "done")
    assert shown["SOON"] == (soon.isoformat(), None, "waiting")


def test_a_call_that_is_moved_gives_the_item_new_data_and_keeps_the_price_from_before(house: House, site: Site) -> None:
    soon = next_opening()
    finnhub(site, [row("SOON", soon)], price=50.0)
    job = ship(house, "earnings", {"finnhub": site.url})
    job.run()
    finnhub(site, [row("SOON", soon, epsEstimate=1.2)], price=60.0)
    assert job.run() == []
    assert job.outputs("before")["SOON-2031q2"]["before"]["price"] == 50.0
    born = house.ticket("earnings", "discover", "done", "SOON-2031q2.json")
    assert born["data"]["eps_estimate"] == 1.2


def test_a_report_says_what_the_share_did_if_both_prices_are_known() -> None:
    summary = find("handler", "earnings_report.summary", ROOT / "jobs.d")
    item = {"symbol": "X", "surprise": {"actual": 2.0}, "before": {"price": 50.0}, "after": {"price": 45.0}}
    assert summary(item, None)["text"] == "X: 2.00 a share; nobody had estimated it; the share -10.0 %"
    assert summary(item, None)["move"] == {"before": 50.0, "after": 45.0, "percent": -10.0}


def test_the_recorded_calendar_is_reported_of_and_looked_at_again_for_nothing(house: House, world: World) -> None:
    job = ship(house, "earnings_backfill", {"finnhub": world.url}, lambda job: job["discover"].update(symbols=["AAPL"]))
    job.run()
    assert job.outputs("report")["AAPL-2020q1"]["eps"]["percent"] == 9.7
    assert [line["surprise"] for line in job.rows()] == [6.7, 9.7]
    assert job.run() == []


def test_the_past_is_asked_for_month_by_month_and_ends_in_a_table(house: House, site: Site) -> None:
    site.answer = lambda path, asked: _of_the_span(path)  # type: ignore[method-assign]
    job = ship(house, "earnings_backfill", {"finnhub": site.url})
    span = ["--since", "2024-01-01", "--until", "2024-03-31"]
    found = job.command("rivus-discover", job.name, *span)
    assert len(found) == 3, "one for each window of at most 30 days"
    job.command("rivus-stage", job.name + ":report")
    job.command("rivus-stage", job.name + ":table")
    with (house.root / "spool/earnings_backfill/table/state/items.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["symbol"] for line in lines} == {"ABC"} and len(lines) == 3
    assert job.command("rivus-discover", job.name, *span) == []


def _of_the_span(path: str) -> Page:
    first = parse_qs(urlsplit(path).query)["from"][0]
    quarter = {"year": 2024, "quarter": first, "epsActual": 2.0, "epsEstimate": 1.0}
    body = {"earningsCalendar": [{"symbol": "ABC", "date": first, **quarter}]}
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


@pytest.mark.parametrize("before", [None, {}])
def test_without_a_price_from_before_there_is_no_move(before: dict[str, Any] | None) -> None:
    summary = find("handler", "earnings_report.summary", ROOT / "jobs.d")
    item = {"symbol": "X", "eps_actual": 2.0, "before": before, "after": {"price": 45.0}}
    assert summary(item, None)["move"] is None
