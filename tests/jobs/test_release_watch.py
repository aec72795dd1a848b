"""The job `release_watch` on recorded releases."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from tests.conftest import House
from tests.jobs.house import ship
from tests.site import Site
from tests.site import site as site


def test_releases_get_points_by_their_notes_and_a_line_in_a_table(house: House, site: Site, shared: Path) -> None:
    def change(job: dict[str, Any]) -> None:
        job["discover"]["repos"] = ["o/r"]

    releases = json.loads((shared / "data/github_json/releases.json").read_text())
    urgent = {"tag_name": "v9.0.0", "name": "Nine", "body": "Fixes CVE-2031-12345.\n\n- Removed the old API: breaking."}
    site.put("/repos/o/r/releases", json.dumps([urgent, *releases]), kind="application/json", ETag='"1"')
    job = ship(house, "release_watch", {"github": site.url}, change)
    job.run()
    rows = {row["tag"]: row for row in job.rows()}
    assert len(rows) == 1 + len([one for one in releases if not one["prerelease"]])
    assert rows["v9.0.0"]["points"] == 15 and rows["v9.0.0"]["title"] == "Nine"
    assert all(row["points"] >= 1 and row["repo"] == "o/r" for row in rows.values())
    with (house.root / "spool/release_watch/table/state/items.csv").open(newline="") as file:
        assert {line["tag"]: line["points"] for line in csv.DictReader(file)}["v9.0.0"] in ("15", "15.0")
    assert job.run() == []
