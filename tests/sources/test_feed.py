from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from rivus.model.outcome import Halt, Outcome, RetryLater, SourceBlocked
from rivus.sources.feed import feed, keyed
from rivus.sources.syndication import Entry
from tests.site import Site

from .conftest import FakeLook


def rss(*items: str) -> str:
    return f'<rss version="2.0"><channel>{"".join(f"<item>{item}</item>" for item in items)}</channel></rss>'


def test_a_feed_is_asked_only_for_what_has_changed(look: FakeLook, site: Site) -> None:
    url = site.put(
        "/f",
        rss("<guid>1</guid><title>a</title>"),
        ETag='"v1"',
        Last_Modified="Tue, 05 Nov 2024 15:00:02 GMT",
    )
    assert [found.key for found in look.take(feed(look, url=url))] == ["1"]
    assert look.take(feed(look, url=url)) == []
    assert site.headers[1]["If-None-Match"] == '"v1"'
    assert site.headers[1]["If-Modified-Since"] == "Tue, 05 Nov 2024 15:00:02 GMT"
    site.put("/f", rss("<guid>2</guid><title>b</title>", "<guid>1</guid><title>a</title>"), ETag='"v2"')
    assert [found.key for found in look.take(feed(look, url=url))] == ["2"]


def test_what_is_remembered_of_one_address_is_not_sent_to_another(look: FakeLook, site: Site) -> None:
    first, second = (site.put(path, rss("<guid>1</guid><title>a</title>"), ETag='"v1"') for path in ("/1", "/2"))
    look.take(feed(look, url=first))
    look.take(feed(look, url=second))
    assert "If-None-Match" not in site.headers[1]
    assert look.cursor["validators"]["url"] == second


@pytest.mark.parametrize("body", ["<html>Sign in</html>", rss("<guid>1</guid><title>a</title>") + "<", ""])
def test_a_broken_answer_is_never_remembered(look: FakeLook, site: Site, body: str) -> None:
    url = site.put("/f", body, ETag='"broken"')
    for _ in range(2):
        try:
            look.take(feed(look, url=url))
        except RetryLater:
            continue
    assert len(site.asked) == 2 and "If-None-Match" not in site.headers[1]


def test_a_look_that_is_cut_short_does_not_remember(look: FakeLook, site: Site) -> None:
    url = site.put("/f", rss(*(f"<guid>{n}</guid><title>a</title>" for n in range(9))), ETag='"v1"')
    source = feed(look, url=url)
    assert len(list(islice(source, 3))) == 3
    source.close()  # type: ignore[attr-defined]
    assert look.cursor == {}


def test_a_feed_without_ids_gets_keys_from_links(look: FakeLook, site: Site) -> None:
    url = site.put("/f", rss("<link>http://X.org/a?utm_source=rss#top</link><title>a</title>"))
    found = look.take(feed(look, url=url))
    assert [(f.key, f.data["url"]) for f in found] == [("https://x.org/a", "http://X.org/a?utm_source=rss#top")]


def test_a_feed_without_ids_and_links_gets_keys_from_titles_and_dates(look: FakeLook, site: Site) -> None:
    url = site.put("/f", rss("<title>a</title>", "<title>b</title>", "<title>b</title>"))
    keys = [f.key for f in look.take(feed(look, url=url))]
    assert len(set(keys)) == 2
    assert look.take(feed(look, url=url)) == []


def entry(name: str, title: str) -> Entry:
    return Entry(name, {"url": "https://x.org/changes", "title": title})


def test_entries_that_share_an_id_are_all_found_and_stay_the_same() -> None:
    old, new, newest = entry("same", "1.0"), entry("same", "1.1"), entry("same", "1.2")
    before = {found.key: found.data["title"] for found in keyed([new, old])}
    after = {found.key: found.data["title"] for found in keyed([newest, new, old])}
    assert len(before) == 2 and len(after) == 3 and before.items() <= after.items()


def test_a_repeated_entry_is_found_once() -> None:
    assert len(list(keyed([entry("1", "a"), entry("1", "a")]))) == 1


def test_max_items_takes_the_top(look: FakeLook, site: Site) -> None:
    url = site.put("/f", rss(*(f"<guid>{n}</guid><title>a</title>" for n in range(9))))
    assert [f.key for f in look.take(feed(look, url=url, max_items=2))] == ["0", "1"]


def test_relative_links_start_where_the_feed_was_read_or_at_base_url(look: FakeLook, site: Site) -> None:
    url = site.put("/d/f", rss("<guid>1</guid><link>a</link><title>a</title>"))
    assert next(feed(look, url=url)).data["url"] == f"{site.url}/d/a"
    assert next(feed(look, url=url, base_url="https://x.org/y/")).data["url"] == "https://x.org/y/a"


