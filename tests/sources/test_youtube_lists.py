from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, Outcome, RetryLater, SourceBlocked
from rivus.net.record import Exchange, Player, taped
from rivus.sources import youtube_page
from rivus.sources.youtube_lists import youtube_playlist, youtube_search
from tests.site import Site

from .conftest import FakeLook

PLAYLIST = "PLtest1234567890"
FEED, PAGE = f"/feeds/videos.xml?playlist_id={PLAYLIST}", f"/playlist?list={PLAYLIST}"


def video(number: int) -> str:
    return f"video{number:06d}"


def numbers(found: list[Any]) -> list[int]:
    return [int(item.key.removeprefix("video")) for item in found]


def atom(shown: range) -> str:
    entries = "".join(
        f"<entry><id>yt:video:{video(n)}</id><yt:videoId>{video(n)}</yt:videoId><title>T{n}</title>"
        f"<published>2024-01-{n:02}T00:00:00Z</published></entry>"
        for n in shown
    )
    spaces = 'xmlns="http://www.w3.org/2005/Atom" xmlns:yt="http://www.youtube.com/xml/schemas/2015"'
    return f"<feed {spaces}>{entries}</feed>"


def page(shown: range) -> str:
    """What the extractor needs of a playlist, in the page and from the API that it asks as well."""
    rows = [
        {"playlistVideoRenderer": {"videoId": video(n), "title": {"runs": [{"text": f"T{n}"}]}, "isPlayable": True}}
        for n in shown
    ]
    content: Any = {"playlistVideoListRenderer": {"contents": rows, "playlistId": PLAYLIST}}
    for name in ("itemSectionRenderer", "sectionListRenderer"):
        content = {name: {"contents": [content]}}
    tabs = [{"tabRenderer": {"selected": True, "content": content}}]
    return json.dumps({
        "contents": {"twoColumnBrowseResultsRenderer": {"tabs": tabs}},
        "metadata": {"playlistMetadataRenderer": {"title": "P"}},
    })  # fmt: skip


class Recorded(Player):
    """The network as it was recorded, for addresses that the extractor insists on. pages: path -> body, whatever the
    body of the request; an address that is not there gets `otherwise`, or is not recorded if that is ""."""

    def __init__(self, pages: dict[str, str], otherwise: str = "") -> None:
        super().__init__([], "is not recorded")
        self.pages, self.otherwise = pages, otherwise
        self.urls: list[str] = []

    def answer(self, method: str | None, url: str | None, body: Any) -> Exchange:
        address = (url or "").removeprefix(HOST)
        self.urls.append(f"{method} {address.split('?')[0]}")
        text = self.pages.get(PAGE if address.startswith("/youtubei/v1/browse") else address, self.otherwise)
        if not text:
            return super().answer(method, url, body)
        if address == PAGE:
            text = f"<html><script>var ytInitialData = {text};</script></html>"
        return Exchange(method or "GET", url or "", "", 200, "OK", (), url or "", text.encode())


HOST = "https://www.youtube.com"


def take(folder: Path, look: FakeLook | None = None, pages: dict[str, str] | None = None, **more: Any) -> list[Any]:
    # The session of a look takes the tape of the time when it is opened.
    with taped(Recorded(pages or {})):
        fresh = FakeLook(folder)
        if look is not None:
            fresh.cursor, fresh.seen = look.cursor, look.seen
        return fresh.take(youtube_playlist(fresh, playlist=PLAYLIST, **more))


def test_the_feed_comes_first_then_the_others_of_the_page(tmp_path: Path) -> None:
    found = take(tmp_path, pages={FEED: atom(range(1, 4)), PAGE: page(range(1, 9))})
    assert numbers(found) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found[0].data == {
        "id": video(1), "url": f"{HOST}/watch?v={video(1)}", "playlist": PLAYLIST, "title": "T1",
        "published": "2024-01-01T00:00:00Z",
    }  # fmt: skip
    assert found[-1].data["title"] == "T8"


def test_what_is_added_at_the_end_is_found(tmp_path: Path) -> None:
    look = FakeLook(tmp_path)
    take(tmp_path, look, {FEED: atom(range(1, 4)), PAGE: page(range(1, 9))})
    assert numbers(take(tmp_path, look, {FEED: atom(range(1, 4)), PAGE: page(range(1, 11))})) == [9, 10]


