from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers.finnhub import company, quote, surprises
from rivus.handlers.trading import after_call, before_call, opening_after_call
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, Skip, SourceBlocked
from tests.conftest import World
from tests.handlers.conftest import FakeContext
from tests.site import Site

QUOTE, PROFILE, EARNINGS = "/api/v1/quote", "/api/v1/stock/profile2", "/api/v1/stock/earnings"


@pytest.fixture
def ctx(ctx: FakeContext, monkeypatch: pytest.MonkeyPatch) -> FakeContext:
    monkeypatch.setattr(ctx, "secret", {"finnhub_token": "test-token"}.__getitem__)
    return ctx


def put(site: Site, path: str, body: Any, status: int = 200) -> str:
    site.put(path, body if isinstance(body, str) else json.dumps(body), status=status, kind="application/json")
    return site.url


def test_the_recorded_answers_are_read(ctx: FakeContext, world: World) -> None:
    assert quote({"symbol": "aapl"}, ctx, base_url=world.url) == {
        "symbol": "AAPL", "price": 261.74, "high": 263.31, "low": 260.68, "open": 261.07, "previous_close": 259.45,
        "at": "2020-02-25T14:30:00Z",
    }  # fmt: skip
    found = surprises({"symbol": "AAPL"}, ctx, base_url=world.url)
    assert [row["period"] for row in found["surprises"]][:2] == ["2023-03-31", "2022-12-31"]
    assert found["surprises"][0]["surprise_percent"] == -4.7812
    this = surprises({"symbol": "AAPL", "year": 2022, "quarter": 4}, ctx, this_quarter=True, base_url=world.url)
    assert (this["period"], this["actual"]) == ("2022-12-31", 1.29)


def test_the_token_goes_into_a_header_and_the_symbol_is_asked_for(ctx: FakeContext, site: Site) -> None:
    base = put(site, QUOTE, {"c": 1, "t": 1582641000})
    assert quote({"ticker": "brk.b"}, ctx, symbol_field="ticker", into="now", base_url=base)["now"]["price"] == 1
    assert site.asked == [f"{QUOTE}?symbol=BRK.B"] and site.headers[0]["X-Finnhub-Token"] == "test-token"


@pytest.mark.parametrize("symbol", [None, "", 5, "A B", "../x", "A&token=x", "x" * 40, "\n"])
def test_an_item_without_a_symbol_fails(ctx: FakeContext, site: Site, symbol: object) -> None:
    for handler in (quote, company, surprises):
        with pytest.raises(ItemFailed, match="no symbol"):
            handler({"symbol": symbol}, ctx, base_url=site.url)
    assert site.asked == []


def test_a_symbol_that_finnhub_does_not_know_fails_the_item(ctx: FakeContext, site: Site) -> None:
    put(site, QUOTE, {"c": 0, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0})
    put(site, PROFILE, {})
    put(site, EARNINGS, [])
    for handler in (quote, company, surprises):
        with pytest.raises(ItemFailed, match="XYZ"):
            handler({"symbol": "XYZ"}, ctx, base_url=site.url)


def test_a_company_has_plain_names(ctx: FakeContext, site: Site) -> None:
    row = {
        "country": "US", "finnhubIndustry": "Technology", "ipo": "1980-12-12", "marketCapitalization": 1415993,
        "name": "Apple Inc", "shareOutstanding": 4375.47998046875, "ticker": "AAPL", "weburl": "", "phone": "1",
    }  # fmt: skip
    assert company({"symbol": "AAPL"}, ctx, base_url=put(site, PROFILE, row)) == {
        "symbol": "AAPL", "name": "Apple Inc", "country": "US", "industry": "Technology", "ipo": "1980-12-12",
        "market_cap": 1415993, "shares": 4375.47998046875,
    }  # fmt: skip


@pytest.mark.parametrize("handler", [quote, company, surprises])
@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, "Invalid API key", Halt),
        (403, '{"error":"You don\'t have access to this resource."}', Halt),
        (429, '{"error":"API limit reached. Please try again later. Remaining Limit: 0"}', SourceBlocked),
        (429, "API limit reached. Please sign up for a free account to continue using the API.", Halt),
        (500, "", RetryLater),
        (200, "<html>", RetryLater),
        (200, '{"c": NaN}', RetryLater),
        (200, '"text"', RetryLater),
        (200, "[" * 20_000, RetryLater),
    ],
)
def test_refusals_become_outcomes(
    ctx: FakeContext, site: Site, handler: Any, status: int, body: str, outcome: type[Outcome]
) -> None:
    for path in (QUOTE, PROFILE, EARNINGS):
        put(site, path, body, status)
    with pytest.raises(outcome) as raised:
        handler({"symbol": "AAPL"}, ctx, base_url=site.url)
    assert "test-token" not in str(raised.value)


def test_numbers_beyond_all_bounds_are_none(ctx: FakeContext, site: Site) -> None:
    found = quote({"symbol": "A"}, ctx, base_url=put(site, QUOTE, {"c": 1, "h": 10**400, "l": 2**63, "t": 1582641000}))
    assert found == {"symbol": "A", "price": 1, "at": "2020-02-25T14:30:00Z"}


