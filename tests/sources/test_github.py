from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, SourceBlocked
from rivus.sources.github import github_releases
from tests.site import Site

from .conftest import FakeLook


def release(tag: str, day: int = 1, **more: Any) -> dict[str, Any]:
    return {"tag_name": tag, "html_url": f"https://github.com/o/r/releases/tag/{tag}", "name": None, "draft": False,
            "prerelease": False, "published_at": f"2024-01-{day:02}T10:00:00Z", **more}  # fmt: skip


def put(site: Site, repo: str, *releases: Any, query: str = "", **headers: str) -> None:
    site.put(f"/repos/{repo}/releases{query}", json.dumps(releases), kind="application/json", **headers)


def keys(look: FakeLook, site: Site, **given: Any) -> list[str]:
    return [found.key for found in github_releases(look, base_url=site.url, **{"repos": ["o/r"], **given})]


def test_a_release_is_told_in_full(look: FakeLook, site: Site) -> None:
    asset = {"name": "a.tgz", "browser_download_url": "https://github.com/a.tgz", "size": 5, "state": "uploaded"}
    put(site, "O/r", release("v1", name="One", body="* a\r\n* b", author={"login": "me"}, assets=[asset]))
    (found,) = github_releases(look, repos=["O/r"], base_url=site.url)
    assert (found.key, found.data) == ("o/r@v1", {
        "url": "https://github.com/o/r/releases/tag/v1", "title": "One", "published": "2024-01-01T10:00:00Z",
        "author": "me", "repo": "O/r", "tag": "v1", "text": "* a\r\n* b", "prerelease": False, "draft": False,
        "assets": [{"name": "a.tgz", "url": "https://github.com/a.tgz", "bytes": 5}],
    })  # fmt: skip


def test_prereleases_and_drafts_count_when_they_are_wanted(look: FakeLook, site: Site) -> None:
    put(
        site,
        "o/r",
        release("3", draft=True, published_at=None),
        release("2", prerelease=True),
        release("1"),
        ETag='"1"',
    )
    assert keys(look, site) == ["o/r@1"]
    assert keys(look, site, prereleases=True) == ["o/r@2", "o/r@1"], "another question is asked whole"
    assert keys(look, site, drafts=True) == ["o/r@3", "o/r@1"]


def test_each_repository_is_asked_only_for_what_has_changed(look: FakeLook, site: Site) -> None:
    put(site, "o/a", release("1"), ETag='"a1"')
    put(site, "o/b", release("1"), ETag='"b1"')
    assert keys(look, site, repos=["o/a", "o/b"]) == ["o/a@1", "o/b@1"]
    put(site, "o/b", release("2"), release("1"), ETag='"b2"')
    assert keys(look, site, repos=["o/a", "o/b"]) == ["o/b@2", "o/b@1"]
    assert keys(look, site, repos=["o/a", "o/b"]) == []
    assert [headers.get("If-None-Match") for headers in site.headers[2:]] == ['"a1"', '"b1"', '"a1"', '"b2"']


def test_a_repository_that_is_gone_does_not_hide_the_others(look: FakeLook, site: Site) -> None:
    put(site, "o/r", release("1"), ETag='"1"')
    with pytest.raises(Halt, match="no such repository"):
        look.take(github_releases(look, repos=["o/gone", "o/r"], base_url=site.url))
    assert list(look.seen) == ["o/r@1"] and look.cursor == {}


def test_pages_go_on_to_max_items_or_to_the_beginning_of_the_span(look: FakeLook, site: Site) -> None:
    for page in range(1, 5):
        more = {"Link": f'<{site.url}/repos/o/r/releases?per_page=100&page={page + 1}>; rel="next"'} if page < 4 else {}
        releases = [release(f"{page}.{n}", 25 - page * 5 - n) for n in range(5)]
        put(site, "o/r", *releases, query="?per_page=100" + (f"&page={page}" if page > 1 else ""), **more)
    assert keys(look, site, max_items=7) == [f"o/r@{tag}" for tag in ("1.0", "1.1", "1.2", "1.3", "1.4", "2.0", "2.1")]
    assert len(site.asked) == 2
    assert keys(look, site, since="2024-01-12", until="2024-01-15", max_items=1) == ["o/r@2.1", "o/r@2.2", "o/r@2.3"]
    assert len(site.asked) == 5, "the third page is the first that is older than the span as a whole"


def test_a_next_page_at_another_host_is_not_asked_for(look: FakeLook, site: Site) -> None:
    put(site, "o/r", release("1"), Link='<http://127.0.0.2/x>; rel="next"')
    with pytest.raises(RetryLater, match="another host"):
        keys(look, site, secret="finnhub_token")


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 900)}, SourceBlocked),
        (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, SourceBlocked),
        (403, {"Retry-After": "60"}, SourceBlocked),
        (403, {"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "1"}, ItemFailed),
        (401, {}, Halt),
    ],
)
def test_a_limit_and_a_refused_token_have_their_outcomes(
    look: FakeLook, site: Site, status: int, headers: dict[str, str], outcome: type[Outcome]
) -> None:
    site.put("/repos/o/r/releases", "{}", status=status, **headers)
    with pytest.raises(outcome) as raised:
        keys(look, site, secret="finnhub_token")
    assert site.headers[0]["Authorization"] == "Bearer test-token" and "test-token" not in str(raised.value)
    if "Remaining" in str(headers) and status == 403 and isinstance(raised.value, SourceBlocked):
        assert raised.value.until is not None and 600 < raised.value.until - time.time() <= 901


@pytest.mark.parametrize("answer", ["{}", "[1]", '[{"tag_name": null}]', "null"])
def test_an_answer_of_another_shape_comes_again_later(look: FakeLook, site: Site, answer: str) -> None:
    site.put("/repos/o/r/releases", answer)
    for more in ({}, {"since": "2024-01-01"}):
        with pytest.raises(RetryLater):
            keys(look, site, **more)


@pytest.mark.parametrize("repo", ["o", "o/r/x", "../x", "o/r?x=1", "https://github.com/o/r"])
def test_what_is_no_repository_halts(look: FakeLook, site: Site, repo: str) -> None:
    with pytest.raises(Halt, match="not owner/name"):
        keys(look, site, repos=[repo])


def test_recorded_answers_are_releases_or_refused(look: FakeLook, site: Site, shared: Path) -> None:
    for file in (shared / "data" / "github_json").iterdir():
        site.put("/repos/o/r/releases", file.read_text())
        if file.name == "releases.json":
            found = list(github_releases(look, repos=["o/r"], base_url=site.url))
            assert [one.data["tag"] for one in found][:1] == ["0.5"] and len(found) == 5
        else:
            with pytest.raises(RetryLater, match="tag_name"):
                keys(look, site)
