from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater
from rivus.sources.sec import sec_daily, sec_filings, sec_search
from tests.conftest import World
from tests.faults import ENDLESS, OUTCOMES, told
from tests.faults import bad_world as bad_world
from tests.paced import at_once as at_once
from tests.site import Site

from .conftest import FakeLook
from .test_edgar import ACME, HEAD, hit, table

NAME = "Ada Smith ada@example.org"
SUBMISSIONS = f"/submissions/CIK{ACME}.json"
SEARCH = "/LATEST/search-index"


def submissions(site: Site, *, files: Any = (), **columns: list[Any]) -> None:
    filings = {"recent": table(**columns), "files": list(files)}
    site.put(SUBMISSIONS, json.dumps({"cik": ACME, "name": "ACME Corp", "filings": filings}))


def index_at(day: str) -> str:
    return f"/Archives/edgar/daily-index/{day[:4]}/QTR{(int(day[5:7]) + 2) // 3}/master.{day.replace('-', '')}.idx"


def index(site: Site, day: str, *rows: tuple[int, str, str]) -> None:
    """Puts the index of a day there: rows of CIK, form, accession number."""
    lines = (f"{cik}|ACM\xc9|{form}|{day}|edgar/data/{cik}/{number}.txt" for cik, form, number in rows)
    site.put(index_at(day), (HEAD + "\n".join(lines)).encode("latin-1"))


# ---- companies


def test_a_companys_filings_of_the_wanted_forms_are_found(look: FakeLook, site: Site) -> None:
    numbers = [f"0000000042-24-00000{n}" for n in (3, 2, 1)]
    submissions(
        site, accessionNumber=numbers, form=["8-K", "10-k", "10-K/A"], filingDate=["2024-02-03"] * 3,
        reportDate=["", "2023-12-31", ""], primaryDocument=["a.htm", "b.htm", "c.htm"], primaryDocDescription=[],
    )  # fmt: skip
    found = look.take(sec_filings(look, user_agent=NAME, ciks=["42", ACME], forms=["10-K"], base_url=f"{site.url}/"))
    assert [item.key for item in found] == [numbers[1]]
    assert found[0].data["url"] == f"{site.url}/Archives/edgar/data/42/000000004224000002/b.htm"
    assert site.asked == [SUBMISSIONS] and site.headers[0]["User-Agent"] == NAME


def test_a_span_reads_the_older_files_that_reach_into_it(look: FakeLook, site: Site) -> None:
    spans = {"001": ("2010-01-01", "2023-06-30"), "002": ("2000-01-01", "2009-12-31")}
    files = [
        {"name": f"CIK{ACME}-submissions-{number}.json", "filingFrom": first, "filingTo": last}
        for number, (first, last) in spans.items()
    ]
    submissions(site, files=files)
    old = table(accessionNumber=["0000000042-15-000009"], filingDate=["2015-06-01"])
    site.put(f"/submissions/{files[0]['name']}", json.dumps(old))
    asked = {"user_agent": NAME, "ciks": [ACME], "base_url": site.url}
    assert [f.data["filed"] for f in sec_filings(look, **asked)] == ["2024-02-01"]
    assert site.asked == [SUBMISSIONS]
    assert [f.data["filed"] for f in sec_filings(look, **asked, since="2015-06-01")] == ["2024-02-01", "2015-06-01"]
    span = {"since": "2015-06-01T12:00:00Z", "until": "2024-02-01"}
    assert [f.data["filed"] for f in sec_filings(look, **asked, **span)] == ["2015-06-01"]
    assert f"/submissions/{files[1]['name']}" not in site.asked


def test_the_numbers_behind_symbols_are_asked_for_once(look: FakeLook, site: Site) -> None:
    submissions(site)
    companies = {"0": {"cik_str": 42, "ticker": "ACM-A"}, "1": "x", "2": {"cik_str": None, "ticker": "B"}}
    site.put("/files/company_tickers.json", json.dumps(companies))
    for _ in range(2):
        found = list(sec_filings(look, user_agent=NAME, tickers=["acm.a"], base_url=site.url))
        assert [item.data["cik"] for item in found] == [ACME]
    assert site.asked == ["/files/company_tickers.json", SUBMISSIONS, SUBMISSIONS]
    with pytest.raises(Halt, match="no company B"):
        list(sec_filings(look, user_agent=NAME, tickers=["B"], base_url=site.url))


