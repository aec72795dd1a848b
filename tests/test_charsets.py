"""The same words in every encoding, declared rightly, wrongly or not at all, through all that reads pages and feeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rivus.handlers.article import article
from rivus.handlers.selected import fields
from rivus.handlers.web import page
from rivus.sources.feed import feed
from rivus.sources.podcast import podcast
from rivus.sources.sitemap import sitemap
from rivus.sources.web import web_links
from rivus.sources.web_change import web_change
from rivus.sources.web_table import web_table
from tests.handlers.conftest import FakeContext
from tests.site import Site
from tests.site import site as site
from tests.sources.conftest import FakeLook

GERMAN = "Größe und Schönheit über Ölpreise – „fünf“"
FRENCH = "Voilà déjà l’été où les élèves sont allés"
CHINESE = "百度一下你就知道今天的新闻，镕基"
JAPANESE = "小林さんの本とテスト記事投稿"
ENCODINGS: dict[str, tuple[str, str, str, str]] = {
    "GB18030": (CHINESE, "gb18030", "", "gb18030"),
    "GB18030 in the header": (CHINESE, "gb18030", "gb18030", ""),
    "GBK declared gb2312": (CHINESE, "gbk", "", "gb2312"),
    "windows-1252 declared iso-8859-1": (GERMAN, "cp1252", "", "iso-8859-1"),
    "windows-1252 declared so in the header": (GERMAN, "cp1252", "ISO-8859-1", ""),
    "Latin-1 declared as UTF-8": ("Größe und Schönheit über Ölpreise", "latin-1", "", "utf-8"),
    "Latin-1 declared as UTF-8 twice": ("Größe und Schönheit über Ölpreise", "latin-1", "utf-8", "utf-8"),
    "windows-1252 not declared": (FRENCH, "cp1252", "", ""),
    "Shift_JIS": (JAPANESE, "cp932", "", "Shift_JIS"),
    "UTF-16 with a mark": (CHINESE, "utf-16", "", "utf-16"),
    "UTF-16 with a mark, declared as UTF-8": (GERMAN, "utf-16", "utf-8", ""),
    "UTF-16 without a mark": (CHINESE, "utf-16-le", "", "utf-16"),
    "UTF-16BE without a mark": (GERMAN, "utf-16-be", "", ""),
    "UTF-8 with a mark": (CHINESE, "utf-8-sig", "iso-8859-1", ""),
    "UTF-8 not declared": (JAPANESE, "utf-8", "", ""),
    "UTF-8 declared iso-8859-1 in the page": (GERMAN, "utf-8", "", "iso-8859-1"),
    "UTF-8 declared iso-8859-1 in the header": (GERMAN, "utf-8", "iso-8859-1", "utf-8"),
    "GB18030 declared iso-8859-1 in the header": (CHINESE, "gb18030", "iso-8859-1", "gb2312"),
    "Shift_JIS declared as UTF-8 in the header": (JAPANESE, "cp932", "utf-8", "shift_jis"),
}
"""The words, the encoding of the bytes, the charset in the header, and the one in the document; "" for none."""
PAGE = """<!doctype html><html><head>META<title>WORDS</title></head><body><main><article><h1>WORDS</h1>
<p>WORDS. WORDS, WORDS. WORDS; WORDS. WORDS. WORDS.</p><p>WORDS. WORDS, WORDS. WORDS. WORDS; WORDS. WORDS.</p>
<a href="/next">WORDS</a></article><table><tr><th>a</th></tr><tr><td>WORDS</td></tr></table></main></body></html>"""
RSS = """<?xml version="1.0"DECL?><rss version="2.0"><channel><title>t</title><item><title>WORDS</title><guid>1</guid>
<link>https://example.org/1</link><description>WORDS</description><enclosure url="https://example.org/1.mp3"
type="audio/mpeg" length="1"/></item></channel></rss>"""
SITEMAP = """<?xml version="1.0"DECL?><urlset xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url>
<loc>https://example.org/1</loc><news:news><news:title>WORDS</news:title></news:news></url></urlset>"""

Reader = Callable[[FakeLook, FakeContext, str], object]
PAGES: dict[str, Reader] = {
    "web_links": lambda look, ctx, url: next(web_links(look, url=url, robots="ignore")).data["title"],
    "web_table": lambda look, ctx, url: next(web_table(look, url=url, robots="ignore")).data["cells"]["a"],
    "web_change": lambda look, ctx, url: next(
        web_change(look, url=url, selector="h1", first="item", robots="ignore")
    ).data["text"],
    "web.page": lambda look, ctx, url: page({"url": url}, ctx)["title"],
    "web.article": lambda look, ctx, url: article({"url": url}, ctx)["title"],
    "web.fields": lambda look, ctx, url: fields({"url": url}, ctx, fields={"head": "h1"})["head"],
}
FEEDS: dict[str, Reader] = {
    "feed": lambda look, ctx, url: next(feed(look, url=url)).data["title"],
    "podcast": lambda look, ctx, url: next(podcast(look, url=url)).data["title"],
}
SITEMAPS: dict[str, Reader] = {
    "sitemap": lambda look, ctx, url: next(sitemap(look, url=url, robots="ignore")).data["title"],
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_words_are_read_right_by_all(site: Site, tmp_path: Path, name: str) -> None:
    words, codec, header, inside = ENCODINGS[name]
    charset = f"; charset={header}" if header else ""
    told = f' encoding="{inside}"' if inside else ""
    meta = f'<meta charset="{inside}">' if inside else ""
    read: dict[str, object] = {}
    for kind, readers, text in (
        ("text/html", PAGES, PAGE),
        ("text/xml", FEEDS, RSS),
        ("application/xml", SITEMAPS, SITEMAP),
    ):
        document = text.replace("META", meta).replace("DECL", told).replace("WORDS", words)
        url = site.put("/x", document.encode(codec), kind=kind + charset)
        for reader, ask in readers.items():
            read[reader] = ask(FakeLook(tmp_path), FakeContext(tmp_path / reader), url)
    assert read == dict.fromkeys(read, words)
