from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rivus import secrets
from rivus.model.outcome import Halt, Outcome, RetryLater, SourceBlocked
from rivus.sources.finnhub import finnhub_calendar, finnhub_insider, finnhub_ipo, finnhub_news
from tests.conftest import World
from tests.faults import ENDLESS, OUTCOMES, told
from tests.faults import bad_world as bad_world
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
    assert [record.getMessage()[:43] for record in caplog.records] == ["4 of 5 rows make no sense and are left out:"]


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


def test_no_half_of_a_token_is_told(look: FakeLook, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_FINNHUB_TOKEN", "hush-hush-123")
    look.secrets["finnhub_token"] = secrets.get("finnhub_token")
    site.put(CALENDAR, "x" * 190 + "hush-hush-123 is no token", 401)
    with pytest.raises(Halt, match="xxx") as raised:
        list(finnhub_calendar(look, base_url=site.url))
    assert "hush" not in str(raised.value)


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


SOURCES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "calendar": (finnhub_calendar, {}), "ipo": (finnhub_ipo, {}), "market": (finnhub_news, {}),
    "company": (finnhub_news, {"symbols": ["A"]}), "insider": (finnhub_insider, {"symbols": ["A"]}),
}  # fmt: skip
REFUSED = {"401": "Halt", "403": "Halt", "notjson": "RetryLater", "login": "RetryLater"}


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_bad_server_gives_the_right_outcome(tmp_path: Path, bad_world: World, kind: str) -> None:
    right = {each.__name__ for each in OUTCOMES[kind] if each} - {"TimeoutError"}
    # All sources ask in the same way: of those that only a time limit ends, one is enough.
    for source, more in list(SOURCES.values())[: 1 if kind in ENDLESS else None]:
        bad_world.post(faults=told("/api/", kind, 1))
        look = FakeLook(tmp_path, total=0.2 if kind in ENDLESS else 20)
        with pytest.raises(Outcome) as raised:
            list(source(look, base_url=bad_world.url, **more))
        assert type(raised.value).__name__ in ({REFUSED[kind]} if kind in REFUSED else right)


@pytest.mark.parametrize(
    ("since", "until", "asked"),
    [
        ("2024-01-01", "2024-01-31", "from=2024-01-01&to=2024-01-30"),
        ("2024-01-01T12:00:00Z", "2024-01-31T00:00:01Z", "from=2024-01-01&to=2024-01-31"),
        ("2024-01-01T01:00:00+02:00", "2024-01-01", "from=2023-12-31&to=2023-12-31"),
    ],
)
def test_a_span_asks_for_exactly_its_days(look: FakeLook, site: Site, since: str, until: str, asked: str) -> None:
    site.put(CALENDAR, calendar())
    list(finnhub_calendar(look, base_url=site.url, since=since, until=until))
    assert site.asked == [f"{CALENDAR}?{asked}"]


def test_half_a_span_is_completed_by_the_days_around_today_unless_that_leaves_none(look: FakeLook, site: Site) -> None:
    site.put(CALENDAR, calendar())
    list(finnhub_calendar(look, base_url=site.url, since="2024-01-01"))
    assert site.asked == [f"{CALENDAR}?from=2024-01-01&to={datetime.now(UTC).date() + timedelta(7)}"]
    with pytest.raises(Halt, match="holds no day"):
        list(finnhub_calendar(look, base_url=site.url, until="2024-01-01"))


# ---- companies that go public


def test_the_recorded_offerings_are_read(look: FakeLook, world: World) -> None:
    found = look.take(finnhub_ipo(look, base_url=world.url))
    assert [item.key for item in found] == ["zentalis-pharmaceuticals", "wimi-hologram-cloud"]
    assert found[0].data == {
        "date": "2020-04-03", "exchange": "NASDAQ Global", "name": "ZENTALIS PHARMACEUTICALS, LLC", "symbol": "ZNTL",
        "number_of_shares": 7650000, "price": "16.00-18.00", "status": "expected", "total_shares_value": 158355000,
        "title": "IPO of ZENTALIS PHARMACEUTICALS, LLC (ZNTL)",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"name": "Zentalis Pharmaceuticals, Inc.", "symbol": "", "price": None}, "zentalis-pharmaceuticals"),
        ({"name": "A.B. Acquisition Corp. II", "symbol": "ABA"}, "ab-acquisition-corp-ii"),
        ({"name": "Limited", "symbol": "LTD"}, "limited"),
        ({"name": None, "symbol": "xyz"}, "XYZ"),
    ],
)
def test_an_offering_keeps_its_key_while_price_symbol_and_legal_form_change(
    look: FakeLook, site: Site, row: dict[str, Any], key: str
) -> None:
    site.put("/api/v1/calendar/ipo", json.dumps({"ipoCalendar": [{"date": "2020-04-03", **row}]}))
    (found,) = finnhub_ipo(look, base_url=site.url, since="2020-01-01", until="2020-07-01")
    assert found.key == key and site.asked == ["/api/v1/calendar/ipo?from=2020-01-01&to=2020-06-30"]


def test_the_recorded_malformed_offerings_are_asked_for_later(look: FakeLook, site: Site, shared: Path) -> None:
    site.put("/api/v1/calendar/ipo", (shared / "data/finnhub/calendar_ipo_docs_malformed.json").read_bytes())
    with pytest.raises(RetryLater, match="no JSON"):
        list(finnhub_ipo(look, base_url=site.url))


# ---- news


