"""The job `hn_frontpage` on the recorded interface, its stories on a site of this test."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import House
from tests.jobs.house import ship
from tests.site import Site
from tests.site import site as site


def test_stories_of_the_front_page_get_their_article_and_points(house: House, site: Site, shared: Path) -> None:
    story = json.loads((shared / "data/hackernews/item_8863_story.json").read_text())
    job_ad = json.loads((shared / "data/hackernews/item_192327_job.json").read_text())
    gone = {"id": 7, "type": "story", "title": "SQLite is gone", "url": f"{site.url}/gone", "score": 1, "time": 1}
    story["url"] = site.put("/dropbox", (shared / "data/html_articles/axios.com.future.html").read_bytes())
    job_ad["url"] = site.put("/job", "<p>We hire people who like to write Python and Rust. " * 9)
    for item in (story, job_ad, gone, {"id": 9, "deleted": True, "type": "story"}):
        site.put(f"/v0/item/{item['id']}.json", json.dumps(item), kind="application/json")
    site.put("/v0/topstories.json", json.dumps([8863, 9, 192327, 7]), kind="application/json")
    job = ship(house, "hn_frontpage", {"hackernews": site.url})
    job.run()
    assert job.keys("article") == ["192327", "8863"] and "404" in job.reasons("article")["7"]
    points = {row["key"]: (row["score"], json.loads(row["hits"])) for row in job.rows()}
    dropbox = {"popular": 2, "discussed": 1}
    assert points == {"8863": (3, dropbox), "192327": (-5, {"hiring": -5}), "7": (3, {"databases": 3})}
    assert job.rows()[-1]["title"] == "My YC app: Dropbox - Throw away your USB drive"
    assert job.run() == []
