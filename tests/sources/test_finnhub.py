from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rivus.model.outcome import Halt, Outcome, RetryLater, SourceBlocked
from rivus.sources.finnhub import finnhub_calendar
from tests.site import Site

from .conftest import FakeLook

CALENDAR = "/api/v1/calendar/earnings"


def calendar(*rows: Any) -> str:
    return json.dumps({"earningsCalendar": list(rows)})


def test_the_recorded_calendar_is_read(look: FakeLook, world: Any) -> None:
    found = look.take(finnhub_calendar(look, base_url=world.url))
    assert [item.key for item in found] == ["NVDA-2027q3", "NVDA-2027q2"]
    assert found[0].data["date"] == "2026-11-17" and found[0].data["eps_estimate"] == 2.3985
    assert look.take(finnhub_calendar(look, base_url=world.url)) == []


def test_a_row_becomes_an_item_with_plain_names(look: FakeLook, site: Site) -> None:
    row = {
        "symbol": "aapl",
        "date": "2020-01-28",
        "year": 2020,
        "quarter": 1,
        "hour": "amc",
        "epsActual": 4.99,
        "revenueEstimate": None,
    }
    site.put(CALENDAR, calendar(row))
    (found,) = look.take(finnhub_calendar(look, base_url=site.url))
    assert found.key == "AAPL-2020q1"
    assert found.data == {
        "symbol": "AAPL", "date": "2020-01-28", "year": 2020, "quarter": 1, "hour": "amc", "eps_actual": 4.99,
        "title": "AAPL earnings 2020q1",
    }  # fmt: skip


def test_the_token_goes_into_a_header_and_the_days_into_the_address(look: FakeLook, site: Site) -> None:
    site.put(CALENDAR, calendar())
    list(finnhub_calendar(look, base_url=site.url, days_back=2, days_ahead=3, symbols=["AAPL", "NVDA"]))
    today = datetime.now(UTC).date()
    span = f"from={today - timedelta(2)}&to={today + timedelta(3)}"
    assert site.asked == [f"{CALENDAR}?{span}&symbol={s}" for s in ("AAPL", "NVDA")]
    assert {headers["X-Finnhub-Token"] for headers in site.headers} == {"test-token"}


def test_a_row_without_symbol_or_date_is_left_out_and_logged(
    look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"date": "2020-01-28"},
        {"symbol": "A"},
        {"symbol": "B", "date": "soon"},
        "junk",
        {"symbol": "C", "date": "2020-01-28"},
    ]
    site.put(CALENDAR, calendar(*rows))
    assert [f.key for f in look.take(finnhub_calendar(look, base_url=site.url))] == ["C-2020-01-28"]
    assert len(caplog.records) == 4


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "Invalid API key", Halt),
        (403, '{"error":"You don\'t have access to this resource."}', Halt),
        (429, '{"error":"API limit reached. Please try again later. Remaining Limit: 0"}', SourceBlocked),
        (429, "API limit reached. Please sign up for a free account to continue using the API.", Halt),
        (429, '{"error":"Please use an API key."}', Halt),
        (500, "", RetryLater),
        (200, "<html>Just a moment...</html>", RetryLater),
        (200, '{"earningsCalendar": [{"symbol": "A"},]}', RetryLater),
        (200, '{"earningsCalendar": [{"symbol": "A", "eps": NaN}]}', RetryLater),
        (200, '{"earningsCalendar": null}', RetryLater),
        (200, '{"error": "x"}', RetryLater),
        (200, "[" * 100_000, RetryLater),
        (200, "", RetryLater),
    ],
)
def test_what_is_no_calendar_is_an_outcome(
    look: FakeLook, site: Site, status: int, body: str, kind: type[Outcome]
) -> None:
    site.put(CALENDAR, body, status)
    with pytest.raises(kind) as raised:
        list(finnhub_calendar(look, base_url=site.url))
    assert type(raised.value) is kind and "test-token" not in str(raised.value)


def test_recorded_refusals_halt(look: FakeLook, world: Any) -> None:
    look.secrets["finnhub_token"] = "wrong-token"
    with pytest.raises(Halt):
        list(finnhub_calendar(look, base_url=world.url))
    look.secrets.clear()
    with pytest.raises(Halt, match="finnhub_token"):
        list(finnhub_calendar(look, base_url=world.url))


def test_days_beyond_any_calendar_halt(look: FakeLook) -> None:
    with pytest.raises(Halt, match="days"):
        list(finnhub_calendar(look, days_ahead=10**9))


@pytest.mark.parametrize("kind", ["hang", "reset", "trickle", "short", "loop", "private", "empty", "notjson", "login"])
def test_a_bad_server_is_an_outcome(tmp_path: Any, world: Any, kind: str) -> None:
    world.post(faults=[{"prefix": "/api", "kind": kind}])
    with pytest.raises(Outcome):
        list(finnhub_calendar(FakeLook(tmp_path, total=0.5), base_url=world.url))
