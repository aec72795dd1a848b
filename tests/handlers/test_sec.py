from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers.sec import filing, is_xml, main_document, visible
from rivus.model.outcome import Halt, ItemFailed
from tests.paced import at_once as at_once
from tests.site import Site

from .conftest import FakeContext
from .test_secforms import FORM_4, FORM_D
from .test_secsections import ANNUAL

NAME = "Ada Smith ada@example.org"
PAGE = "<html><head><title>x</title></head><body>" + "".join(f"<p>{line}</p>" for line in ANNUAL.split("\n"))
SUBMISSION = """<SEC-DOCUMENT>0000000042-24-000001.txt : 20240201
<SEC-HEADER>
CONFORMED SUBMISSION TYPE:\t4
CONFORMED PERIOD OF REPORT:\t20240130
</SEC-HEADER>
<DOCUMENT>
<TYPE>4
<SEQUENCE>1
<FILENAME>form4.xml
<TEXT>
<XML>
{}
</XML>
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>EX-24
<TEXT>a power of attorney</TEXT>
</DOCUMENT>
"""


def take(ctx: FakeContext, site: Site, body: str, kind: str = "text/html", **more: Any) -> dict[str, Any]:
    item = {"url": site.put("/x", body, kind=kind), "form": "10-K"}
    return dict(filing(item, ctx, user_agent=NAME, **{"min_text": 1, **more}))


def test_a_report_is_cut_into_its_items_and_kept_as_it_came(ctx: FakeContext, site: Site) -> None:
    found = take(ctx, site, PAGE)
    assert found["text"] == ANNUAL and found["form"] == "10-K" and "truncated" not in found
    assert [(section["item"], section["title"]) for section in found["sections"]] == [
        ("1", "BUSINESS"), ("1A", "Risk Factors"), ("7", "and 7A. Management's Discussion")
    ]  # fmt: skip
    assert gzip.decompress(ctx.path(found["file"]).read_bytes()).decode() == PAGE
    assert site.headers[0]["User-Agent"] == NAME


def test_only_the_wanted_items_are_given(ctx: FakeContext, site: Site) -> None:
    found = take(ctx, site, PAGE, items=["i.1a", "7"], into="report")["report"]
    assert [section["item"] for section in found["sections"]] == ["1A", "7"]
    assert found["text"] == "\n".join(section["text"] for section in found["sections"])
    with pytest.raises(ItemFailed, match=r"none of the items 2\.02"):
        take(ctx, site, PAGE, items=["2.02"])


def test_what_is_too_long_is_cut_and_says_so(ctx: FakeContext, site: Site) -> None:
    found = take(ctx, site, PAGE, max_chars=50)
    assert len(found["text"]) == 50 and max(len(section["text"]) for section in found["sections"]) == 50
    assert found["truncated"] is True


def test_hidden_figures_and_marks_of_figures_are_left_out(ctx: FakeContext, site: Site) -> None:
    body = (
        "<html><body><div style='display:none'><ix:header><ix:hidden>secret</ix:hidden></ix:header></div>"
        "<p><span>I</span><b>tem</b> 7. <i>MD</i>&amp;A</p>"
        "<p>Sales were <ix:nonFraction name='a'>5</ix:nonFraction>0.</p>"
    )
    found = take(ctx, site, body)
    assert found["text"] == "Item 7. MD&A\nSales were 50."
    assert [(section["item"], section["text"]) for section in found["sections"]] == [("7", "Sales were 50.")]


def test_a_report_with_as_many_tags_as_figures_is_read(ctx: FakeContext, site: Site) -> None:
    body = "<html><body>" + "<p><span><ix:nonFraction name='a'>5</ix:nonFraction></span></p>" * 40_000
    assert len(take(ctx, site, body)["text"]) == 2 * 40_000 - 1
    with pytest.raises(ItemFailed, match="too many tags"):
        take(ctx, site, "<html><body>" + "<p>5</p>" * 60_000)


