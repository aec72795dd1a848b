from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, ItemFailed, RetryLater, SourceBlocked
from rivus.sources.reddit import reddit
from tests.site import Site

from .conftest import FakeLook


def post(number: int, **data: Any) -> dict[str, Any]:
    return {"kind": "t3", "data": {"name": f"t3_{number}", "title": f"t{number}", "created_utc": 1704067200.0 + number,
                                   "permalink": f"/r/a/comments/{number}/", **data}}  # fmt: skip


def listing(*children: Any, after: str | None = None) -> str:
    return json.dumps({"kind": "Listing", "data": {"children": children, "after": after}})


def keys(look: FakeLook, **given: Any) -> list[str]:
    return [found.key for found in reddit(look, **given)]


def test_posts_of_several_subreddits_are_one_listing(look: FakeLook, site: Site) -> None:
    text = {
        "selftext": "long",
        "author": "b",
        "subreddit": "stocks",
        "score": 3,
        "num_comments": 4,
        "link_flair_text": "News",
    }
    site.put("/r/stocks+investing/new.json", listing(post(1, url="https://x.org/a", **text), post(2, url="/r/a/2")))
    first, second = reddit(look, subreddits=["stocks", "investing"], base_url=site.url)
    assert (first.key, first.data) == ("t3_1", {
        "url": "https://x.org/a", "title": "t1", "published": "2024-01-01T00:00:01Z", "author": "b",
        "subreddit": "stocks", "text": "long", "score": 3, "comments": 4, "flair": "News", "over_18": False,
        "reddit_url": "https://www.reddit.com/r/a/comments/1/",
    })  # fmt: skip
    assert second.data["url"] == "https://www.reddit.com/r/a/2"
    assert site.asked == ["/r/stocks+investing/new.json?raw_json=1&limit=100"]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"subreddits": ["a1"], "sort": "hot"}, "/r/a1/hot.json?raw_json=1&limit=100"),
        ({"subreddits": ["a1"], "sort": "top", "period": "week"}, "/r/a1/top.json?raw_json=1&limit=100&t=week"),
        ({"domain": "x.org", "max_items": 5}, "/domain/x.org/new.json?raw_json=1&limit=5"),
    ],
)
def test_each_listing_has_its_address(look: FakeLook, site: Site, given: dict[str, Any], asked: str) -> None:
    site.put(asked, listing())
    assert keys(look, base_url=site.url, **given) == [] and site.asked == [asked]


@pytest.mark.parametrize(
    "given",
    [{}, {"subreddits": []}, {"subreddits": ["a/../b"]}, {"subreddits": ["a1"], "domain": "x.org"}, {"domain": "x/y"},
     {"url": "file:///x"}, {"subreddits": ["stocks"], "base_url": "x"}, {"subreddits": ["stocks"], "since": "x"}],
)  # fmt: skip
def test_a_bad_parameter_halts(look: FakeLook, given: dict[str, Any]) -> None:
    with pytest.raises(Halt):
        keys(look, **given)


def put_pages(site: Site, pages: int) -> None:
    """Pages of a hundred, 10,000 seconds a page, the newest first."""
    for page in range(pages):
        children = [post((pages - page) * 10_000 - n * 100) for n in range(100)]
        after = f"&after=t3_{page}&count={page * 100}" if page else ""
        name = f"t3_{page + 1}" if page + 1 < pages else None
        site.put(f"/r/stocks/new.json?raw_json=1&limit=100{after}", listing(*children, after=name))


def test_further_pages_are_asked_for_up_to_max_items(look: FakeLook, site: Site) -> None:
    put_pages(site, 4)
    assert len(keys(look, subreddits=["stocks"], base_url=site.url, max_items=250)) == 250
    assert len(site.asked) == 3


def test_a_span_ends_the_pages(look: FakeLook, site: Site) -> None:
    put_pages(site, 8)
    span = {"since": "2024-01-01T16:40:00Z", "until": "2024-01-01T19:26:40Z"}
    assert len(keys(look, subreddits=["stocks"], base_url=site.url, **span)) == 100
    assert len(site.asked) == 3, "two pages with what is later or in the span, and one that is past it"


@pytest.mark.parametrize(("pages", "told"), [(12, "1000 things"), (3, "300 things"), (0, "")])
def test_a_span_that_reddit_does_not_show_to_its_beginning_is_told(
    look: FakeLook, site: Site, caplog: Any, pages: int, told: str
) -> None:
    put_pages(site, pages or 4)
    since = "2024-01-01" if pages else "2024-01-01T09:00:00Z"
    keys(look, subreddits=["stocks"], base_url=site.url, since=since)
    assert (f"all it shows, {told}" in caplog.text) == bool(told) == ("missing" in caplog.text)