# ---- days


def test_the_recorded_index_is_read_once_and_for_the_wanted_forms(look: FakeLook, site: Site, shared: Path) -> None:
    site.put(index_at("2018-12-31"), (shared / "data/sec_edgar/master.20181231.idx").read_bytes())
    asked = {"user_agent": NAME, "base_url": site.url, "since": "2018-12-30", "until": "2019-01-02"}
    found = list(sec_daily(look, **asked, forms=["424b2"]))
    assert [item.key for item in found] == ["0001140361-18-046093", "0001140361-18-046095"]
    assert site.asked == [index_at(day) for day in ("2019-01-01", "2018-12-31", "2018-12-30")]
    assert list(sec_daily(look, **asked, forms=["424B2"])) == [] and index_at("2018-12-31") not in site.asked[3:]
    assert len(list(sec_daily(look, **asked))) == 10


def test_a_party_of_a_filing_is_found_by_its_number(look: FakeLook, site: Site) -> None:
    index(site, "2024-02-01", (41, "4", "0000000042-24-000001"), (42, "4", "0000000042-24-000001"),
          (43, "4", "0000000043-24-000001"))  # fmt: skip
    span = {"since": "2024-02-01", "until": "2024-02-02"}
    (found,) = sec_daily(look, user_agent=NAME, ciks=["42"], base_url=site.url, **span)
    assert found.data["parties"] == [{"cik": ACME, "company": "ACMÉ"}]


def test_the_index_of_today_is_read_again(look: FakeLook, site: Site) -> None:
    today = datetime.now(UTC).date()
    for day in (today - timedelta(1), today, today + timedelta(1)):
        index(site, str(day), (42, "4", f"0000000042-24-0000{day.day:02}"))
    for _ in range(2):
        list(sec_daily(look, user_agent=NAME, days_back=1, base_url=site.url))
    asked = [path.rpartition("/")[2] for path in site.asked]
    assert len(set(asked)) == 2 and len(asked) == 3 and asked[0] == asked[2]