def test_one_of_feed_and_page_is_enough(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert numbers(take(tmp_path, pages={FEED: atom(range(1, 4))})) == [1, 2, 3]
    assert "only the 15 videos of the feed" in caplog.text
    assert numbers(take(tmp_path, pages={PAGE: page(range(1, 4))})) == [1, 2, 3]


def test_max_items_holds_for_both(tmp_path: Path) -> None:
    pages = {FEED: atom(range(1, 4)), PAGE: page(range(1, 9))}
    assert [len(take(tmp_path, pages=pages, max_items=most)) for most in (2, 5)] == [2, 5]


def test_a_span_takes_what_has_a_date_in_it(tmp_path: Path) -> None:
    found = take(tmp_path, pages={FEED: atom(range(1, 4)), PAGE: page(range(1, 9))}, since="2024-01-02")
    assert numbers(found) == [2, 3]


def test_the_recorded_playlist_is_read(look: FakeLook, world: Any) -> None:
    feed = world.url + "/files/youtube_feeds/claude_playlist_2entries.xml"
    name = look.http.get(feed).text.partition("<yt:playlistId>")[2].partition("<")[0]
    found = look.take(youtube_playlist(look, playlist=name, base_url=world.url))
    assert len(found) == 2 and any(one.key.startswith("-") for one in found)
    assert {one.data["playlist"] for one in found} == {name}


def test_if_both_fail_both_reasons_are_given(look: FakeLook, site: Site) -> None:
    with pytest.raises(RetryLater, match=r"feed: .*404.*; page: .*404"):
        list(youtube_playlist(look, playlist=PLAYLIST, base_url=site.url))
    site.put("/playlist", "", 429)
    with pytest.raises(SourceBlocked, match="429"):
        list(youtube_playlist(look, playlist=PLAYLIST, base_url=site.url))


def test_a_bad_server_is_an_outcome(tmp_path: Path, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(youtube_page, "LISTING_SECONDS", 0.5)
    for kind in ("hang", "reset", "short", "loop", "private", "empty", "notjson", "login"):
        world.post(faults=[{"prefix": prefix, "kind": kind, "count": 9} for prefix in ("/feeds", "/playlist")])
        with pytest.raises(Outcome, match=r"feed: .*; page: "):
            list(youtube_playlist(FakeLook(tmp_path, total=0.5), playlist=PLAYLIST, base_url=world.url))


@pytest.mark.parametrize("playlist", ["", "PL", "UCsXVk37bltHxD1rDPwtNM8Q", f"{PLAYLIST}&x=1", "PL/../1234567890"])
def test_what_is_no_playlist_halts(look: FakeLook, playlist: str) -> None:
    with pytest.raises(Halt, match="playlist"):
        list(youtube_playlist(look, playlist=playlist))


def results(shown: range) -> str:
    rows = [
        {"videoRenderer": {"videoId": video(n), "title": {"runs": [{"text": f"T{n}"}]},
                           "publishedTimeText": {"simpleText": f"{n} days ago"}}}
        for n in shown
    ]  # fmt: skip
    content = {"sectionListRenderer": {"contents": [{"itemSectionRenderer": {"contents": rows}}]}}
    return json.dumps({"contents": {"twoColumnSearchResultsRenderer": {"primaryContents": content}}})


def search(look: FakeLook, body: str, **more: Any) -> tuple[list[Any], list[str]]:
    tape = Recorded({}, body)
    with taped(tape):
        return look.take(youtube_search(look, query="ipo filing", **more)), tape.urls


def test_a_search_gives_videos_in_their_order(look: FakeLook) -> None:
    found, urls = search(look, results(range(1, 6)), max_items=3)
    assert numbers(found) == [1, 2, 3] and urls[-1] == "POST /youtubei/v1/search"
    assert found[0].data == {
        "id": video(1), "url": f"{HOST}/watch?v={video(1)}", "query": "ipo filing", "title": "T1",
    }  # fmt: skip
    assert search(look, results(range(1, 6)), max_items=3)[0] == []


def test_a_span_of_a_search_goes_by_rough_dates(look: FakeLook) -> None:
    from datetime import UTC, datetime, timedelta

    since = (datetime.now(UTC) - timedelta(days=3.5)).isoformat()
    assert numbers(search(look, results(range(1, 6)), since=since)[0]) == [1, 2, 3]


def test_a_search_that_finds_nothing_is_warned_of(look: FakeLook, caplog: pytest.LogCaptureFixture) -> None:
    assert search(look, results(range(0)))[0] == [] and "finds nothing" in caplog.text


def test_a_search_that_fails_is_an_outcome(look: FakeLook) -> None:
    with pytest.raises(Outcome):
        search(look, "<html>Sign in</html>")


@pytest.mark.parametrize("query", ["", " ", "a\nb", "x" * 600])
def test_what_cannot_be_searched_for_halts(look: FakeLook, query: str) -> None:
    with pytest.raises(Halt, match="query"):
        list(youtube_search(look, query=query))
