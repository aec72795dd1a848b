"""The job `page_changes`: a page that a person would otherwise have to read again and again."""

from __future__ import annotations

import json

from tests.conftest import House
from tests.jobs.house import ship
from tests.site import Site
from tests.site import site as site

PAGE = "https://docs.github.com/en/site-policy/github-terms/github-terms-of-service"


def test_a_change_becomes_an_item_with_what_came_and_went(house: House, site: Site) -> None:
    html = "<title>Terms</title><nav>{}</nav><main><p>Effective date: {}</p><p>You pay {}.</p><p>Be kind.</p></main>"
    site.put("/terms", html.format("Home", "May", "nothing"))
    job = ship(house, "page_changes", {PAGE: f"{site.url}/terms"})
    job.run()
    assert job.rows() == [], "the first look only remembers"
    site.put("/terms", html.format("Start", "June", "nothing"))
    assert job.run() == [], "menus and dates do not count"
    site.put("/terms", html.format("Start", "June", "a fee of 9 USD"))
    job.run()
    (row,) = job.rows()
    assert (row["title"], row["added"], row["removed"]) == ("Terms", 1, 1)
    assert "-You pay nothing.\n+You pay a fee of 9 USD." in row["diff"]
    assert (row["points"], json.loads(row["hits"])) == (4, {"money": 3, "any": 1})
    assert job.run() == []
