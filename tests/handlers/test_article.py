from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers.article import article, article_of
from rivus.handlers.densest import densest_text
from rivus.handlers.page import parse_page
from rivus.handlers.web import page
from rivus.model.outcome import ItemFailed, RetryLater
from rivus.net.charset import decode_markup
from tests.handlers.conftest import FakeContext
from tests.site import Site

SENTENCE = "The committee met on Tuesday and decided, after a long debate, to build the bridge over the river. "
HEAD = """<!doctype html><html lang="en-GB"><head><title>Bridge to be built | The Daily Site</title>
<meta property="og:title" content="Bridge to be built"><meta property="og:site_name" content="The Daily Site">
<meta name="author" content="Ann Author"><link rel="canonical" href="/news/bridge">
<meta property="article:published_time" content="2024-03-05T09:30:00+02:00"></head>"""
BODY = f"""<body><nav><a href=/>Home</a> <a href=/a>About</a></nav><div class=menu><ul>
<li><a href=/1>Another story about something</a><li><a href=/2>And one more story</a></ul></div>
<div class=story><h1>Bridge to be built</h1>{"".join(f"<p>{n}: {SENTENCE}</p>" for n in range(5))}</div>
<div class=more><a href=/3>Read this next, it is about the other river</a></div><footer>Imprint</footer></html>"""


@pytest.fixture
def without_trafilatura(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)


def test_an_article_comes_without_what_stands_around_it(ctx: FakeContext, site: Site) -> None:
    url = site.put("/news/b?x=1", HEAD + BODY)
    found = article({"url": url}, ctx)
    text = found.pop("text")
    assert text.count("The committee") == 5 and "Another story" not in text and "Read this next" not in text
    assert found == {
        "title": "Bridge to be built", "author": "Ann Author", "published": "2024-03-05T07:30:00Z", "language": "en-GB",
        "site": "The Daily Site", "canonical": f"{site.url}/news/bridge", "url": url, "charset": "utf-8",
        "method": "trafilatura", "file": "fetch/page.html.gz",
    }  # fmt: skip
    assert gzip.decompress(ctx.path(found["file"]).read_bytes()) == (HEAD + BODY).encode()


@pytest.mark.usefixtures("without_trafilatura")
def test_without_trafilatura_the_densest_stretch_of_blocks_is_taken(ctx: FakeContext, site: Site) -> None:
    found = article({"url": site.put("/a", HEAD + BODY)}, ctx)
    assert found["method"] == "plain" and found["author"] == "Ann Author"
    assert found["text"].count("The committee") == 5
    assert "story" not in found["text"] and "Read this next" not in found["text"]


def test_where_trafilatura_finds_nothing_the_plain_method_does() -> None:
    found = article_of(b"<div>Snow fell in the night.</div>", "https://example.org/")
    assert (found["text"], found["method"]) == ("Snow fell in the night.", "plain")


def test_a_page_that_was_kept_is_not_fetched_again(ctx: FakeContext, site: Site) -> None:
    latin = (HEAD + BODY).replace("river", "Fluß").encode("latin-1")
    item = {"url": site.put("/a", latin, kind="text/html; charset=utf-8")}
    item |= page(item, ctx)
    found = article(item, ctx, file_field="file")
    assert site.asked == ["/a"] and "over the Fluß" in found["text"]
    assert found["url"] == item["url"] and "file" not in found and found["charset"].startswith("windows-125")


def test_two_pages_of_an_item_can_stand_side_by_side(ctx: FakeContext, site: Site) -> None:
    item: dict[str, Any] = {"url": site.put("/a", HEAD + BODY), "title": "of the feed"}
    item |= page(item, ctx, into="first")
    item |= article(item, ctx, file_field="first.file", into="second")
    assert item["title"] == "of the feed" and item["first"]["file"] == "fetch/page.html.gz"
    assert item["second"]["title"] == "Bridge to be built" and site.asked == ["/a"]


@pytest.mark.parametrize("file", [None, 5, "fetch/none.gz", "../../etc/passwd", "/etc/passwd"])
def test_a_file_that_is_not_there_or_not_the_items_fails_it(ctx: FakeContext, file: object) -> None:
    with pytest.raises(ItemFailed, match="file"):
        article({"url": "https://example.org/", "file": file}, ctx, file_field="file")


def test_a_file_that_is_no_kept_page_fails_the_item(ctx: FakeContext) -> None:
    (ctx.workdir / "page.html.gz").write_bytes(b"\x1f\x8b\x08 not gzip")
    with pytest.raises(ItemFailed, match="cannot be read"):
        article({"url": "https://example.org/", "file": "fetch/page.html.gz"}, ctx, file_field="file")


@pytest.mark.parametrize("html", ["<nav><a href=/>Home</a></nav>", "<body></body>", "\x00"])
def test_a_page_without_an_article_fails_the_item(html: str) -> None:
    with pytest.raises(ItemFailed, match="no article"):
        article_of(html.encode(), "https://example.org/")