def test_a_report_of_plain_text_keeps_its_lines(ctx: FakeContext, site: Site) -> None:
    found = take(ctx, site, "   ACME\r\nItem 7. MD&A\r\n  Good.  \r\n", kind="text/plain")
    assert found["text"] == "ACME\nItem 7. MD&A\n  Good." and found["sections"][0]["text"] == "Good."


@pytest.mark.parametrize(("body", "kind"), [(FORM_4, "text/xml"), (SUBMISSION.format(FORM_4), "text/plain")])
def test_a_form_of_xml_gives_its_fields_alone_or_within_a_submission(
    ctx: FakeContext, site: Site, body: str, kind: str
) -> None:
    found = take(ctx, site, body, kind=kind)
    assert found["form"] == "4" and found["transactions"][0]["shares"] == 1250
    assert "text" not in found and found["period"] == "2024-01-31"


def test_form_d_is_read_from_its_submission(ctx: FakeContext, site: Site) -> None:
    body = SUBMISSION.format(FORM_D).replace("<TYPE>4", "<TYPE>D/A")
    found = take(ctx, site, body, kind="text/plain", into="offering")["offering"]
    assert (found["form"], found["period"], found["amounts"]["sold"]) == ("D/A", "2024-01-30", 1500000)


def test_a_report_within_a_submission_is_its_first_document(ctx: FakeContext, site: Site) -> None:
    body = SUBMISSION.replace("<XML>\n{}\n</XML>", PAGE).replace("<TYPE>4", "<TYPE>10-K405")
    found = take(ctx, site, body, kind="text/plain")
    assert found["form"] == "10-K405" and found["text"] == ANNUAL and "attorney" not in found["text"]


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        ("short", "text/html", "5 characters of text, fewer than 200"),
        ("<html><body>Please log in", "text/html", "fewer than 200"),
        ("%PDF-1.4", "application/pdf", "application/pdf"),
        ("<SEC-DOCUMENT>\n<TYPE>4\n" * 10, "text/plain", "no document"),
        ("<SEC-DOCUMENT><DOCUMENT><TYPE>CORRESP<TEXT>\n<PDF>\nbegin 644</PDF></TEXT>", "text/plain", "is a PDF"),
        ("<ownershipDocument><x></ownershipDocument>", "text/xml", "no form"),
        ('<?xml version="1.0"?><informationTable>' + "x" * 300, "text/xml", "no form"),
    ],
)
def test_what_is_no_filing_fails_the_item(ctx: FakeContext, site: Site, body: str, kind: str, why: str) -> None:
    with pytest.raises(ItemFailed, match=why):
        take(ctx, site, body, kind, min_text=200)


def test_an_item_without_an_address_and_a_name_without_one_are_told(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(ItemFailed, match="url"):
        filing({}, ctx, user_agent=NAME)
    with pytest.raises(Halt, match="e-mail"):
        filing({"url": site.url}, ctx, user_agent="x")


@pytest.mark.parametrize("text", ["<TYPE>4", "<TEXT>", "<span ", "<ix:header", "<!--", "<?xml ", " ", "Item 1."])
def test_no_text_takes_long(text: str) -> None:
    started = time.monotonic()
    for head in ("", "<SEC-DOCUMENT>", "<html>", "<SEC-DOCUMENT><TEXT>"):
        try:
            document = main_document(head + text * 300_000).text
            is_xml(document)
            visible(document)
        except ItemFailed:
            continue
    assert time.monotonic() - started < 5


def test_the_recorded_answer_of_browse_edgar_is_no_filing(ctx: FakeContext, site: Site, shared: Path) -> None:
    body = (shared / "data/sec_edgar/aapl_10q_browse-edgar.xml").read_text("latin-1")
    with pytest.raises(ItemFailed, match="this XML is no form"):
        take(ctx, site, body, kind="text/xml")
