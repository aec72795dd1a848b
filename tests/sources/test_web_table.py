from __future__ import annotations

from typing import Any

import pytest

from rivus.model.outcome import Halt, Outcome, RetryLater
from rivus.sources.web_table import web_table
from tests.site import Site

from .conftest import FakeLook

PAGE = """<table id=other><tr><td>1</table>
<table id=ipo><caption>IPOs</caption>
<thead><tr><th>Symbol<th colspan=2>Price Range ($)<th>Filing  date<th></thead>
<tbody><tr><td><a href="/q/AAA">AAA</a><td>1<td>2<td rowspan=2>2024-01-01<td>x
<tr><td>BBB<td colspan=2>n/a<td><table><tr><td>inner</table>
<tr><td></td><td>3
<tr><td>AAA<td>again
</table>"""


def take(look: FakeLook, site: Site, page: str = PAGE, **more: Any) -> list[Any]:
    return look.take(web_table(look, **{"url": site.put("/t", page, ETag=f'"{hash(page)}"'), "key": "symbol", **more}))


def test_rows_have_named_cells_links_and_a_key(look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    found = take(look, site, selector="#ipo")
    assert [(one.key, one.data) for one in found] == [
        ("AAA", {
            "url": f"{site.url}/q/AAA", "links": {"symbol": f"{site.url}/q/AAA"},
            "cells": {"symbol": "AAA", "price_range": "1", "price_range_2": "2", "filing_date": "2024-01-01",
                      "column_5": "x"},
        }),
        ("BBB", {
            "url": f"{site.url}/t",
            "cells": {"symbol": "BBB", "price_range": "n/a", "price_range_2": "n/a", "filing_date": "2024-01-01",
                      "column_5": "inner"},
        }),
    ]  # fmt: skip
    assert "1 rows without a key" in caplog.text and "1 further rows" in caplog.text


def test_the_key_can_be_a_number_a_name_as_it_is_written_or_the_whole_row(look: FakeLook, site: Site) -> None:
    for key, first in ((4, "2024-01-01"), ("Filing date", "2024-01-01"), ("Price range ($)", "1")):
        assert take(FakeLook(look.folder), site, selector="#ipo", key=key)[0].key == first
    assert len(take(look, site, selector="#ipo", key=None)) == 4


@pytest.mark.parametrize(
    ("key", "outcome"), [("nothing", RetryLater), (0, Halt), (6, Halt), (-1, Halt), ("", Halt), ("$", Halt)]
)
def test_a_column_that_is_gone_may_come_back_and_one_that_cannot_be_halts(
    look: FakeLook, site: Site, key: str | int, outcome: type[Outcome]
) -> None:
    with pytest.raises(outcome, match=r"key: there is no column .*symbol, price_range"):
        take(look, site, selector="#ipo", key=key)


@pytest.mark.parametrize("page", ["", "<form>Sign in</form>", "<table id=ipo></table>", "<table id=ipo><tr><th>a"])
def test_a_page_without_rows_is_never_a_silent_nothing(look: FakeLook, site: Site, page: str) -> None:
    for _ in range(2):
        with pytest.raises(RetryLater, match="changed"):
            take(look, site, page, selector="#ipo")


def test_a_bad_selector_halts(look: FakeLook, site: Site) -> None:
    with pytest.raises(Halt, match="selector"):
        take(look, site, selector="a[")


def test_an_unchanged_page_is_not_read_again_unless_other_rows_are_asked_for(look: FakeLook, site: Site) -> None:
    assert len(take(look, site, selector="#ipo")) == 2 and take(look, site, selector="#ipo") == []
    assert "If-None-Match" in site.headers[-1]
    assert len(take(look, site, selector="#other", key=None)) == 1


def test_a_row_that_is_no_longer_there_has_vanished(look: FakeLook, site: Site) -> None:
    take(look, site, selector="#ipo")
    take(look, site, PAGE.replace("BBB", "CCC"), selector="#ipo")
    assert look.gone == ["BBB"]


def test_spans_of_a_hostile_table_are_bounded(look: FakeLook, site: Site) -> None:
    page = "<table>" + "<tr><td colspan=99999 rowspan=99999>a<td colspan=-1>b<td rowspan=x>c" * 50
    found = take(look, site, page, key=None)
    assert len(found[0].data["cells"]) <= 100


RECORDED = {
    "edgar_10k_filings_table.html": (".tableFile2", 28, "filing_date", "2018-11-05"),
    "edgar_cik_multiple_results_large.html": (".tableFile2", 28, "filing_date", "2018-11-05"),
    "edgar_daily_index_2018_QTR4.htm": ("table", 300, "name", "company.20181001.idx"),
    "news-com-au-home_2010.html": (".market-table", 6, "code", "AGO"),
    "sprzeciw_radiomaryja_bad_utf8.html": ("#wkrotceNaAntenie_table", 4, "column_2", "Anioł Pański"),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_tables_are_read(look: FakeLook, site: Site, shared: Any, name: str) -> None:
    selector, rows, column, text = RECORDED[name]
    body = (shared / "data/html_lists" / name).read_bytes()
    found = look.take(web_table(look, url=site.put("/t", body, kind="text/html"), selector=selector))
    assert len(found) == rows and text in {one.data["cells"].get(column) for one in found[:3]}


def test_recorded_pages_without_a_table_are_refused(look: FakeLook, site: Site, shared: Any) -> None:
    for name in ("arstechnica_home.html", "baidu-cn-home_2010.html", "katzen-forum_thread.html"):
        with pytest.raises(RetryLater, match="finds no table"):
            list(web_table(look, url=site.put("/t", (shared / "data/html_lists" / name).read_bytes())))