def test_days_without_any_index_are_told_of(look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    assert list(sec_daily(look, user_agent=NAME, days_back=8, base_url=site.url)) == []
    assert "no index of any day" in caplog.text


# ---- words


def pages(site: Site, total: int, *counts: int) -> None:
    """Puts an answer of so many hits there for each page, all of other filings."""
    answers = iter(
        json.dumps({"hits": {"total": {"value": total}, "hits": [
            hit(adsh=f"0000000042-{page:02}-{number:06}", form="8-K" if number else "8-K/A") for number in range(count)
        ]}})
        for page, count in enumerate(counts)
    )  # fmt: skip
    site.before = lambda path: site.put(SEARCH, next(answers, '{"hits": {"total": 0, "hits": []}}'))


def test_a_search_is_read_page_by_page(look: FakeLook, site: Site) -> None:
    pages(site, 5, 3, 2)
    asked = {"user_agent": NAME, "base_url": site.url, "since": "2024-01-01", "until": "2024-02-01"}
    found = list(sec_search(look, query='"a b" OR c', forms=["8-K"], ciks=["42"], **asked))
    assert [item.key for item in found] == ["0000000042-00-000001", "0000000042-00-000002", "0000000042-01-000001"]
    first = f"{SEARCH}?dateRange=custom&startdt=2024-01-01&enddt=2024-01-31&q=%22a+b%22+OR+c&forms=8-K&ciks={ACME}"
    assert site.asked == [first, f"{first}&from=3"]


def test_a_search_asks_no_more_than_is_wanted_and_ends_at_an_empty_page(look: FakeLook, site: Site) -> None:
    pages(site, 10**9, 3, 3, 0)
    found = sec_search(look, user_agent=NAME, query="x", base_url=site.url)
    assert next(found).key and len(site.asked) == 1
    assert len(list(found)) == 5 and len(site.asked) == 3


def test_a_search_that_has_too_many_hits_says_so(look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    pages(site, 20_000, *[2_500] * 9)
    assert len(list(sec_search(look, user_agent=NAME, query="x", base_url=site.url))) == 10_000
    assert len(site.asked) == 4 and "ask for fewer days" in caplog.text


# ---- what goes wrong


@pytest.mark.parametrize(
    ("source", "params", "why"),
    [
        (sec_filings, {}, "ciks, tickers"),
        (sec_filings, {"ciks": ["AAPL"]}, "no number"),
        (sec_filings, {"ciks": ["1"], "since": "soon"}, "since"),
        (sec_filings, {"ciks": ["1"], "base_url": "sec.gov"}, "base_url"),
        (sec_filings, {"ciks": ["1"], "user_agent": "curl"}, "e-mail"),
        (sec_daily, {"user_agent": "a@b.de"}, "e-mail"),
        (sec_daily, {"ciks": ["x"]}, "no number"),
        (sec_daily, {"days_back": 10**9}, "days_back"),
        (sec_search, {}, "query, forms, ciks"),
        (sec_search, {"query": "x", "user_agent": ""}, "e-mail"),
    ],
)
def test_parameters_that_make_no_sense_halt(
    look: FakeLook, source: Callable[..., Any], params: dict[str, Any], why: str
) -> None:
    with pytest.raises(Halt, match=why):
        list(source(look, **{"user_agent": NAME, "base_url": "http://127.0.0.1:1", **params}))


def test_a_number_that_is_nobodys_is_told(look: FakeLook, site: Site) -> None:
    with pytest.raises(ItemFailed, match=f"CIK{ACME}.json answered 404"):
        list(sec_filings(look, user_agent=NAME, ciks=["42"], base_url=site.url))


def test_the_recorded_xml_of_browse_edgar_is_refused_by_its_name(look: FakeLook, site: Site, shared: Path) -> None:
    site.put(SUBMISSIONS, (shared / "data/sec_edgar/aapl_10q_browse-edgar.xml").read_bytes(), kind="text/xml")
    with pytest.raises(Halt, match="browse-edgar"):
        list(sec_filings(look, user_agent=NAME, ciks=["42"], base_url=site.url))


@pytest.mark.parametrize("body", ["[]", "{}", '{"hits": {}}', '{"timed_out": true, "hits": {"total": 0, "hits": []}}'])
def test_an_answer_of_another_kind_is_asked_for_later(look: FakeLook, site: Site, body: str) -> None:
    for path in (SUBMISSIONS, SEARCH):
        site.put(path, body)
    for looked in (
        sec_filings(look, user_agent=NAME, ciks=["42"], base_url=site.url),
        sec_search(look, user_agent=NAME, query="x", base_url=site.url),
    ):
        with pytest.raises(RetryLater):
            list(looked)


def test_filings_that_make_no_sense_are_counted_and_logged(
    look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    submissions(site, accessionNumber=["x", "0000000042-24-000001"], form=["4", "4"], filingDate=["2024-02-01"] * 2)
    assert len(list(sec_filings(look, user_agent=NAME, ciks=["42"], base_url=site.url))) == 1
    assert "1 filings make no sense" in caplog.text


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_bad_server_gives_the_right_outcome(tmp_path: Path, bad_world: World, kind: str) -> None:
    expected = {"403": "SourceBlocked", "login": "RetryLater", "notjson": "RetryLater"}.get(kind)
    names = {expected} if expected else {each.__name__ for each in OUTCOMES[kind] if each} - {"TimeoutError"}
    for path, source, more in (
        ("/submissions/", sec_filings, {"ciks": ["42"]}),
        ("/LATEST/", sec_search, {"query": "x"}),
        ("/Archives/", sec_daily, {"days_back": 0}),
    ):
        bad_world.post(faults=told(path, kind, 1))
        look = FakeLook(tmp_path, total=0.15 if kind in ENDLESS else 20)
        if (source, kind) == (sec_daily, "404"):
            assert list(sec_daily(look, user_agent=NAME, base_url=bad_world.url, days_back=0)) == []
            continue
        with pytest.raises(Outcome) as raised:
            list(source(look, user_agent=NAME, base_url=bad_world.url, **more))
        assert type(raised.value).__name__ in names, path