def test_the_recorded_news_of_a_company_are_read(look: FakeLook, world: World) -> None:
    found = look.take(finnhub_news(look, base_url=world.url, symbols=["AAPL", "AAPL"]))
    assert len(found) >= 3 and found[0].key == "61651699"
    assert found[0].data["published"] == "2020-12-08T09:00:00Z" and found[0].data["related"] == "AAPL"
    assert found[0].data["title"].startswith("Apple preps next Mac chips")
    assert found[0].data["url"].startswith("https://www.thestar.com.my/tech/")
    span = {"since": "2020-12-08T04:00:00Z", "until": "2020-12-08T09:00:00Z"}
    some = finnhub_news(look, base_url=world.url, symbols=["AAPL"], **span)
    assert [item.data["published"] for item in some] == ["2020-12-08T04:02:58Z"]


def test_news_are_asked_for_by_company_or_for_the_market(look: FakeLook, site: Site) -> None:
    for path in ("/api/v1/company-news", "/api/v1/news"):
        site.put(path, "[]")
    list(finnhub_news(look, base_url=site.url, symbols=["A"], since="2024-01-05", until="2024-01-10"))
    list(finnhub_news(look, base_url=site.url, symbols=["B"], days_back=0))
    list(finnhub_news(look, base_url=site.url, category="merger"))
    today = datetime.now(UTC).date()
    assert site.asked == [
        "/api/v1/company-news?symbol=A&from=2024-01-04&to=2024-01-10",
        f"/api/v1/company-news?symbol=B&from={today}&to={today}",
        "/api/v1/news?category=merger",
    ]


def test_news_without_number_headline_or_date_make_no_sense(
    look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"id": 7, "headline": "A", "datetime": 1607418000, "url": "javascript:x", "summary": 5, "related": ""}
    rows = [good, {**good, "id": 0, "url": "https://a.example/?utm_source=x"}, {**good, "id": 0}, {**good, "id": True},
            {**good, "headline": None}, {**good, "datetime": 0}, {**good, "datetime": 10**30}, "junk"]  # fmt: skip
    site.put("/api/v1/news", json.dumps(rows))
    found = list(finnhub_news(look, base_url=site.url))
    assert [item.key for item in found] == ["7", "https://a.example/"]
    assert found[0].data == {"id": "7", "title": "A", "published": "2020-12-08T09:00:00Z"}
    assert "6 of 8 rows" in caplog.text


# ---- insiders

TRADE = {
    "name": "Kirkhorn Zachary", "share": 57234, "change": -1250, "filingDate": "2021-03-19", "currency": "",
    "transactionDate": "2021-03-17", "transactionCode": "S", "transactionPrice": 655.81, "isDerivative": False,
}  # fmt: skip
INSIDERS = "/api/v1/stock/insider-transactions"


def test_a_transaction_of_an_insider_has_plain_names_and_a_key_of_its_own(
    look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [TRADE, {**TRADE, "id": "0000042-21"}, {**TRADE, "share": 55984}, {**TRADE, "name": ""}, {"name": "x"}]
    site.put(INSIDERS, json.dumps({"data": rows, "symbol": "TSLA"}))
    asked = finnhub_insider(look, base_url=site.url, symbols=["tsla"], since="2021-01-01", until="2021-04-01")
    found = look.take(asked)
    assert len(found) == 2 and all(item.key.startswith("TSLA-2021-03-17-") for item in found)
    assert found[0].data == {
        "symbol": "TSLA", "name": "Kirkhorn Zachary", "share": 57234, "change": -1250, "filing_date": "2021-03-19",
        "date": "2021-03-17", "code": "S", "price": 655.81, "is_derivative": False,
        "title": "TSLA S by Kirkhorn Zachary on 2021-03-17",
    }  # fmt: skip
    assert site.asked == [f"{INSIDERS}?from=2021-01-01&to=2021-03-31&symbol=tsla"] and "2 of 5 rows" in caplog.text


@pytest.mark.parametrize("number", ["1e400", "9" * 30, "[1]", "{}"])
def test_a_number_that_does_not_fit_is_left_out(look: FakeLook, site: Site, number: str) -> None:
    site.put(INSIDERS, json.dumps({"data": [TRADE]}).replace("655.81", number))
    (found,) = finnhub_insider(look, base_url=site.url, symbols=["A"])
    assert "price" not in found.data


@pytest.mark.parametrize(("error", "kind"), [("You don't have access to this resource.", Halt), ("Again", RetryLater)])
def test_an_error_with_a_good_status_is_one(look: FakeLook, site: Site, error: str, kind: type[Outcome]) -> None:
    site.put("/api/v1/news", json.dumps({"error": error}))
    with pytest.raises(kind, match=error):
        list(finnhub_news(look, base_url=site.url))


@pytest.mark.parametrize(
    ("file", "kind"), [("error_403_no_access.json", Halt), ("error_429_limit.json", SourceBlocked),
                       ("error_429_empty_token.txt", Halt), ("quote_docs.json", RetryLater)]
)  # fmt: skip
def test_every_other_recorded_answer_is_an_outcome(
    look: FakeLook, site: Site, shared: Path, file: str, kind: type[Outcome]
) -> None:
    folder = shared / "data/finnhub"
    side = folder / f"{file}.headers.json"
    status = json.loads(side.read_text())["status"] if side.exists() else 200
    for source, more in SOURCES.values():
        site.before = lambda path: site.put(path, (folder / file).read_bytes(), status)
        with pytest.raises(kind):
            list(source(look, base_url=site.url, **more))
