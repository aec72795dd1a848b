from __future__ import annotations

import json
from typing import Any

import pytest

from rivus.model.outcome import RetryLater
from rivus.sources.podcast import podcast, seconds_of
from tests.site import Site

from .conftest import FakeLook

FEED = """<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"
 xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>P</title>
<item><guid>2</guid><title>Two</title><enclosure url="/2.mp3" type="audio/mpeg" length="99"/>
 <pubDate>02 Jan 2024 12:00:00 GMT</pubDate>
 <itunes:duration>1:02:03</itunes:duration><itunes:explicit>true</itunes:explicit><itunes:season>3</itunes:season>
 <itunes:episodeType>Full</itunes:episodeType><podcast:episode>4.5</podcast:episode>
 <podcast:transcript url="/2.vtt" type="text/vtt"/><podcast:transcript url="/2.srt" type="application/x-subrip"
 language="de"/><podcast:transcript url="javascript:x"/><podcast:chapters url="/2.json" type="application/json"/></item>
<item><guid>post</guid><title>No episode</title><enclosure url="/a.jpg" type="image/jpeg"/></item>
<item><guid>1</guid><title>One</title><enclosure url="/1.M4A?x=1"/><itunes:explicit>clean</itunes:explicit>
 <pubDate>01 Jan 2024 12:00:00 GMT</pubDate></item>
</channel></rss>"""


def take(look: FakeLook, site: Site, body: str = FEED, **more: Any) -> list[Any]:
    return look.take(podcast(look, url=site.put("/f", body, kind="text/xml", ETag='"1"'), **more))


def test_episodes_are_entries_with_audio_or_video(look: FakeLook, site: Site) -> None:
    two, one = take(look, site)
    assert (two.key, one.key) == ("2", "1") and two.data["title"] == "Two"
    told = ("media", "seconds", "episode", "season", "episode_type", "explicit", "transcripts", "chapters")
    assert {name: two.data[name] for name in told} == {
        "media": {"url": f"{site.url}/2.mp3", "type": "audio/mpeg", "bytes": 99},
        "seconds": 3_723, "episode": 4.5, "season": 3, "episode_type": "full", "explicit": True,
        "transcripts": [{"url": f"{site.url}/2.vtt", "type": "text/vtt"},
                        {"url": f"{site.url}/2.srt", "type": "application/x-subrip", "language": "de"}],
        "chapters": {"url": f"{site.url}/2.json", "type": "application/json"},
    }  # fmt: skip
    assert one.data["media"]["url"].endswith("/1.M4A?x=1") and one.data["explicit"] is False
    assert "seconds" not in one.data and "transcripts" not in one.data


def test_an_unchanged_feed_is_not_read_again(look: FakeLook, site: Site) -> None:
    assert len(take(look, site)) == 2 and take(look, site) == []
    assert site.headers[-1]["If-None-Match"] == '"1"'


def test_a_span_takes_the_episodes_published_in_it(look: FakeLook, site: Site) -> None:
    assert [one.key for one in take(look, site, since="2024-01-02")] == ["2"]
    assert [one.key for one in take(look, site, until="2024-01-02")] == ["1"]


def test_a_broken_feed_still_tells_what_it_can(look: FakeLook, site: Site) -> None:
    found = take(look, site, FEED.replace("</channel>", "<bad & worse></channel>"))
    assert [one.key for one in found] == ["2", "1"] and found[0].data["seconds"] == 3_723
    assert "validators" not in look.cursor


def test_a_feed_without_an_episode_is_warned_of(look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    body = "<rss version='2.0'><channel><item><guid>1</guid><title>t</title></item></channel></rss>"
    assert take(look, site, body) == [] and "1 entries, none with audio or video" in caplog.text


def test_a_json_feed_tells_how_long_an_episode_is(look: FakeLook, site: Site) -> None:
    attached = {"url": "https://x.org/1", "mime_type": "audio/mpeg", "duration_in_seconds": 62}
    feed = {"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "attachments": [attached]}]}
    assert take(look, site, json.dumps(feed))[0].data["seconds"] == 62


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3723", 3_723), ("62:03", 3_723), ("1:02:03", 3_723), ("01:02:03.500", 3_723), ("3723.9", 3_723),
     ("1h 2m 3s", 3_723), ("PT1H2M3S", 3_723), ("62 min", 3_720), (" 1 hour 2 minutes ", 3_720),
     ("", None), ("0", None), ("soon", None), ("-5", None), ("1:2:3:4", None), ("9" * 50, None), ("PT", None)],
)  # fmt: skip
def test_a_duration_is_told_in_many_ways(text: str, seconds: int | None) -> None:
    assert seconds_of(text) == seconds


RECORDED = {
    "feed-itunes.xml": {"seconds": 7_355, "episode": 1_109, "explicit": True},
    "feed-itunes-season.xml": {},
    "rss_2.0_nightvale.xml": {},
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_podcasts_are_read(look: FakeLook, site: Site, shared: Any, name: str) -> None:
    found = take(look, site, (shared / "data/feeds" / name).read_text())
    assert found and all(one.data["media"]["url"].startswith("http") and one.data["seconds"] for one in found)
    assert RECORDED[name].items() <= found[0].data.items()


@pytest.mark.parametrize("folder", ["feeds", "feeds_ugly"])
def test_every_recorded_feed_is_episodes_a_warning_or_a_refusal(
    look: FakeLook, site: Site, shared: Any, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    for file in sorted((shared / "data" / folder).iterdir()):
        if file.name.endswith(".headers.json") or file.stat().st_size > 300_000:
            continue
        caplog.clear()
        try:
            found = list(podcast(FakeLook(look.folder), url=site.put("/f", file.read_bytes(), kind="")))
        except RetryLater as error:
            assert "feed" in str(error)
        else:
            assert found or "none with audio or video" in caplog.text, file.name
