from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rivus.model.outcome import Halt, Outcome, RetryLater, SourceBlocked
from rivus.sources import youtube_page
from rivus.sources.youtube import youtube_channel
from tests.site import Site

from .conftest import FakeLook

CHANNEL = "UCsXVk37bltHxD1rDPwtNM8Q"
FEED = f"/feeds/videos.xml?channel_id={CHANNEL}"
PAGE = f"/channel/{CHANNEL}/videos"


def video(number: int) -> str:
    return f"video{number:06d}"


def atom(numbers: range, dated: bool = False) -> str:
    """A channel's feed; `dated`: each video was published so many hours before now as its number is below 100."""
    entries = "".join(
        f"<entry><id>yt:video:{video(n)}</id><yt:videoId>{video(n)}</yt:videoId><title>T{n}</title>"
        f"{f'<published>{hours_ago(100 - n)}</published>' if dated else ''}</entry>"
        for n in numbers
    )
    spaces = 'xmlns="http://www.w3.org/2005/Atom" xmlns:yt="http://www.youtube.com/xml/schemas/2015"'
    return f"<feed {spaces}><yt:channelId>{CHANNEL[2:]}</yt:channelId>{entries}</feed>"


def hours_ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def channel_page(numbers: range, more: bool = False) -> str:
    """What yt-dlp's extractor needs of a channel's page; with `more`, it asks for a second page that does not exist."""
    items: list[Any] = [
        {"richItemRenderer": {"content": {"videoRenderer": {"videoId": video(n), "title": {"simpleText": f"T{n}"},
                                                             "publishedTimeText": {"simpleText": f"{100 - n} h ago"},
                                                             "viewCountText": {"simpleText": "1,234 views"}}}}}
        for n in numbers
    ]  # fmt: skip
    if more:
        command = {"continuationCommand": {"token": "more", "request": "x"}}
        items.append({"continuationItemRenderer": {"continuationEndpoint": command}})
    endpoint = {"commandMetadata": {"webCommandMetadata": {"url": PAGE}}}
    tab = {
        "title": "Videos",
        "selected": True,
        "endpoint": endpoint,
        "content": {"richGridRenderer": {"contents": items}},
    }
    data = {
        "contents": {"twoColumnBrowseResultsRenderer": {"tabs": [{"tabRenderer": tab}]}},
        "metadata": {"channelMetadataRenderer": {"title": "C", "externalId": CHANNEL}},
    }
    return f"<html><script>var ytInitialData = {json.dumps(data)};</script></html>"


