from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rivus.model.outcome import Halt, RetryLater, SourceBlocked
from rivus.sources import wayback as module
from rivus.sources.wayback import wayback
from tests.site import Page, Site

from .conftest import FakeLook

HEADER = ["timestamp", "original", "mimetype", "statuscode", "digest", "length"]
ROWS = [
    ["20200102030405", "http://example.org:80/a?utm_source=x", "text/html", "200", "SHA", "1234"],
    ["20210102030405", "http://example.org/a", "text/html", "200", "SHB", "1235"],
    ["20210203040506", "http://example.org/b", "text/html", "-", "-", "-"],
    ["20220203040506", "https://example.org/c", "text/html", "200", "SHC", "9"],
]


class Archive(Site):
    """An index with pages of two rows and resumption keys; `queries` are those of all requests."""

    rows = ROWS

    def answer(self, path: str, asked: dict[str, str]) -> Page:
        super().answer(path, asked)
        query = self.queries[-1]
        rows = [row for row in self.rows if query.get("from", [""])[0] <= row[0] <= query.get("to", ["9"])[0]]
        start = int(query.get("resumeKey", ["0"])[0])
        more: list[list[str]] = [[], [str(start + 2)]] if start + 2 < len(rows) else []
        body = json.dumps([HEADER, *rows[start : start + 2], *more] if rows else [])
        return 200, {"Content-Type": "application/json"}, body.encode()

    @property
    def queries(self) -> list[dict[str, list[str]]]:
        return [parse_qs(urlsplit(path).query) for path in self.asked]


@pytest.fixture
def archive() -> Any:
    started = Archive()
    yield started
    started.close()


def take(look: FakeLook, archive: Site, **more: Any) -> list[Any]:
    look.cursor = json.loads(json.dumps(look.cursor))
    return look.take(wayback(look, **{"url": "example.org/*", "base_url": archive.url, **more}))


def test_each_address_is_found_once_over_all_pages(look: FakeLook, archive: Archive) -> None:
    found = take(look, archive)
    assert [one.key for one in found] == [f"https://example.org/{name}" for name in "abc"]
    assert found[0].data == {
        "url": f"{archive.url}/web/20200102030405id_/http://example.org:80/a?utm_source=x",
        "original": "http://example.org:80/a?utm_source=x", "published": "2020-01-02T03:04:05Z",
        "mimetype": "text/html", "status": 200, "digest": "SHA", "bytes": 1234,
    }  # fmt: skip
    assert found[1].data.keys() == {"url", "original", "published", "mimetype"}


def test_each_snapshot_can_be_an_item(look: FakeLook, archive: Archive) -> None:
    keys = [one.key for one in take(look, archive, key="snapshot")]
    assert len(keys) == 4 and keys[:2] == [
        "https://example.org/a@20200102030405",
        "https://example.org/a@20210102030405",
    ]


def test_the_archive_is_asked_to_filter_and_collapse(look: FakeLook, archive: Archive) -> None:
    take(look, archive, mimetype="text/.*", collapse="timestamp:8", since="2021-01-01", until="2022-01-01")
    assert archive.queries[0] == {
        "url": ["example.org/*"], "output": ["json"], "fl": [",".join(HEADER)], "limit": ["2000"],
        "showResumeKey": ["true"], "filter": ["statuscode:200", "mimetype:text/.*"], "collapse": ["timestamp:8"],
        "from": ["20210101000000"], "to": ["20211231235959"],
    }  # fmt: skip


def test_a_span_takes_the_snapshots_made_in_it(look: FakeLook, archive: Archive) -> None:
    found = take(look, archive, key="snapshot", since="2021-01-01", until="2022-02-03T04:05:06Z")
    assert [one.key[-14:] for one in found] == ["20210102030405", "20210203040506"]


def test_a_look_that_is_full_goes_on_at_the_next(look: FakeLook, archive: Archive) -> None:
    keys = [[one.key[-1] for one in take(look, archive, max_items=1)] for _ in range(3)]
    assert keys == [["a"], ["b"], ["c"]]
    assert "resumeKey" in archive.queries[-1]


def test_pages_left_over_are_read_at_the_next_look(
    look: FakeLook, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 1)
    assert [len(take(look, archive, key="snapshot")) for _ in range(2)] == [2, 2]


def test_after_all_was_read_only_what_is_later_is_asked_for(look: FakeLook, archive: Archive) -> None:
    take(look, archive)
    assert take(look, archive) == []
    begin = archive.queries[-1]["from"][0]
    assert len(begin) == 14 and begin > "20230101"
    take(look, archive, mimetype="image/png")
    assert "from" not in archive.queries[-1], "what else is asked begins anew"


@pytest.mark.parametrize("body", ["<html>Sign in</html>", '{"a": 1}', '[["x"], ["y"]]', "[1, 2]", "[" * 5_000])
def test_what_is_no_index_is_refused(look: FakeLook, site: Site, body: str) -> None:
    site.put("/cdx/search/cdx", body)
    with pytest.raises(RetryLater, match="not a page of the index"):
        take(look, site)
    assert look.cursor == {}


@pytest.mark.parametrize("row", [["1"] * 6, ["20200102030405", "javascript:x", "", "", "", ""], ["20200102030405"]])
def test_rows_that_make_no_sense_are_left_out(look: FakeLook, archive: Archive, row: list[str]) -> None:
    archive.rows = [row]
    assert take(look, archive) == []


def test_an_archive_that_wants_a_rest_gets_it(look: FakeLook, site: Site) -> None:
    site.put("/cdx/search/cdx", "", 429)
    with pytest.raises(SourceBlocked):
        take(look, site)


@pytest.mark.parametrize("url", ["", " ", "a b", "x\n"])
def test_what_is_no_address_halts(tmp_path: Path, url: str) -> None:
    with pytest.raises(Halt, match="url"):
        list(wayback(FakeLook(tmp_path), url=url))
