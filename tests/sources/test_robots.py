from __future__ import annotations

import time
from pathlib import Path

import pytest

from rivus.model.outcome import Halt, Outcome
from rivus.sources import robots
from rivus.sources.robots import Robots
from tests.site import Site

from .conftest import FakeLook

RECORDED = {
    "crawl-delay-group-merging.txt": ("/anything", True),
    "format-errors-robots.txt": ("/", True),
    "many-user-agents.txt": ("/", True),
    "relative-sitemap-robots.txt": ("/cache/x", False),
    "robots-with-utf8-bom.txt": ("/login.aspx", False),
    "twitter.com-robots.txt": ("/a?b", False),
}


@pytest.mark.parametrize(("name", "path", "allowed"), [(name, *asked) for name, asked in RECORDED.items()])
def test_recorded_files_are_obeyed(
    look: FakeLook, site: Site, shared: Path, name: str, path: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robots, "LONGEST_DELAY", 0.0)
    site.put("/robots.txt", (shared / "data/robots" / name).read_bytes())
    rules = Robots(look, "obey")
    if allowed:
        rules.allow(site.url + path)
    else:
        with pytest.raises(Halt, match=r"robots\.txt forbids"):
            rules.allow(site.url + path)
    assert site.asked == ["/robots.txt"] and site.headers[0]["User-Agent"].startswith("rivus/")


def test_every_recorded_file_is_tried(shared: Path) -> None:
    assert {file.name for file in (shared / "data/robots").iterdir()} == RECORDED.keys()


def test_a_host_is_asked_once_a_look_for_its_robots_txt(look: FakeLook, site: Site) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /no")
    rules = Robots(look, "obey")
    for path in ("/1", "/2", "/no/3"):
        try:
            rules.allow(site.url + path)
        except Halt:
            assert path == "/no/3"
    assert site.asked == ["/robots.txt"]


def test_one_that_is_to_be_ignored_is_not_asked_for(look: FakeLook, site: Site) -> None:
    Robots(look, "ignore").allow(site.put("/private/", ""))
    assert site.asked == []


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_cannot_be_read_allows_nothing_for_now(look: FakeLook, site: Site, status: int) -> None:
    site.put("/robots.txt", "", status)
    with pytest.raises(Outcome) as raised:
        Robots(look, "obey").allow(site.url)
    assert not isinstance(raised.value, Halt)


def test_a_crawl_delay_is_kept_between_two_requests_up_to_a_bound(
    look: FakeLook, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robots, "LONGEST_DELAY", 0.1)
    site.put("/robots.txt", "User-agent: *\nCrawl-delay: 86400")
    rules, began = Robots(look, "obey"), time.monotonic()
    rules.allow(site.url)
    rules.allow(site.url)
    assert 0.1 <= time.monotonic() - began < 10


def test_sitemaps_are_absolute_and_named_once(look: FakeLook, site: Site) -> None:
    site.put("/robots.txt", "Sitemap: /a.xml\nSitemap: https://x.org/b.xml\nSitemap: /a.xml\nSitemap: ftp://x/c\n")
    assert Robots(look, "ignore").sitemaps(site.url) == [f"{site.url}/a.xml", "https://x.org/b.xml"]