def test_a_wrong_base_halts_the_job(ctx: FakeContext) -> None:
    with pytest.raises(Halt, match="base_url"):
        quote({"symbol": "A"}, ctx, base_url="finnhub.io")


# ---- around the call


@pytest.mark.parametrize(
    ("day", "hour", "before", "opening", "close"),
    [
        ("2026-01-15", "bmo", "2026-01-15 14:30", "2026-01-15 14:30", "2026-01-15 21:15"),
        ("2026-07-15", "amc", "2026-07-15 20:00", "2026-07-16 13:30", "2026-07-16 20:15"),
        ("2026-07-15", "", "2026-07-15 13:30", "2026-07-16 13:30", "2026-07-16 20:15"),
        ("2026-01-16", "amc", "2026-01-16 21:00", "2026-01-19 14:30", "2026-01-19 21:15"),
        ("2026-01-17", "bmo", "2026-01-17 14:30", "2026-01-19 14:30", "2026-01-19 21:15"),
    ],
)
def test_a_call_falls_among_the_trading_hours_of_new_york(
    day: str, hour: str, before: str, opening: str, close: str
) -> None:
    item = {"date": day, "hour": hour}
    found = [moment(item).astimezone(UTC) for moment in (before_call, opening_after_call, after_call)]
    assert [f"{moment:%Y-%m-%d %H:%M}" for moment in found] == [before, opening, close]


def call(days: float, hour: str = "amc") -> dict[str, Any]:
    return {"symbol": "A", "date": str((datetime.now(UTC) + timedelta(days=days)).date()), "hour": hour}


def test_a_quote_waits_for_its_time(ctx: FakeContext, site: Site) -> None:
    base = put(site, QUOTE, {"c": 5.5, "t": 1582641000})
    for when, days in (("before", 10), ("after", 3)):
        with pytest.raises(RetryLater, match=f"quote {when} the call is due at") as wait:
            quote(call(days), ctx, when=when, base_url=base)
        assert wait.value.after is not None and 86_400 < wait.value.after < 11 * 86_400
    with pytest.raises(Skip, match="too late"):
        quote(call(-3), ctx, when="before", base_url=base)
    assert site.asked == []


def test_the_quote_after_a_call_is_of_a_day_that_knows_of_it(ctx: FakeContext, site: Site) -> None:
    item = call(-10)
    before = {"c": 5.5, "t": opening_after_call(item).timestamp() - 1}
    with pytest.raises(RetryLater, match="holiday"):
        quote(item, ctx, when="after", base_url=put(site, QUOTE, before))
    after = {"c": 6.5, "t": after_call(item).timestamp()}
    found = quote(item, ctx, when="after", into="after", base_url=put(site, QUOTE, after))
    assert found["after"]["price"] == 6.5


def test_the_quote_before_a_call_is_taken_on_the_last_day(ctx: FakeContext, site: Site) -> None:
    now, day = datetime.now(UTC), timedelta(days=1)
    calls = [call(days, hour) for days in (-1, 0, 1) for hour in ("bmo", "amc")]
    item = next(each for each in calls if before_call(each) - day < now < before_call(each))
    assert quote(item, ctx, when="before", base_url=put(site, QUOTE, {"c": 5.5, "t": 1582641000}))["price"] == 5.5


@pytest.mark.parametrize("day", [None, "soon", "9999-12-31", "0001-01-01", 5])
def test_a_call_without_a_date_fails_the_item(ctx: FakeContext, site: Site, day: object) -> None:
    with pytest.raises(ItemFailed, match="no date of a call"):
        quote({"symbol": "A", "date": day}, ctx, when="after", base_url=site.url)


def test_figures_that_are_not_there_yet_are_waited_for(ctx: FakeContext, site: Site) -> None:
    rows = [{"period": "2024-03-31", "year": 2024, "quarter": 1, "actual": None, "estimate": 2}, "junk"]
    base = put(site, EARNINGS, rows)
    for quarter in (1, 2):
        with pytest.raises(RetryLater, match=f"2024q{quarter} are not there yet"):
            surprises({"symbol": "A", "year": 2024, "quarter": quarter}, ctx, this_quarter=True, base_url=base)
    with pytest.raises(ItemFailed, match="which quarter"):
        surprises({"symbol": "A", "year": "2024"}, ctx, this_quarter=True, base_url=base)


def test_whatever_finnhub_has_answered_is_read_or_clearly_refused(ctx: FakeContext, site: Site, shared: Path) -> None:
    read = set()
    for path in sorted((shared / "data" / "finnhub").iterdir()):
        for handler, where in ((quote, QUOTE), (company, PROFILE), (surprises, EARNINGS)):
            base = put(site, where, path.read_text())
            try:
                assert handler({"symbol": "AAPL"}, ctx, base_url=base)["symbol"] == "AAPL"
                read.add((handler.__name__, path.stem))
            except (Halt, ItemFailed, RetryLater) as refused:
                assert "Finnhub" in str(refused)
    assert {("quote", "quote_docs"), ("surprises", "stock_earnings_AAPL_docs")} <= read
    assert ("quote", "quote_unknown_symbol") not in read and "company" not in {name for name, _ in read}
