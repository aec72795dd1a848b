from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, RetryLater, SourceBlocked
from rivus.sources.sitemap import sitemap
from tests.site import Site

from .conftest import FakeLook


def urlset(*pages: str) -> str:
    entries = (page.partition(" ") for page in pages)
    return f"<urlset>{''.join(entry('url', path, lastmod) for path, _, lastmod in entries)}</urlset>"


def index(*files: str) -> str:
    entries = (file.partition(" ") for file in files)
    return f"<sitemapindex>{''.join(entry('sitemap', path, lastmod) for path, _, lastmod in entries)}</sitemapindex>"


def entry(name: str, path: str, lastmod: str) -> str:
    return f"<{name}><loc>{path}</loc>{f'<lastmod>{lastmod}</lastmod>' if lastmod else ''}</{name}>"


def paths(look: FakeLook, site: Site, **more: Any) -> list[str]:
    """What one look finds that is new."""
    found = look.take(sitemap(look, **{"url": f"{site.url}/sitemap.xml", **more}))
    return [one.data["url"].removeprefix(site.url) for one in found]


def test_the_last_modified_page_comes_first(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", urlset("/1 2024-01-01", "/2 2024-03-01", "/3"))
    assert paths(look, site) == ["/2", "/1", "/3"]


def test_a_site_names_its_sitemaps_in_robots_txt(look: FakeLook, site: Site) -> None:
    site.put("/robots.txt", "Sitemap: /here.xml\nSitemap: /there.xml\n")
    site.put("/here.xml", urlset("/1"))
    site.put("/there.xml", urlset("/2"))
    assert paths(look, site, url=site.url) == ["/1", "/2"]
    assert site.asked.count("/robots.txt") == 1


def test_a_site_whose_robots_txt_names_none_has_one_at_the_usual_place(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", urlset("/1"))
    assert paths(look, site, url=f"{site.url}/", robots="ignore") == ["/1"]


def test_an_index_is_followed_and_unchanged_files_are_not_read_again(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", index("/a.xml 2024-01-01", "/b.xml", "/a.xml"))
    site.put("/a.xml", urlset("/1"))
    site.put("/b.xml", urlset("/2"), ETag='"b"')
    assert paths(look, site, robots="ignore") == ["/1", "/2"]
    site.asked.clear()
    assert paths(look, site, robots="ignore") == []
    assert site.asked == ["/sitemap.xml", "/b.xml"] and site.headers[-1]["If-None-Match"] == '"b"'
    site.put("/sitemap.xml", index("/a.xml 2024-01-02", "/b.xml"))
    site.put("/a.xml", urlset("/1", "/3"))
    assert paths(look, site, robots="ignore") == ["/3"]


def test_indexes_inside_each_other_end(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", index("/sitemap.xml", "/i1.xml"))
    for depth in range(1, 9):
        site.put(f"/i{depth}.xml", index(f"/i{depth + 1}.xml", "/sitemap.xml"))
    assert paths(look, site, robots="ignore") == []
    assert site.asked == ["/sitemap.xml", "/i1.xml", "/i2.xml", "/i3.xml"]


def test_many_files_are_worked_through_in_several_looks(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", index("/a.xml", "/b.xml", "/c.xml"))
    for name in "abc":
        site.put(f"/{name}.xml", urlset(f"/{name}1"))
    looks = [paths(look, site, robots="ignore", max_sitemaps=2) for _ in range(3)]
    assert looks == [["/a1"], ["/b1"], ["/c1"]] and look.gone == []


def test_many_pages_are_worked_through_in_several_looks(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", urlset(*(f"/{n}" for n in range(5))), ETag='"1"')
    looks = [paths(look, site, max_items=2) for _ in range(4)]
    assert [len(found) for found in looks] == [2, 2, 1, 0] and site.headers[-1].get("If-None-Match") == '"1"'


def test_a_file_that_fails_is_left_for_the_next_look(
    look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.put("/sitemap.xml", index("/a.xml", "/b.xml", "/c.xml"))
    site.put("/a.xml", "<html>Sign in</html>", ETag='"broken"')
    site.put("/b.xml", urlset("/2"))
    site.put("/c.xml", urlset("/3"), 500)
    assert paths(look, site, robots="ignore") == ["/2"]
    assert "a.xml is left for the next look" in caplog.text and "c.xml answered 500" in caplog.text
    site.put("/a.xml", urlset("/1"), ETag='"broken"')
    assert paths(look, site, robots="ignore") == ["/1"]


def test_if_nothing_can_be_read_the_reason_is_given(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", "<html>Sign in</html>")
    with pytest.raises(RetryLater, match="not a sitemap"):
        paths(look, site)
    site.put("/sitemap.xml", "", 429)
    with pytest.raises(SourceBlocked):
        paths(look, site)
    assert look.cursor == {}


def test_robots_txt_is_obeyed_for_each_file(look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /no.xml")
    site.put("/no.xml", urlset("/1"))
    site.put("/sitemap.xml", index("/no.xml"))
    assert paths(look, site) == [] and "robots.txt forbids" in caplog.text
    with pytest.raises(Halt, match="forbids"):
        paths(look, site, url=f"{site.url}/no.xml")
    assert paths(look, site, robots="ignore") == ["/1"]


def test_a_span_takes_what_was_modified_in_it(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", index("/old.xml 2020-01-01", "/new.xml"))
    site.put("/new.xml", urlset("/1 2024-01-01", "/2 2024-02-01", "/3 2024-03-01", "/4"))
    assert paths(look, site, robots="ignore", since="2024-01-02", until="2024-03-01") == ["/2"]
    assert site.asked == ["/sitemap.xml", "/new.xml"]


def test_a_pattern_chooses_and_other_parameters_read_anew(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", urlset("/news/1", "/about"), ETag='"1"')
    assert paths(look, site, pattern="/news/") == ["/news/1"]
    assert paths(look, site) == ["/about"]


def test_a_page_that_is_no_longer_listed_has_vanished(look: FakeLook, site: Site) -> None:
    site.put("/sitemap.xml", index("/a.xml", "/b.xml"))
    site.put("/a.xml", urlset("/1", "/2"), ETag='"a"')
    site.put("/b.xml", urlset("/3", "/4"))
    paths(look, site, robots="ignore")
    site.put("/b.xml", urlset("/3"))
    paths(look, site, robots="ignore")
    assert [key.rpartition("/")[2] for key in look.gone] == ["4"]
    site.put("/sitemap.xml", index("/b.xml"))
    paths(look, site, robots="ignore")
    assert [key.rpartition("/")[2] for key in look.gone] == ["4", "1", "2"]


def test_an_index_that_fails_makes_nothing_vanish(look: FakeLook, site: Site) -> None:
    site.put("/robots.txt", "Sitemap: /i.xml\nSitemap: /b.xml")
    site.put("/i.xml", index("/a.xml"))
    site.put("/a.xml", urlset("/1"))
    site.put("/b.xml", urlset("/2"))
    assert paths(look, site, url=site.url) == ["/1", "/2"]
    site.put("/i.xml", "", 500)
    assert paths(look, site, url=site.url) == [] and look.gone == []


def test_recorded_sitemaps_come_through_the_wire(look: FakeLook, world: Any, shared: Path) -> None:
    assert len(look.take(sitemap(look, url=world.url))) >= 4
    assert look.take(sitemap(look, url=world.url)) == []
    for file in sorted((shared / "data/sitemaps").iterdir()):
        fresh = FakeLook(look.folder, total=2)
        url = f"{world.url}/files/sitemaps/{file.name}"
        # What an index names is on hosts that cannot be reached from here.
        most = 1 if "index" in file.name or "hreflang" in file.name else 9
        found = fresh.take(sitemap(fresh, url=url, max_sitemaps=most))
        assert found or "index" in file.name, file.name
