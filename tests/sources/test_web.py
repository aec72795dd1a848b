from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, Outcome, RetryLater
from rivus.sources.web import web_links
from tests.site import Site

from .conftest import FakeLook

PAGE = """<html><body><nav><a href="/about">About</a></nav>
<h2><a href="/news/1?utm_source=x#c">  First
  story </a></h2><h2><a href="news/2"><img alt="Second"></a></h2><h2>no link</h2>
<h2><a href="http://other.org/3" title="Third"></a></h2><h2><a href="/news/1">again</a></h2>
<a href="javascript:alert(1)">x</a><a href="mailto:a@b.c">m</a></body></html>"""


def test_links_are_absolute_named_and_found_once(look: FakeLook, site: Site) -> None:
    url = site.put("/d/", PAGE)
    found = look.take(web_links(look, url=url, selector="h2"))
    host = site.url.removeprefix("http://")
    assert [(f.key, f.data) for f in found] == [
        (f"https://{host}/news/1", {"url": f"{site.url}/news/1?utm_source=x#c", "title": "First story"}),
        (f"https://{host}/d/news/2", {"url": f"{site.url}/d/news/2", "title": "Second"}),
        ("https://other.org/3", {"url": "http://other.org/3", "title": "Third"}),
    ]


def test_the_base_of_the_page_counts(look: FakeLook, site: Site) -> None:
    url = site.put("/", '<base href="https://x.org/y/"><a href="z">Z</a>')
    assert next(web_links(look, url=url)).data["url"] == "https://x.org/y/z"


def test_scripts_inside_a_link_are_no_title(look: FakeLook, site: Site) -> None:
    url = site.put("/", "<a href=z><script>var x = '<b>';</script><style>b {}</style><b>Z</b></a>")
    assert next(web_links(look, url=url)).data["title"] == "Z"


def test_a_pattern_chooses_addresses(look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    url = site.put("/", PAGE)
    assert [f.data["url"] for f in web_links(look, url=url, pattern=r"/news/\d$")] == [
        f"{site.url}/news/2",
        f"{site.url}/news/1",
    ]
    assert list(web_links(look, url=site.put("/2", PAGE), pattern="no-such-thing")) == []
    assert "links matches the pattern" in caplog.text


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "*", "x" * 2_000])
def test_a_pattern_that_is_none_halts_before_anything_is_asked(look: FakeLook, site: Site, pattern: str) -> None:
    with pytest.raises(Halt, match="pattern"):
        list(web_links(look, url=site.put("/", PAGE), pattern=pattern))
    assert site.asked == []


@pytest.mark.parametrize("selector", ["a[", ">>", ":nonsense(", ""])
def test_a_selector_that_is_none_halts(look: FakeLook, site: Site, selector: str) -> None:
    with pytest.raises(Halt, match="selector"):
        list(web_links(look, url=site.put("/", PAGE), selector=selector))


@pytest.mark.parametrize(
    "body",
    ["", "<html><form>Please log in</form></html>", '{"error": 1}', "<p class=gone><a href='mailto:x@y'>"],
)
def test_a_page_without_what_is_looked_for_is_never_a_silent_nothing(look: FakeLook, site: Site, body: str) -> None:
    url = site.put("/", body, ETag='"v"')
    for _ in range(2):
        with pytest.raises(RetryLater, match="has it changed"):
            list(web_links(look, url=url))


def test_an_unchanged_page_is_not_read_again(look: FakeLook, site: Site) -> None:
    url = site.put("/", PAGE, ETag='"v1"')
    assert look.take(web_links(look, url=url, robots="ignore"))
    assert look.take(web_links(look, url=url, robots="ignore")) == []
    assert site.headers[1]["If-None-Match"] == '"v1"'


def test_robots_txt_is_obeyed(look: FakeLook, site: Site) -> None:
    site.put("/robots.txt", "User-agent: *\nDisallow: /private/\n\nUser-agent: rivus\nDisallow: /mine/\n")
    url = site.put("/mine/", PAGE)
    with pytest.raises(Halt, match=r"robots\.txt forbids"):
        list(web_links(look, url=url))
    assert list(web_links(look, url=url, robots="ignore"))
    assert list(web_links(look, url=site.put("/private/", PAGE)))


@pytest.mark.parametrize(("status", "allowed"), [(404, True), (403, True), (401, True), (500, False), (429, False)])
def test_a_robots_txt_that_cannot_be_read_is_not_a_permission(
    look: FakeLook, site: Site, status: int, allowed: bool
) -> None:
    site.put("/robots.txt", "", status)
    url = site.put("/", PAGE)
    if allowed:
        assert list(web_links(look, url=url))
    else:
        with pytest.raises(Outcome):
            list(web_links(look, url=url))
        assert site.asked == ["/robots.txt"]


def test_text_is_read_in_its_character_set(look: FakeLook, site: Site) -> None:
    body = "<meta charset=windows-1251><a href=/x>Новости</a>".encode("cp1251")
    assert next(web_links(look, url=site.put("/", body))).data["title"] == "Новости"


LISTS = {
    "arstechnica_home.html": 50,
    "baidu-cn-home_2010.html": 10,
    "edgar_10k_filings_table.html": 20,
    "edgar_cik_multiple_results_large.html": 200,
    "edgar_daily_index_2018_QTR4.htm": 50,
    "google-search-ipod_2010.html": 30,
    "katzen-forum_thread.html": 50,
    "news-com-au-home_2010.html": 100,
    "sprzeciw_radiomaryja_bad_utf8.html": 20,
}
WORDS = {"baidu-cn-home_2010.html": "贴 吧", "sprzeciw_radiomaryja_bad_utf8.html": "ó"}


@pytest.mark.parametrize(("name", "least"), LISTS.items())
def test_recorded_lists_are_read(look: FakeLook, world: Any, name: str, least: int) -> None:
    found = look.take(web_links(look, url=f"{world.url}/files/html_lists/{name}"))
    titles = " ".join(f.data.get("title", "") for f in found)
    assert len(found) >= least and WORDS.get(name, "") in titles
    assert not any(wrong in titles for wrong in ("Ã¼", "Ã©", "â€", "Ĺ"))
    assert all(f.data["url"].startswith("http") for f in found)


@pytest.mark.parametrize(
    "kind",
    ["hang", "reset", "trickle", "short", "bomb", "loop", "private", "empty", "notjson", "login", "500"],
)
def test_a_bad_server_is_an_outcome(tmp_path: Path, world: Any, kind: str) -> None:
    with pytest.raises(Outcome):
        list(web_links(FakeLook(tmp_path, total=0.8), url=f"{world.url}/fault/{kind}"))


def test_a_link_that_is_no_longer_there_has_vanished(look: FakeLook, site: Site) -> None:
    url = site.put("/", "<a href=/1>1</a><a href=/2>2</a>")
    look.take(web_links(look, url=url))
    site.put("/", "<a href=/2>2</a><a href=/3>3</a>")
    look.take(web_links(look, url=url))
    assert [key.rpartition("/")[2] for key in look.gone] == ["1"]


def test_other_parameters_read_an_unchanged_page_anew(look: FakeLook, site: Site) -> None:
    url = site.put("/", PAGE, ETag='"v1"')
    assert len(look.take(web_links(look, url=url, pattern="other"))) == 1
    assert len(look.take(web_links(look, url=url))) == 3
