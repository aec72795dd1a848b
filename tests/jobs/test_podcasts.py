"""The job `podcasts` on a recorded feed, one episode of which has a transcript."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import House
from tests.jobs.house import ship
from tests.site import Site
from tests.site import site as site

FEED = "https://feeds.npr.org/510289/podcast.xml"
VTT = """WEBVTT

00:01.000 --> 00:04.000
<v Ann>Interest rates, interest rates!

00:05.000 --> 00:09.000
Music ends.
"""


def test_an_episode_is_read_by_its_transcript_else_by_its_notes(house: House, site: Site, shared: Path) -> None:
    feed = (shared / "data/feeds/feed-test-charset.xml").read_text("utf-8")
    vtt = [("/t.vtt", "text/vtt", "en"), ("/gone", "text/vtt", "en"), ("/no.vtt", "text/vtt", "da")]
    texts = [*vtt, ("/t.html", "text/html", "en"), ("/t.json", "application/json", "en")]
    tags = "".join(
        f'<podcast:transcript url="{site.url}{path}" type="{kind}" language="{code}"/>'
        for path, kind, code in reversed(texts)
    )
    feed = feed.replace("<rss ", '<rss xmlns:podcast="https://podcastindex.org/namespace/1.0" ', 1)
    site.put("/feed", feed.replace("</item>", f"{tags}</item>", 1), kind="application/rss+xml", ETag='"1"')
    site.put("/t.vtt", VTT, kind="text/vtt")
    job = ship(house, "podcasts", {FEED: f"{site.url}/feed"})
    job.run()
    rows = job.rows()
    assert len(rows) == 21 and {row["of"] for row in rows} == {"notes", "transcript"}
    assert all(row["text"] and row["seconds"] and row["media"].startswith("http") for row in rows)
    told = next(row for row in rows if row["of"] == "transcript")
    assert told["text"] == "Interest rates, interest rates!\nMusic ends." and told["score"] == 1000.0
    assert set(site.asked) == {"/feed", "/gone", "/t.vtt"}, "the best transcript alone, and no sound"
    assert job.run() == []
