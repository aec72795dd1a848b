from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rivus.model.outcome import Halt, RetryLater
from rivus.sources.hackernews import HITS, hackernews
from tests.site import Site

from .conftest import FakeLook


def put_list(site: Site, name: str, *numbers: Any, **headers: str) -> None:
    site.put(f"/v0/{name}stories.json", json.dumps(numbers), **headers)


def put_item(site: Site, number: int, **item: Any) -> None:
    site.put(
        f"/v0/item/{number}.json", json.dumps({"id": number, "type": "story", "time": 1700000000 + number, **item})
    )


def test_only_unknown_stories_are_fetched(look: FakeLook, site: Site) -> None:
    put_list(site, "new", 3, 2, 1)
    for number in (1, 2, 3):
        put_item(site, number, title=f"t{number}", by="a", url="https://x.org", score=5, descendants=2)
    look.seen["2"] = {}
    found = look.take(hackernews(look, list="new", base_url=site.url))
    assert [one.key for one in found] == ["3", "1"]
    assert found[1].data == {
        "url": "https://x.org", "title": "t1", "published": "2023-11-14T22:13:21Z", "author": "a", "score": 5,
        "comments": 2, "type": "story", "hn_url": "https://news.ycombinator.com/item?id=1",
    }  # fmt: skip
    assert site.asked == ["/v0/newstories.json", "/v0/item/3.json", "/v0/item/1.json"]


def test_what_is_deleted_dead_or_not_there_yet_is_passed_over_and_asked_for_again(look: FakeLook, site: Site) -> None:
    put_list(site, "top", 4, 3, 2, 1, ETag='"1"')
    put_item(site, 1, title="a")
    put_item(site, 2, deleted=True)
    put_item(site, 3, dead=True)
    site.put("/v0/item/4.json", "null")
    assert [one.key for one in look.take(hackernews(look, base_url=site.url))] == ["1"]
    put_item(site, 4, title="new")
    assert [one.key for one in look.take(hackernews(look, base_url=site.url))] == ["4"]


def test_a_list_that_has_not_changed_costs_one_request(look: FakeLook, site: Site) -> None:
    put_list(site, "top", 1, ETag='"1"')
    put_item(site, 1, title="a")
    look.take(hackernews(look, base_url=site.url))
    assert look.take(hackernews(look, base_url=site.url)) == [] and len(site.asked) == 3


def test_max_items_takes_the_top_and_a_span_what_was_posted_in_it(look: FakeLook, site: Site) -> None:
    put_list(site, "top", 3, 2, 1)
    for number in (1, 2, 3):
        put_item(site, number, time=1704067200 + number * 86400)
    assert [one.key for one in hackernews(look, base_url=site.url, max_items=2)] == ["3", "2"]
    span = {"since": "2024-01-02", "until": "2024-01-04"}
    assert [one.key for one in hackernews(look, base_url=site.url, **span)] == ["2", "1"]


@pytest.mark.parametrize("answer", ["{}", '["1"]', "[true]", "null", '{"error": "Permission denied"}'])
def test_a_list_of_another_shape_comes_again_later(look: FakeLook, site: Site, answer: str) -> None:
    site.put("/v0/topstories.json", answer)
    with pytest.raises(RetryLater, match="not a list of numbers"):
        list(hackernews(look, base_url=site.url))


def test_a_list_and_a_search_are_not_one(look: FakeLook) -> None:
    with pytest.raises(Halt, match="list, search"):
        list(hackernews(look, list="new", search="x"))