@pytest.fixture
def tube(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that answers as www.youtube.com, so that the real extractor reads it."""
    address = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", site.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: address)
    site.url = "http://www.youtube.com"
    return site


def numbers(found: list[Any]) -> list[int]:
    return [int(item.key.removeprefix("video")) for item in found]


def test_the_recorded_channel_has_fifteen_videos(look: FakeLook, world: Any, caplog: pytest.LogCaptureFixture) -> None:
    found = look.take(youtube_channel(look, channel=CHANNEL, base_url=world.url))
    assert len(found) == 15
    assert found[0].key == found[0].data["id"] == "VB_GWz25B3Q"
    assert found[0].data["url"] == f"{world.url}/watch?v=VB_GWz25B3Q"
    assert found[0].data["published"] == "2021-03-09T14:59:36Z"
    assert found[0].data["channel"] == CHANNEL and found[0].data["author"] == "Kurzgesagt – In a Nutshell"
    assert isinstance(found[0].data["views"], int) and "gold" in found[0].data["description"].lower()
    assert "older videos cannot be listed (try 1 of 3)" in caplog.text


def test_a_later_look_finds_only_what_is_new(look: FakeLook, world: Any) -> None:
    def keys() -> set[str]:
        return {found.key for found in look.take(youtube_channel(look, channel=CHANNEL, base_url=world.url))}

    first = keys()
    assert keys() == set()
    world.post(snapshot=5)
    later = keys()
    assert later and not later & first
    assert keys() == set()


def test_the_feed_of_a_channel_without_its_uc_is_understood(look: FakeLook, world: Any) -> None:
    channel = "UC9PBzalIcEQCsiIkq36PyUA"
    found = look.take(youtube_channel(look, channel=channel, base_url=world.url))
    assert len(found) == 15 and {item.data["channel"] for item in found} == {channel}


def test_the_first_look_goes_on_with_the_page(look: FakeLook, tube: Site) -> None:
    tube.put(FEED, atom(range(40, 25, -1)))
    tube.put(PAGE, channel_page(range(40, 10, -1)))
    found = look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))
    assert numbers(found) == list(range(40, 10, -1))
    assert found[-1].data["views"] == 1_234 and found[-1].data["title"] == "T11"


def test_a_page_that_breaks_off_gives_what_it_had_and_is_tried_again(look: FakeLook, tube: Site) -> None:
    tube.put(FEED, atom(range(40, 25, -1)))
    tube.put(PAGE, channel_page(range(40, 20, -1), more=True))
    assert numbers(look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))) == list(range(40, 20, -1))
    tube.put(PAGE, channel_page(range(40, 10, -1)))
    assert numbers(look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))) == list(range(20, 10, -1))
    asked = len(tube.asked)
    look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))
    assert len(tube.asked) == asked + 1


def test_listing_older_videos_is_given_up_after_three_looks(look: FakeLook, world: Any) -> None:
    for _ in range(5):
        look.take(youtube_channel(look, channel=CHANNEL, base_url=world.url))
    assert world.counts()["requests"]["/channel"] == 3


def test_a_gap_is_closed_up_to_the_first_known_video(look: FakeLook, tube: Site) -> None:
    tube.put(FEED, atom(range(20, 5, -1)))
    tube.put(PAGE, channel_page(range(20, 0, -1)))
    look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))
    tube.put(FEED, atom(range(40, 25, -1)))
    # The page's continuation cannot be read: only a reader that stops in time does not notice.
    tube.put(PAGE, channel_page(range(40, 15, -1), more=True))
    assert numbers(look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))) == list(range(40, 20, -1))
    assert look.cursor["older"]["what"] == ""


def test_a_feed_that_joins_what_is_known_needs_no_page(look: FakeLook, tube: Site) -> None:
    tube.put(FEED, atom(range(20, 5, -1)))
    tube.put(PAGE, channel_page(range(20, 5, -1)))
    look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))
    tube.put(FEED, atom(range(22, 7, -1)))
    asked = len(tube.asked)
    assert numbers(look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))) == [22, 21]
    assert len(tube.asked) == asked + 1


@pytest.mark.parametrize("status", [404, 500, 200])
def test_the_page_stands_in_for_a_feed_that_fails(look: FakeLook, tube: Site, status: int) -> None:
    tube.put(FEED, "<html>Error</html>", status)
    tube.put(PAGE, channel_page(range(5, 0, -1)))
    assert numbers(look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url))) == [5, 4, 3, 2, 1]


def test_if_both_fail_both_reasons_are_given(look: FakeLook, world: Any) -> None:
    with pytest.raises(RetryLater, match=r"feed: .*404.*; page: .*404"):
        list(youtube_channel(look, channel="UC" + "x" * 22, base_url=world.url))
    assert look.cursor == {}


def test_a_page_that_asks_for_a_rest_is_given_it(look: FakeLook, site: Site) -> None:
    site.put(PAGE, "", 429)
    with pytest.raises(SourceBlocked, match=r"feed: .*; page: .*429"):
        list(youtube_channel(look, channel=CHANNEL, base_url=site.url))


def test_a_feed_that_asks_for_a_rest_is_given_it_if_the_page_fails_too(look: FakeLook, site: Site) -> None:
    site.put(FEED, "", 503, Retry_After="900")
    site.put(PAGE, "", 500)
    with pytest.raises(SourceBlocked, match=r"feed: .*503.*; page: .*500") as raised:
        list(youtube_channel(look, channel=CHANNEL, base_url=site.url))
    assert raised.value.until is not None


def test_max_items_holds_for_feed_and_page(look: FakeLook, tube: Site) -> None:
    tube.put(FEED, atom(range(40, 25, -1)))
    tube.put(PAGE, channel_page(range(40, 10, -1)))
    assert len(look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url, max_items=20))) == 20
    look.cursor, look.seen = {}, {}
    assert len(look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url, max_items=3))) == 3


@pytest.mark.parametrize("channel", ["@handle", "kurzgesagt", "UCshort", "UC" + "x" * 22 + "/../", "UC" + "é" * 22, ""])
def test_what_is_no_channel_id_halts(look: FakeLook, channel: str) -> None:
    with pytest.raises(Halt, match="channel"):
        list(youtube_channel(look, channel=channel))


@pytest.mark.parametrize("kind", ["hang", "reset", "trickle", "short", "loop", "private", "empty", "notjson", "login"])
def test_a_bad_server_is_an_outcome(tmp_path: Any, world: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(youtube_page, "LISTING_SECONDS", 0.5)
    world.post(faults=[{"prefix": prefix, "kind": kind, "count": 9} for prefix in ("/feeds", "/channel")])
    with pytest.raises(Outcome, match=r"feed: .*; page: "):
        list(youtube_channel(FakeLook(tmp_path, total=0.5), channel=CHANNEL, base_url=world.url))


def test_a_span_chooses_from_the_feed_by_date_and_from_the_page_roughly(look: FakeLook, tube: Site) -> None:
    tube.put(FEED, atom(range(95, 80, -1), dated=True))
    tube.put(PAGE, channel_page(range(95, 10, -1)))
    span = {"since": hours_ago(40.5), "until": hours_ago(12.5)}
    found = look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url, **span))
    assert numbers(found) == list(range(87, 59, -1))
    assert "published" in found[0].data and "published" not in found[-1].data
    look.cursor, look.seen = {}, {}
    assert numbers(look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url, max_items=9, **span))) == list(
        range(87, 78, -1)
    ), "what lies outside does not count"


def test_a_feed_that_goes_back_beyond_the_span_needs_no_page(look: FakeLook, tube: Site) -> None:
    tube.put(FEED, atom(range(95, 80, -1), dated=True))
    found = look.take(youtube_channel(look, channel=CHANNEL, base_url=tube.url, since=hours_ago(12.5)))
    assert numbers(found) == list(range(95, 87, -1))
    assert tube.asked == [FEED]