def test_the_charset_of_the_header_counts(look: FakeLook, site: Site) -> None:
    url = site.put(
        "/f",
        rss("<guid>1</guid><title>Привет</title>").encode("cp1251"),
        kind="text/xml; charset=windows-1251",
    )
    assert next(feed(look, url=url)).data["title"] == "Привет"


def test_a_bad_parameter_halts(look: FakeLook) -> None:
    with pytest.raises(Halt, match="url"):
        list(feed(look, url="file:///etc/passwd"))


@pytest.mark.parametrize("status", ["404", "500", "429", "401"])
def test_a_bad_status_is_an_outcome(look: FakeLook, world: Any, status: str) -> None:
    with pytest.raises(Outcome) as raised:
        list(feed(look, url=f"{world.url}/fault/{status}"))
    assert isinstance(raised.value, SourceBlocked) == (status == "429")
    assert look.cursor == {}


@pytest.mark.parametrize("kind", ["hang", "reset", "trickle", "short", "loop", "private", "empty", "notjson", "login"])
def test_a_bad_server_is_an_outcome(tmp_path: Any, world: Any, kind: str) -> None:
    look = FakeLook(tmp_path, total=0.5)
    with pytest.raises(Outcome):
        list(feed(look, url=f"{world.url}/fault/{kind}"))
    assert look.cursor == {}


def test_recorded_feeds_come_through_the_wire(look: FakeLook, world: Any) -> None:
    counts = {"arstechnica_feed.xml": 20, "feed-npr-world.json": 23, "rss_1.0_iso8859.xml": 1}
    for name, count in counts.items():
        look.cursor = {}
        assert len(look.take(feed(look, url=f"{world.url}/files/feeds/{name}"))) == count
        assert look.take(feed(look, url=f"{world.url}/files/feeds/{name}")) == []


DATED = (
    "<rss version='2.0'><channel>"
    + "".join(
        f"<item><guid>{day}</guid><title>t</title><pubDate>{day:02} Jan 2024 12:00:00 GMT</pubDate></item>"
        for day in (9, 5, 3, 1)
    )
    + "<item><guid>undated</guid><title>t</title></item></channel></rss>"
)


def test_a_span_takes_the_entries_published_in_it_and_none_without_a_date(look: FakeLook, site: Site) -> None:
    url = site.put("/feed", DATED)

    def keys(**more: Any) -> list[str]:
        return [found.key for found in feed(look, url=url, **more)]

    assert keys(since="2024-01-03", until="2024-01-09T12:00:00Z") == ["5", "3"]
    assert keys(until="2024-01-04", max_items=1) == ["3"], "those outside do not count"
    assert keys() == ["9", "5", "3", "1", "undated"]


def test_what_was_remembered_for_one_span_does_not_hide_what_another_takes(look: FakeLook, site: Site) -> None:
    url = site.put("/feed", DATED, ETag='"1"')
    late, early = "2024-01-05", "2024-01-01"
    for since, asked in ((late, None), (late, '"1"'), (early, None), (None, None), (None, '"1"')):
        list(feed(look, url=url, since=since))
        assert site.headers[-1].get("If-None-Match") == asked


def test_a_span_that_is_none_halts_before_anything_is_asked(look: FakeLook, site: Site) -> None:
    with pytest.raises(Halt, match="since"):
        list(feed(look, url=f"{site.url}/feed", since="90d"))
    assert site.asked == []


@pytest.mark.parametrize(
    ("declared", "encoding", "title"),
    [
        ("gb18030", "gb18030", "贴吧𠀀新闻"),
        ("gb2312", "gb18030", "朱镕基 贴吧"),
        ("utf-8", "latin-1", "Expansão é café"),
    ],
)
def test_a_charset_that_is_wide_or_wrongly_declared_is_read_right(
    look: FakeLook, site: Site, declared: str, encoding: str, title: str
) -> None:
    body = f'<?xml version="1.0" encoding="{declared}"?>' + rss(f"<guid>1</guid><title>{title}</title>")
    url = site.put("/f", body.encode(encoding), kind=f"text/xml; charset={declared}")
    assert next(feed(look, url=url)).data["title"] == title


def test_a_feed_without_entries_is_warned_of(look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    assert list(feed(look, url=site.put("/f", rss()))) == [] and "has no entries" in caplog.text
    caplog.clear()
    assert list(feed(look, url=site.put("/f", rss("", "")))) == [] and "none that says anything" in caplog.text