def test_an_article_with_less_text_than_wanted_fails(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(ItemFailed, match="fewer than 5000"):
        article({"url": site.put("/a", HEAD + BODY)}, ctx, min_text=5000)


def test_an_empty_answer_is_tried_later_and_what_is_no_page_refused(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(RetryLater, match="empty"):
        article({"url": site.put("/a", "")}, ctx)
    with pytest.raises(ItemFailed, match="not a web page: text/plain"):
        article({"url": site.put("/b", "words", kind="text/plain")}, ctx)


@pytest.mark.parametrize(
    ("html", "name", "value"),
    [
        ('<script type="application/ld+json">{"@graph": [{"@type": "WebSite"}, {"headline": "From LD", '
         '"datePublished": "2024-01-31", "author": [{"name": "A B"}, {"name": "C D"}]}]}</script>',
         "author", "A B, C D"),
        ('<script type="application/ld+json">{"headline": ["No text"], "author": {"name": ["A B", {"x": 1}, "C D"]}}'
         "</script>", "author", "A B, C D"),
        ('<script type="application/ld+json">{"headline": ["No text"]}</script><title>Told</title>', "title", "Told"),
        ('<script type="application/ld+json">[{"datePublished": "2024-01-31T01:00:00+01:00"}]</script>',
         "published", "2024-01-31T00:00:00Z"),
        ('<script type="application/ld+json">{"headline": ' + '[' * 50_000 + "</script>", "title", None),
        ('<meta name="author" content="https://facebook.com/x"><meta name=dc.creator content="Eve">', "author", "Eve"),
        ("<article><time datetime=2024-01-31T10:00Z>yesterday</time></article>", "published", "2024-01-31T10:00:00Z"),
        ('<meta name="date" content="3024-01-31">', "published", None),
        ('<meta property="og:locale" content="pt_BR">', "language", "pt-BR"),
        ('<html lang="<script>">', "language", None),
        ("<link rel=canonical href='javascript:alert(1)'>", "canonical", None),
        ("<p>x", "site", "example.org"),
    ],
)  # fmt: skip
def test_what_a_page_says_about_itself_is_taken_if_it_makes_sense(html: str, name: str, value: str | None) -> None:
    found = article_of(f"{html}<article>{f'<p>{SENTENCE}' * 4}".encode(), "https://www.example.org/a")
    assert found.get(name) == value


# ---- recorded pages


def rows(shared: Path) -> list[tuple[dict[str, Any], bytes]]:
    folder = shared / "data" / "html_articles"
    lines = (folder / "ground_truth.jsonl").read_text("utf-8").splitlines()
    return [(row, (folder / row["file"]).read_bytes()) for row in map(json.loads, lines)]


def agreement(text: str, row: dict[str, Any]) -> tuple[int, int]:
    """How many fragments are in the text as they should, and how many are not as they should not."""
    whole = " ".join(text.split())
    there = [" ".join(part.split()) in whole for part in (*row["with"], *row["without"])]
    return sum(there[: len(row["with"])]), there[len(row["with"]) :].count(False)


def test_both_methods_find_recorded_articles_and_leave_out_what_surrounds_them(shared: Path) -> None:
    best, plain = [0, 0], [0, 0]
    by_site = {}
    for row, raw in rows(shared):
        by_site[row["file"].split(".")[0]] = found = article_of(raw, row["url"])
        assert found["title"] and found["site"] and found["method"] == "trafilatura"
        own = densest_text(parse_page(decode_markup(raw)[0]))
        for sums, text in ((best, found["text"]), (plain, own)):
            kept, dropped = agreement(text, row)
            sums[0] += kept
            sums[1] += dropped
    assert [sum(len(row[name]) for row, _ in rows(shared)) for name in ("with", "without")] == [64, 64]
    assert best[0] >= 58 and best[1] >= 60
    assert plain[0] >= 56 and plain[1] >= 59
    assert by_site["giga"]["published"] == "2017-12-01T11:01:11Z"
    assert by_site["clarin"]["author"] == "Federico Mayol" and by_site["clarin"]["language"] == "es"
    assert by_site["github"]["title"] == "Leader spotlight: Erin Spiceland"


def test_wrong_charsets_are_read_right() -> None:
    chinese = f"<meta charset=gb2312><article>{'<p>' + '百度一下，你就知道，中国的搜索引擎。' * 8}</article>"
    found = article_of(chinese.encode("gb18030"), "https://example.org/", "text/html; charset=iso-8859-1")
    assert "你就知道" in found["text"] and found["charset"] == "gb18030"
    latin = f"<meta charset=utf-8><article><p>{'Größe und Übermaß der Straßen. ' * 10}</article>"
    found = article_of(latin.encode("latin-1"), "https://example.org/")
    assert "Größe und Übermaß" in found["text"] and found["charset"].startswith("windows-125")


# ---- hostile pages

NESTS = {
    "nesting": "<div>" * 8_000,
    "lists": "<ul>" * 200 + "<li>some text here" * 9_000,
    "links": "<div><a href=/x>some link text</a></div>" * 9_000,
    "large": f"<p>{SENTENCE * 20}</p>" * 800,
    "tags": "<p>a word or two " * 30_000,
    "scripts": '<script type="application/ld+json">' * 30_000 + "</script><p>A line of text after all of it.",
}


@pytest.mark.parametrize("name", NESTS)
def test_a_page_made_to_keep_the_extractor_busy_does_not(name: str) -> None:
    started = time.process_time()
    try:
        found = article_of(NESTS[name].encode(), "https://example.org/")
    except ItemFailed:
        found = {"text": ""}
    assert time.process_time() - started < 15  # 2 s at most on a machine of its own
    assert len(found["text"]) <= len(NESTS[name])


def test_a_page_with_too_many_tags_for_trafilatura_is_read_plainly() -> None:
    assert article_of((f"<p>{SENTENCE}" * 21_000).encode(), "https://example.org/")["method"] == "plain"


@pytest.mark.parametrize("kind", ["html_lists", "feeds_ugly", "captions", "robots"])
def test_whatever_comes_gives_text_or_is_clearly_refused(shared: Path, kind: str) -> None:
    for path in sorted((shared / "data" / kind).iterdir()):
        try:
            assert article_of(path.read_bytes(), "https://example.org/")["text"]
        except ItemFailed as refused:
            assert "no article" in str(refused) or "safely" in str(refused)