def test_a_listing_that_never_ends_ends(look: FakeLook, site: Site) -> None:
    site.put("/r/stocks/new.json", listing(after="t3_1"))
    assert keys(look, subreddits=["stocks"], base_url=site.url, since="2024-01-01") == [] and len(site.asked) == 1
    site.put("/r/stocks/new.json", listing(*map(post, range(100)), after="t3_1"))
    keys(look, subreddits=["stocks"], base_url=site.url, since="2024-01-01")
    assert len(site.asked) == 11


def test_posts_for_adults_are_left_out_unless_they_are_wanted(look: FakeLook, site: Site) -> None:
    site.put("/r/stocks/new.json", listing(post(1, over_18=True), post(2)))
    assert keys(look, subreddits=["stocks"], base_url=site.url) == ["t3_2"]
    assert keys(look, subreddits=["stocks"], base_url=site.url, over_18=True) == ["t3_1", "t3_2"]


@pytest.mark.parametrize(
    ("status", "body", "outcome", "told"),
    [
        (403, '{"reason": "private", "message": "Forbidden", "error": 403}', Halt, "private"),
        (403, '{"reason": "quarantined", "error": 403}', Halt, "quarantined"),
        (404, '{"reason": "banned", "message": "Not Found"}', Halt, "banned"),
        (403, "<html>whoa there, pardner</html>", SourceBlocked, "shuts this program out"),
        (404, "<html>", ItemFailed, "404"),
        (200, '{"error": 500}', RetryLater, "no listing: an object with error"),
        (200, '{"kind": "Listing", "data": {"children": null}}', RetryLater, "no listing"),
        (200, listing({"kind": "t5", "data": {"name": "t5_x"}}), RetryLater, "neither posts nor comments"),
        (200, "[]", RetryLater, "no listing"),
    ],
)
def test_what_is_no_listing_has_its_outcome(
    look: FakeLook, site: Site, status: int, body: str, outcome: type[Exception], told: str
) -> None:
    site.put("/r/stocks/new.json", body, status=status)
    with pytest.raises(outcome, match=told):
        keys(look, subreddits=["stocks"], base_url=site.url)
    assert look.cursor == {}


def test_a_subreddit_that_is_not_there_is_searched_for_and_halts(look: FakeLook, site: Site) -> None:
    site.put("/r/nosuch/new.json", "", status=302, Location="/subreddits/search.json?q=nosuch")
    site.put("/subreddits/search.json", listing())
    with pytest.raises(Halt, match="no such subreddit"):
        keys(look, subreddits=["nosuch"], base_url=site.url)


def test_the_limit_ends_when_reddit_says(look: FakeLook, site: Site) -> None:
    site.put("/r/stocks/new.json", "slow down", status=429, X_Ratelimit_Reset="123")
    with pytest.raises(SourceBlocked) as blocked:
        keys(look, subreddits=["stocks"], base_url=site.url)
    assert blocked.value.until is not None and 100 < blocked.value.until - time.time() <= 123


COUNTS = {"askreddit_new.json": 100, "domain_youtube_new.json": 100, "stream_poll_1.json": 100, "stream_poll_2.json": 1,
          "stream_poll_3.json": 0}  # fmt: skip


def test_every_recorded_answer_is_a_listing_or_refused(look: FakeLook, world: Any, shared: Path) -> None:
    names = {
        file.name for file in (shared / "data" / "reddit_json").iterdir() if not file.name.endswith("headers.json")
    }
    assert names == {*COUNTS, "error_403_quarantined.json", "error_404.json"}
    for name in names:
        if name in COUNTS:
            found = list(reddit(FakeLook(look.folder), url=f"{world.url}/files/reddit_json/{name}", over_18=True))
            assert len({one.key for one in found}) == COUNTS[name], name
            assert all({"url", "title", "published", "author", "subreddit"} <= one.data.keys() for one in found)
        else:
            with pytest.raises(Halt):
                list(reddit(look, url=f"{world.url}/files/reddit_json/{name}"))


def test_the_recorded_subreddit_is_read_once(look: FakeLook, world: Any) -> None:
    given = {"subreddits": ["AskReddit"], "base_url": world.url, "over_18": True}
    assert len(look.take(reddit(look, **given))) == 100 and look.take(reddit(look, **given)) == []
    with pytest.raises(Halt, match="404"):
        keys(look, subreddits=["nothing"], base_url=world.url)
