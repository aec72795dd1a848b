"""The job `blog_watch` on a recorded feed, whose posts are recorded pages."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

from tests.conftest import House
from tests.jobs.house import ship
from tests.site import Site
from tests.site import site as site

POSTS = ["capy_article_ars_technica.html", "axios.com.future.html", "github.blog.spiceland.html"]


def test_posts_are_read_compared_and_scored(house: House, site: Site, shared: Path) -> None:
    feed = (shared / "data/feeds/feed-rss-itsfoss.xml").read_text("utf-8").replace("https://feed.itsfoss.com", site.url)
    site.put("/feed", feed, kind="application/rss+xml", ETag='"1"')
    job = ship(house, "blog_watch", {"https://simonwillison.net/atom/everything/": site.url + "/feed"})
    found = job.command("rivus-discover", job.name)
    assert len(found) == 15
    paths = [line["data"]["url"].removeprefix(site.url) for line in found]
    for path, post in zip(paths[1:], cycle(POSTS), strict=False):
        site.put(path, (shared / "data/html_articles" / post).read_bytes(), kind="text/html")
    job.run()
    (gone,) = job.reasons("article").values()
    assert "answered 404" in gone
    near = [said["near"] for said in job.outputs("dedupe").values()]
    assert len(near) == 14 and near.count(None) == len(POSTS), "each post after the first of its kind is near that one"
    rows = [row for row in job.rows() if row["state"] == "done"]
    assert len(rows) == 14 and all(row["title"] and row["published"] and row["score"] is not None for row in rows)
    assert all(len(row["text"]) > 200 for row in rows)
    assert job.run() == []