class Algolia:
    """A search over `stories` (number -> seconds), as Algolia does it; `deaf` to bounds if it is told so."""

    def __init__(self, site: Site, stories: dict[int, int], deaf: bool = False) -> None:
        self.site, self.stories, self.deaf = site, stories, deaf
        site.before = self.prepare

    def prepare(self, path: str) -> None:
        bounds = "" if self.deaf else parse_qs(urlsplit(path).query).get("numericFilters", [""])[0]
        low = next((int(part[14:]) for part in bounds.split(",") if part.startswith("created_at_i>=")), 0)
        high = next((int(part[14:]) for part in bounds.split(",") if part.startswith("created_at_i<=")), 2**40)
        chosen = sorted((-at, number) for number, at in self.stories.items() if low <= at <= high)[:HITS]
        hits = [
            {"objectID": str(number), "created_at_i": -at, "title": "t", "_tags": ["story"]} for at, number in chosen
        ]
        self.site.put(path, json.dumps({"hits": hits}))


def test_a_search_goes_back_to_the_beginning_of_its_span(look: FakeLook, site: Site) -> None:
    start = 1704067200
    Algolia(site, {number: start + number // 3 for number in range(450)})
    span = {"since": "2024-01-01T00:00:10Z", "until": "2024-01-01T00:02:20Z"}
    found = [one.key for one in hackernews(look, search="x", search_url=site.url, **span)]
    assert sorted(map(int, found)) == list(range(30, 420)) and len(site.asked) < 7


def test_a_search_without_a_span_takes_the_newest(look: FakeLook, site: Site) -> None:
    Algolia(site, {number: 1704067200 + number for number in range(300)})
    found = list(hackernews(look, search="", search_url=site.url, max_items=150))
    assert [one.key for one in found] == [str(number) for number in range(299, 149, -1)]
    assert found[0].data["published"] == "2024-01-01T00:04:59Z" and found[0].data["hn_url"] == found[0].data["url"]


def test_a_search_that_gives_the_same_again_and_again_ends(look: FakeLook, site: Site) -> None:
    Algolia(site, {number: 1704067200 + number for number in range(200)}, deaf=True)
    with pytest.raises(RetryLater, match="same items"):
        list(hackernews(look, search="x", search_url=site.url, since="2023-01-01"))
    assert len(site.asked) < 5


@pytest.mark.parametrize(
    "answer", ["[]", '{"hits": {}}', '{"hits": [{"objectID": "x"}]}', '{"hits": [1]}', '{"message": "no"}']
)
def test_a_search_result_of_another_shape_comes_again_later(look: FakeLook, site: Site, answer: str) -> None:
    site.put("/api/v1/search_by_date", answer)
    with pytest.raises(RetryLater):
        list(hackernews(look, search="x", search_url=site.url))


def test_a_list_without_a_story_is_warned_of(look: FakeLook, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    put_list(site, "top")
    assert list(hackernews(look, base_url=site.url)) == [] and "lists nothing" in caplog.text


def test_every_recorded_answer_is_an_item_or_passed_over(look: FakeLook, site: Site, shared: Path) -> None:
    files = {file.name: file.read_text() for file in (shared / "data" / "hackernews").iterdir()}
    items = {name.split("_")[1]: text for name, text in files.items() if name.startswith("item_")}
    for number, text in items.items():
        site.put(f"/v0/item/{number.replace('deleted', '1')}.json", text)
    put_list(site, "top", 8863, 192327, 2921983, 1)
    found = {one.key: one.data for one in hackernews(look, base_url=site.url)}
    assert list(found) == ["8863", "192327", "2921983"] and len(items) == 4
    assert found["192327"]["url"] == "https://news.ycombinator.com/item?id=192327", "a story without a link"
    assert "title" not in found["2921983"] and found["2921983"]["text"].startswith("Aw shucks")
    assert found["8863"]["comments"] == 71
    site.put("/v0/topstories.json", files["maxitem.json"])
    with pytest.raises(RetryLater):
        list(hackernews(look, base_url=site.url))


def test_the_recorded_list_asks_for_each_of_its_stories(look: FakeLook, world: Any, shared: Path) -> None:
    numbers = json.loads((shared / "data" / "hackernews" / "topstories.json").read_text())
    assert list(hackernews(look, base_url=world.url)) == [], "the recorded world has none of these"
    assert world.counts()["requests"]["/v0"] == 1 + len(numbers)
