from __future__ import annotations

from typing import Any

import pytest

from rivus.sources.edgar import Older, cik_of, day_index, older_files, page_of_hits, submissions

ACME = "0000000042"


def table(**columns: list[Any]) -> dict[str, Any]:
    """Submissions of one filing, columns of which are others."""
    plain: dict[str, list[Any]] = {
        "accessionNumber": ["0000000042-24-000001"], "form": ["10-K"], "filingDate": ["2024-02-01"],
        "reportDate": ["2023-12-31"], "primaryDocument": ["acme-20231231.htm"], "primaryDocDescription": ["10-K"],
    }  # fmt: skip
    return {**plain, **columns}


def one(answer: dict[str, Any]) -> dict[str, Any]:
    listed = submissions(answer, ACME, "ACME Corp")
    assert listed and not listed.unfit
    (filing,) = listed.filings
    return filing.found("https://sec.example").data


def test_a_submission_has_both_addresses_and_its_period() -> None:
    folder = "https://sec.example/Archives/edgar/data/42/000000004224000001"
    assert one({"filings": {"recent": table()}}) == one(table()) == {
        "url": f"{folder}/acme-20231231.htm", "index_url": f"{folder}/0000000042-24-000001-index.htm",
        "title": "ACME Corp 10-K 2024-02-01", "cik": ACME, "company": "ACME Corp", "form": "10-K",
        "filed": "2024-02-01", "accession": "0000000042-24-000001", "period": "2023-12-31", "description": "10-K",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "ends"),
    [
        ("xslF345X05/form4.xml", "/000000004224000001/form4.xml"),
        ("", "/0000000042-24-000001.txt"),
        (None, "/0000000042-24-000001.txt"),
        ("../../etc/passwd", "/0000000042-24-000001.txt"),
        ("http://evil.example/", "/0000000042-24-000001.txt"),
        ("a b?c.htm", "/0000000042-24-000001.txt"),
        ("..", "/0000000042-24-000001.txt"),
    ],
)
def test_the_document_of_a_submission_is_a_plain_file_or_not_known(document: Any, ends: str) -> None:
    url = one(table(primaryDocument=[document]))["url"]
    assert url.startswith("https://sec.example/Archives/edgar/data/42/") and url.endswith(ends)


@pytest.mark.parametrize(
    "columns",
    [
        {"accessionNumber": ["../x"]}, {"accessionNumber": [5]}, {"filingDate": ["soon"]}, {"filingDate": []},
        {"form": [""]}, {"form": [None]},
    ],
)  # fmt: skip
def test_a_submission_without_number_form_or_day_is_counted(columns: dict[str, list[Any]]) -> None:
    listed = submissions(table(**columns), ACME, "")
    assert listed and (listed.filings, listed.unfit) == ([], 1)


@pytest.mark.parametrize("answer", [{}, {"filings": None}, {"filings": {"recent": []}}, table(form="10-K")])  # type: ignore[arg-type]
def test_what_has_no_columns_is_no_list(answer: dict[str, Any]) -> None:
    assert submissions(answer, ACME, "") is None


def test_older_files_have_names_of_the_one_kind() -> None:
    good = {"name": f"CIK{ACME}-submissions-001.json", "filingFrom": "1994-01-26", "filingTo": "2015-03-02"}
    files = [good, {"name": "../CIK1.json"}, {"name": None}, "x", {**good, "filingFrom": None, "filingTo": None}]
    assert older_files({"filings": {"files": files}}) == [
        Older(str(good["name"]), "1994-01-26", "2015-03-02"), Older(str(good["name"]), "0000", "9999")
    ]  # fmt: skip
    assert older_files({}) == older_files({"filings": {"files": 5}}) == []


def test_the_recorded_index_of_a_day_is_read(shared: Any) -> None:
    listed = day_index((shared / "data/sec_edgar/master.20181231.idx").read_text("latin-1"))
    assert listed and not listed.unfit
    assert len(listed.filings) == 10 and len({filing.accession for filing in listed.filings}) == 10
    first = listed.filings[0].found("https://www.sec.gov").data
    assert (first["cik"], first["company"], first["form"], first["filed"]) == (
        "0001000228", "HENRY SCHEIN INC", "4", "2018-12-31",
    )  # fmt: skip
    assert first["url"].endswith("/edgar/data/1000228/000120919118064398/0001209191-18-064398.txt")


HEAD = "CIK|Company Name|Form Type|Date Filed|File Name\n---------\n"


def test_a_filing_of_two_parties_is_one() -> None:
    row = "|4|20240201|edgar/data/{0}/0000000042-24-000001.txt\n"
    parties = ((42, "ACME"), (43, "A|B & CO"), (42, "ACME"))
    listed = day_index(HEAD + "".join(f"{cik}|{name}{row.format(cik)}" for cik, name in parties))
    assert listed and [filing.parties for filing in listed.filings] == [(("0000000043", "A|B & CO"),)]


@pytest.mark.parametrize(
    "row", ["x", "1|2|3|4|5", "1|A|4|x|edgar/data/1/0000000042-24-000001.txt", "1|A|4|20240101|../x"]
)
def test_rows_that_make_no_sense_are_counted(row: str) -> None:
    assert day_index(HEAD + row) == ([], 1)


@pytest.mark.parametrize("text", ["", "<html>\n-----</html>", HEAD.replace("-", "")])
def test_what_has_no_head_is_no_index(text: str) -> None:
    assert day_index(text) is None


def hit(**source: Any) -> dict[str, Any]:
    plain = {
        "adsh": "0000000042-24-000001", "ciks": [ACME], "form": "8-K", "file_date": "2024-02-01",
        "period_ending": "2024-01-31", "file_type": "EX-99.1",
        "display_names": [f"ACME Corp  (ACME, ACMEW)  (CIK {ACME})", "Coyote Wile E.  (CIK 0000000043)"],
    }  # fmt: skip
    return {"_id": "0000000042-24-000001:ex99.htm", "_source": {**plain, **source}}


def test_a_hit_is_the_document_that_has_the_words() -> None:
    page = page_of_hits({"hits": {"total": {"value": 7, "relation": "eq"}, "hits": [hit(), hit(), {}]}})
    assert page and (page.hits, page.total, page.listed.unfit, len(page.listed.filings)) == (3, 7, 1, 1)
    data = page.listed.filings[0].found("https://sec.example").data
    assert data["url"].endswith("/42/000000004224000001/ex99.htm") and data["period"] == "2024-01-31"
    assert (data["company"], data["cik"], data["description"]) == ("ACME Corp", ACME, "EX-99.1")
    assert data["parties"] == [{"cik": "0000000043", "company": "Coyote Wile E."}]


def test_a_hit_without_names_has_a_number_still() -> None:
    page = page_of_hits({"hits": {"total": 1, "hits": [hit(display_names=None)]}})
    assert page and page.listed.filings[0].cik == ACME


@pytest.mark.parametrize("answer", [{}, {"hits": []}, {"hits": {"hits": []}}, {"hits": {"hits": 1, "total": 1}}])
def test_what_has_no_hits_is_no_page(answer: dict[str, Any]) -> None:
    assert page_of_hits(answer) is None


@pytest.mark.parametrize(("value", "cik"), [("42", ACME), (42, ACME), ("cik0000000042", ACME), (ACME, ACME)])
def test_a_number_has_ten_digits(value: Any, cik: str) -> None:
    assert cik_of(value) == cik


@pytest.mark.parametrize("value", [None, "", "0", "-1", "1.5", "12345678901", "AAPL", "٣"])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert cik_of(value) is None
