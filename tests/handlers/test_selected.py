from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rivus.handlers.selected import Wanted, fields, found_in, number_in
from rivus.handlers.web import page
from rivus.model.outcome import Halt, ItemFailed
from rivus.net.charset import decode_markup
from tests.handlers.conftest import FakeContext
from tests.site import Site

PAGE = """<!doctype html><base href="/shop/"><h1>A <b>pot</b>\n of tea</h1>
<span class=price>Now only $1,299.50</span> <span class=euro>1.299,50 €</span> <i class=none></i>
<ul><li><a href="a?x=1&amp;y=2">one</a><li><a href="https://other.example/b">two</a>
<li><a href="javascript:x()">no</a></ul>
<time datetime="2024-01-31T08:00:00+01:00">yesterday</time> <p class=mail>Wed, 31 Jan 2024 07:00:00 GMT</p>
<img src="i.png" alt="A pot"> <div class=box><em>Hot</em></div>"""


def test_each_field_comes_by_its_selector_in_its_type(ctx: FakeContext, site: Site) -> None:
    url = site.put("/p", PAGE)
    found = fields(
        {"url": url}, ctx,
        fields={
            "title": "h1",
            "price": {"select": "span.price", "type": "number", "required": True},
            "euro": {"select": ".euro", "type": "number", "decimal": ","},
            "links": {"select": "li a", "type": "url", "many": True},
            "names": {"select": "li a", "many": True},
            "at": {"select": "time", "type": "date"},
            "mail": {"select": ".mail", "type": "date"},
            "alt": {"select": "img", "attribute": "alt"},
            "image": {"select": "img", "type": "url"},
            "box": {"select": ".box", "type": "html"},
            "gone": ".none",
        },
    )  # fmt: skip
    assert found == {
        "title": "A pot of tea", "price": 1299.5, "euro": 1299.5,
        "links": [f"{site.url}/shop/a?x=1&y=2", "https://other.example/b"], "names": ["one", "two", "no"],
        "at": "2024-01-31T07:00:00Z", "mail": "2024-01-31T07:00:00Z", "alt": "A pot",
        "image": f"{site.url}/shop/i.png", "box": '<div class="box"><em>Hot</em></div>', "url": url,
        "file": "fetch/page.html.gz",
    }  # fmt: skip


def test_required_fields_that_are_missing_are_named(ctx: FakeContext, site: Site) -> None:
    rules: Any = {"title": "h1", "isbn": {"select": ".isbn", "required": True},
                  "price": {"select": "h1", "type": "number", "required": True}}  # fmt: skip
    with pytest.raises(ItemFailed, match="the page has no isbn, price"):
        fields({"url": site.put("/p", PAGE)}, ctx, fields=rules)


def test_a_page_without_any_of_the_fields_is_no_result(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(ItemFailed, match="the page has no a, b"):
        fields({"url": site.put("/p", PAGE)}, ctx, fields={"a": ".a", "b": ".b"})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("h1[", "not a CSS selector"),
        ("", "`select` is needed"),
        ({"type": "number"}, "select"),
        ({"select": "h1", "typ": "number"}, "'typ' is none of select, type, attribute"),
        ({"selector": "h1"}, "'selector' is none of select"),
        ({"select": "h1", "type": "price"}, "`type` is one of"),
        ({"select": "h1", "required": "yes"}, "true or false"),
        ({"select": "h1", "decimal": "'"}, "`decimal`"),
    ],
)
def test_a_rule_that_is_wrong_halts_the_job_and_is_named(ctx: FakeContext, site: Site, rule: Any, said: str) -> None:
    with pytest.raises(Halt, match=f"fields.one: .*{said}|fields.one: {said}"):
        fields({"url": site.put("/p", PAGE)}, ctx, fields={"one": rule})


def test_no_fields_halt_the_job(ctx: FakeContext) -> None:
    with pytest.raises(Halt, match="empty"):
        fields({"url": "https://example.org"}, ctx, fields={})


def test_a_page_that_was_kept_is_not_fetched_again(ctx: FakeContext, site: Site) -> None:
    item: dict[str, Any] = {"url": site.put("/p", PAGE)}
    item |= page(item, ctx, into="page")
    found = fields(item, ctx, fields={"title": "h1"}, file_field="page.file", into="shop")
    assert found == {"shop": {"title": "A pot of tea", "url": item["url"]}} and site.asked == ["/p"]


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1,299", ".", 1299), ("1,299.00", ".", 1299.0), ("1.299,5", ",", 1299.5), ("1 299", ".", 1),
        ("1\u00a0299,50 €", ",", 1299.5), ("1'299.50", ".", 1299.5), ("-3.5 %", ".", -3.5), ("\u22125", ".", -5),
        ("1,29", ".", None), ("1.2.3", ".", None), ("12,34,567", ".", None), ("none", ".", None), ("", ".", None),
        ("5.", ".", 5), ("Nr. 7: 8", ".", 7), ("1,299,", ".", 1299), ("9" * 30, ".", None),
    ],
)  # fmt: skip
def test_a_number_is_read_by_the_sign_before_its_decimals_or_not_at_all(
    text: str, decimal: str, number: float | None
) -> None:
    assert number_in(text, decimal) == number


@pytest.mark.parametrize(
    "html",
    ["<div>" * 200_000, "<div>" + "".join(f"<b id={n}>" for n in range(5_000)) + "<p>x" * 5_000,
     "<a href=/x>" * 3_000 + "<p>" * 5_000],
    ids=["nesting", "formatting", "links"],
)  # fmt: skip
def test_a_page_that_would_keep_the_parser_busy_is_refused(html: str) -> None:
    with pytest.raises(ItemFailed, match="safely"):
        found_in(html, "https://example.org/", {"x": Wanted("p")})


def test_elements_in_one_another_are_not_read_again_and_again() -> None:
    html = "<div>" * 900 + "<p>many words, no number</p>" * 2_000
    with pytest.raises(ItemFailed, match="finds more text than is read"):
        found_in(html, "https://example.org/", {"x": Wanted("div", "number")})


def test_no_more_values_than_a_thousand_are_taken() -> None:
    found = found_in("<p>x" * 5_000, "https://example.org/", {"x": Wanted("p", many=True)})
    assert len(found["x"]) == 1_000


@pytest.mark.parametrize(
    ("file", "selector", "least"),
    [
        ("edgar_10k_filings_table.html", "table.tableFile2 tr td:nth-child(4)", 10),
        ("katzen-forum_thread.html", "a[href]", 50),
        ("baidu-cn-home_2010.html", "a[href]", 10),
        ("news-com-au-home_2010.html", "h4 a, h3 a", 10),
    ],
)
def test_recorded_lists_give_their_fields(shared: Path, file: str, selector: str, least: int) -> None:
    html, _ = decode_markup((shared / "data" / "html_lists" / file).read_bytes())
    kind = "date" if "edgar" in file else "text"
    found = found_in(html, "https://example.org/", {"x": Wanted(selector, kind, many=True)})
    assert len(found["x"]) >= least


@pytest.mark.parametrize("kind", ["html_articles", "html_lists", "feeds", "feeds_ugly", "captions", "sitemaps"])
def test_whatever_comes_is_read_or_clearly_refused(shared: Path, kind: str) -> None:
    for path in sorted((shared / "data" / kind).iterdir()):
        html, _ = decode_markup(path.read_bytes())
        try:
            assert found_in(html, "https://example.org/", {"x": Wanted("a, p, title")})["x"]
        except ItemFailed as refused:
            assert "the page has no x" in str(refused) or "safely" in str(refused)
