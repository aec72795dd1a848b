from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from rivus.model.outcome import RetryLater
from rivus.sources import sitemap_files
from rivus.sources.sitemap_files import Child, read_sitemap

BASE = "https://x.org/sitemap.xml"
RECORDED = {
    "atom_as_sitemap.xml": (1, 0, "http://example.org/2003/12/13/atom03.html"),
    "hebdenbridgetimes-articles-sitemap.xml": (
        "many", 0,
        "http://www.hebdenbridgetimes.co.uk/news/local/video-tour-de-yorkshire-in-calderdale-1-7242580",
    ),
    "sitemap-news.xml": (2, 0, "http://www.example.org/business/article55.html"),
    "sitemap-videos-tvshow.xml": (1, 0, "https://example.org/my-tv-show/23/13/"),
    "sitemap.badns.xml": (2, 0, "http://www.example.com/1"),
    "sitemap.index.xml": (0, "many", ""),
    "sitemap.txt": (2, 0, "http://www.domain.com/page1.html"),
    "trafilatura_sitemap-hreflang.xml": (3, 1, "http://www.example.com/english/page.html"),
    "trafilatura_sitemap.xml": ("many", 0, "https://www.sitemaps.org/"),
    "xmlSitemap.gz": ("some", 0, "http://www.example.com/"),
}  # fmt: skip
LEAST = {"many": 10, "some": 4}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_sitemaps_are_read(shared: Path, name: str) -> None:
    pages, children, first = RECORDED[name]
    found = read_sitemap((shared / "data/sitemaps" / name).read_bytes(), "", BASE)
    for wanted, there in ((pages, found.pages), (children, found.children)):
        assert len(there) >= LEAST[wanted] if isinstance(wanted, str) else len(there) == wanted
    assert not first or found.pages[0]["url"] == first
    assert not found.flaw


def test_every_recorded_sitemap_is_tried(shared: Path) -> None:
    assert {file.name for file in (shared / "data/sitemaps").iterdir()} == RECORDED.keys()


def test_news_are_told(shared: Path) -> None:
    page = read_sitemap((shared / "data/sitemaps/sitemap-news.xml").read_bytes(), "", BASE).pages[0]
    assert page["news"] == {
        "publication": "The Example Times", "language": "en", "keywords": "business, merger, acquisition, A, B",
    }  # fmt: skip
    assert page["title"] == "Companies A, B in Merger Talks" and page["published"].startswith("2008-12-23")


def test_videos_are_told(shared: Path) -> None:
    page = read_sitemap((shared / "data/sitemaps/sitemap-videos-tvshow.xml").read_bytes(), "", BASE).pages[0]
    video = page["videos"][0]
    assert page["title"] == video["title"] == "My TV Show! - Thu, Jun 05, 2025"
    assert video["seconds"] == 2_459 and video["url"] == "https://example.org/video/video/23-13.mp4"
    assert page["published"] == "2025-06-06T09:00:00Z" and video["tags"] == ["talkshow", "interview", "example"]


def test_alternates_are_told_by_language(shared: Path) -> None:
    page = read_sitemap((shared / "data/sitemaps/trafilatura_sitemap-hreflang.xml").read_bytes(), "", BASE).pages[0]
    assert page["alternates"]["de-ch"] == "http://www.example.com/schweiz-deutsch/page.html"


@pytest.mark.parametrize(
    ("lastmod", "told"),
    [("2024", "2024-01-01T00:00:00Z"), ("2024-05", "2024-05-01T00:00:00Z"), ("2024-05-06", "2024-05-06T00:00:00Z"),
     ("2024-05-06T07:08+02:00", "2024-05-06T05:08:00Z"), ("yesterday", None), ("", None)],
)  # fmt: skip
def test_lastmod_is_a_w3c_date_in_utc(lastmod: str, told: str | None) -> None:
    body = f"<sitemapindex><sitemap><loc> /s.xml </loc><lastmod>{lastmod}</lastmod></sitemap></sitemapindex>"
    assert read_sitemap(body.encode(), "", BASE).children == [Child("https://x.org/s.xml", told)]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><title>Sign in</title></html>", b'{"error": 1}', b"not here", gzip.compress(b"<urlset/>")[:-12],
     b"<urlset><url><loc>javascript:alert(1)</loc></url></urlset>", b"<urlset><url><loc>https://x.org"],
)  # fmt: skip
def test_what_is_no_sitemap_is_refused(body: bytes) -> None:
    with pytest.raises(RetryLater, match=r"x\.org/sitemap\.xml"):
        read_sitemap(body, "text/html", BASE)


def test_a_compressed_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap_files, "LARGEST", 1_000)
    with pytest.raises(RetryLater, match="larger than"):
        read_sitemap(gzip.compress(b" " * 100_000), "", BASE)


def test_half_a_sitemap_gives_what_it_has() -> None:
    found = read_sitemap(b"<urlset><url><loc>https://x.org/1</loc></url><url><loc>https://x", "", BASE)
    assert [page["url"] for page in found.pages] == ["https://x.org/1"] and found.flaw
