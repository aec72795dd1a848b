from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, ItemFailed, RetryLater
from rivus.sources.json_api import json_api
from tests.site import Site

from .conftest import FakeLook


def put(site: Site, path: str, answer: Any, **headers: str) -> str:
    return site.put(path, json.dumps(answer), kind="application/json", **headers)


def ids(*numbers: int) -> list[dict[str, int]]:
    return [{"id": number} for number in numbers]


def keys(look: FakeLook, **given: Any) -> list[str]:
    return [found.key for found in json_api(look, **given)]


def test_fields_are_picked_by_expressions_and_the_date_becomes_utc(look: FakeLook, site: Site) -> None:
    row = {"no": 7, "names": {"long": "A"}, "at": 1700000000, "path": "/a", "empty": None}
    url = put(site, "/a", {"data": {"rows": [row]}})
    link = "join('', ['https://x.org', path])"
    fields = {"title": "names.long", "url": link, "published": "at", "none": "empty"}
    assert [(one.key, one.data) for one in json_api(look, url=url, items="data.rows", key="no", fields=fields)] == [
        ("7", {"title": "A", "url": "https://x.org/a", "published": "2023-11-14T22:13:20Z"})
    ]


def test_without_fields_the_item_is_the_row(look: FakeLook, site: Site) -> None:
    url = put(site, "/a", [{"id": "x", "a": [1, {"b": None}]}, {"id": 2.0}])
    assert [(one.key, one.data) for one in json_api(look, url=url)] == [
        ("x", {"id": "x", "a": [1, {"b": None}]}), ("2", {"id": 2.0}),
    ]  # fmt: skip
    url = put(site, "/b", ["a", "b"])
    assert [(one.key, one.data) for one in json_api(look, url=url, key="@")] == [
        ("a", {"value": "a"}),
        ("b", {"value": "b"}),
    ]


def test_an_answer_that_has_not_changed_is_not_read_again(look: FakeLook, site: Site) -> None:
    url = put(site, "/a", ids(1), ETag='"1"')
    assert keys(look, url=url, params={"q": "a b", "all": True}) == ["1"]
    assert keys(look, url=url, params={"q": "a b", "all": True}) == []
    assert site.asked == ["/a?q=a+b&all=true"] * 2
    assert keys(look, url=url, params={"q": "c"}) == ["1"], "another question is asked whole"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"items": "data["}, "items: 'data\\[' is no JMESPath"),
        ({"key": "["}, "key: "),
        ({"fields": {"title": "a b"}}, "fields.title"),
        ({"url": "ftp://x"}, "url: "),
        ({"secret": "none_such"}, "no secret"),
        ({"secret": "finnhub_token", "header": "X\r\nY"}, "header"),
        ({"paging": {"by": "tree"}}, "paging.by"),
        ({"paging": {"by": "page", "sise": 3}}, "paging.sise: known are by, param"),
        ({"paging": {"by": "page", "start": "1"}}, "paging.start"),
        ({"paging": {"by": "cursor"}}, "paging.cursor"),
        ({"paging": {"by": "page", "max_pages": 0}}, "max_pages"),
        ({"since": "2024-01-01", "fields": {"a": "a"}}, "nothing tells"),
        ({"until": "2024-01-01", "since_param": "from", "fields": {"a": "a"}}, "nothing tells"),
        ({"since": "yesterday"}, "since"),
    ],
)
def test_a_bad_parameter_halts_before_anything_is_asked(
    look: FakeLook, site: Site, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(Halt, match=told):
        keys(look, **{"url": site.url, **given})
    assert site.asked == []


@pytest.mark.parametrize(
    ("answer", "given", "told"),
    [
        ({"error": "over", "code": 5}, {"items": "data"}, "nothing, not a list: the answer is an object with error"),
        ({"data": {"rows": []}}, {"items": "data"}, "an object with rows, not a list"),
        ({"data": [{"a": 1}]}, {"items": "data[*].item"}, "finds nothing in any row"),
        ({"data": [{"a": 1}]}, {"items": "data[].item[]"}, "finds nothing in any row"),
        ([{"a": 1}], {}, "key: 'id' is no text or number in any row: the first is an object with a"),
        ([{"id": None}, {"id": {}}, {"id": True}], {}, "key"),
        ([{"id": 1, "a": 2}], {"fields": {"title": "b"}}, "fields: none is in any row"),
        ([{"id": 1}], {"since": "2024-01-01"}, "published: no row has a date"),
        ("text", {}, "not a list"),
        (None, {}, "not a list"),
        ([{"id": 1}], {"items": "length(@[0].id)"}, "does not fit"),
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_never_an_empty_one(
    look: FakeLook, site: Site, answer: Any, given: dict[str, Any], told: str
) -> None:
    url = put(site, "/a", answer, ETag='"1"')
    with pytest.raises(RetryLater) as error:
        keys(look, url=url, **given)
    assert told in str(error.value)
    assert look.cursor == {}


@pytest.mark.parametrize(
    ("answer", "items"),
    [([], "@"), ({"data": []}, "data[*].item"), ({"data": [{"b": []}]}, "data[].b[]"), ([{"a": 1}], "[?a==`2`]")],
)
def test_an_empty_list_is_one(look: FakeLook, site: Site, answer: Any, items: str) -> None:
    assert keys(look, url=put(site, "/a", answer), items=items) == []


@pytest.mark.parametrize("body", [b"[NaN]", b"[" * 100_000, b"\xff\xfe", b"<html>", b""])
def test_what_is_no_json_comes_again_later(look: FakeLook, site: Site, body: bytes) -> None:
    with pytest.raises(RetryLater, match="no JSON"):
        keys(look, url=site.put("/a", body))


def test_rows_without_a_key_do_not_hide_the_others(look: FakeLook, site: Site, caplog: Any) -> None:
    assert keys(look, url=put(site, "/a", [{"id": 1}, {"id": ""}, 5])) == ["1"]
    assert "2 of 3 rows" in caplog.text


def test_a_secret_goes_into_a_header_or_the_query_and_nowhere_else(look: FakeLook, site: Site) -> None:
    url = put(site, "/a", ids(1), ETag='"1"')
    keys(look, url=url, secret="finnhub_token")
    keys(look, url=url, secret="finnhub_token", header="Authorization")
    keys(FakeLook(look.folder), url=url, secret="finnhub_token", query="key")
    assert site.headers[0]["X-Api-Key"] == "test-token" and site.headers[1]["Authorization"] == "Bearer test-token"
    assert site.asked == ["/a", "/a", "/a?key=test-token"]
    assert "test-token" not in json.dumps(look.cursor)


def test_a_secret_that_is_refused_halts(look: FakeLook, site: Site) -> None:
    url = site.put("/a", "no", status=401)
    with pytest.raises(Halt, match="finnhub_token is refused"):
        keys(look, url=url, secret="finnhub_token", header="X-Mine")
    with pytest.raises(ItemFailed):
        keys(look, url=url)


PAGES: dict[str, tuple[dict[str, str | int], dict[str, Any], list[str]]] = {
    "page": ({"by": "page"}, {"/a?page=1": ids(1, 2), "/a?page=2": ids(3), "/a?page=3": []},
             ["/a?page=1", "/a?page=2", "/a?page=3"]),
    "page with size": ({"by": "page", "param": "p", "start": 0, "size": 2}, {"/a?p=0": ids(1, 2), "/a?p=1": ids(3)},
                       ["/a?p=0", "/a?p=1"]),
    "offset": ({"by": "offset"}, {"/a?offset=0": ids(1, 2), "/a?offset=2": ids(3), "/a?offset=3": []},
               ["/a?offset=0", "/a?offset=2", "/a?offset=3"]),
    "cursor": ({"by": "cursor", "param": "c", "cursor": "next"},
               {"/a": {"rows": ids(1, 2), "next": "x y"}, "/a?c=x+y": {"rows": ids(3), "next": None}},
               ["/a", "/a?c=x+y"]),
    "address": ({"by": "cursor", "cursor": "next"},
                {"/a": {"rows": ids(1, 2), "next": "/b?z=1"}, "/b?z=1": {"rows": ids(3), "next": ""}},
                ["/a", "/b?z=1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_followed_to_their_end(look: FakeLook, site: Site, name: str) -> None:
    paging, pages, asked = PAGES[name]
    for path, answer in pages.items():
        put(site, path, answer)
    items = "rows" if "cursor" in paging else "@"
    assert keys(look, url=f"{site.url}/a", items=items, paging=paging) == ["1", "2", "3"]
    assert site.asked == asked


def test_a_link_header_leads_on_and_the_secret_goes_along(look: FakeLook, site: Site) -> None:
    put(site, "/a", ids(1), Link='</a?page=2&key=old>; rel="next", </a?page=9>; rel="last"')
    put(site, "/a?page=2&key=test-token", ids(2))
    paging: dict[str, str | int] = {"by": "link"}
    assert keys(look, url=f"{site.url}/a", paging=paging, secret="finnhub_token", query="key") == ["1", "2"]


@pytest.mark.parametrize("where", ["http://127.0.0.2/a", "https://{host}/a", "http://{host}1/a", "//evil.example/a"])
def test_no_page_is_at_another_host(look: FakeLook, site: Site, where: str) -> None:
    put(site, "/a", ids(1), Link=f'<{where.format(host=f"127.0.0.1:{site.port}")}>; rel="next"')
    with pytest.raises(RetryLater, match="another host"):
        keys(look, url=f"{site.url}/a", paging={"by": "link"}, secret="finnhub_token")
    assert len(site.asked) == 1


def test_a_server_that_gives_the_same_page_again_is_asked_twice(look: FakeLook, site: Site) -> None:
    assert keys(look, url=put(site, "/a", ids(1, 2)), paging={"by": "page", "max_pages": 50}) == ["1", "2"]
    assert len(site.asked) == 2


def test_max_pages_ends_the_look(look: FakeLook, site: Site) -> None:
    for number in range(1, 9):
        put(site, f"/a?page={number}", ids(number))
    assert keys(look, url=f"{site.url}/a", paging={"by": "page", "max_pages": 3}) == ["1", "2", "3"]


@pytest.fixture
def newest(site: Site) -> Callable[..., dict[str, Any]]:
    """Pages of two, the newest first."""

    def put_pages(last: int) -> dict[str, Any]:
        for page, number in enumerate(range(last, -1, -2), 1):
            put(site, f"/a?page={page}", ids(number, number - 1) if number else [])
        site.asked.clear()
        return {"url": f"{site.url}/a", "stop_at_known": True, "paging": {"by": "page", "size": 2, "max_pages": 4}}

    return put_pages


def test_known_items_end_a_look_that_was_whole_before(
    look: FakeLook, site: Site, newest: Callable[..., dict[str, Any]]
) -> None:
    assert len(look.take(json_api(look, **newest(8)))) == 8
    assert [one.key for one in look.take(json_api(look, **newest(10)))] == ["10", "9"]
    assert site.asked == ["/a?page=1", "/a?page=2"]


def test_what_a_look_that_was_cut_short_left_out_is_found_by_the_next(
    look: FakeLook, newest: Callable[..., dict[str, Any]]
) -> None:
    look.take(json_api(look, **newest(4)))
    cursor = json.loads(json.dumps(look.cursor))
    cut = json_api(look, **newest(8))
    look.take(islice(cut, 2))
    cut.close()  # type: ignore[attr-defined]
    assert look.cursor == cursor
    assert [one.key for one in look.take(json_api(look, **newest(8)))] == ["6", "5"]


def test_a_span_is_told_to_the_server_and_checked_by_dates(look: FakeLook, site: Site) -> None:
    rows = [{"id": n, "at": at} for n, at in enumerate(["2024-01-01", "2024-01-02T10:00:00+02:00", None, "2024-02-01"])]
    url = put(site, "/a", rows, ETag='"1"')
    span = {"since": "2024-01-02", "until": "2024-02-01"}
    assert keys(look, url=url, published="at", **span) == ["1"]
    trusted = {"since_param": "from", "until_param": "to", **span}
    assert keys(look, url=url, published="at", **trusted) == ["1", "2"]
    assert keys(look, url=url, **trusted, time_format="seconds") == ["0", "1", "2", "3"]
    assert site.asked == [
        "/a",
        "/a?from=2024-01-02T00%3A00%3A00Z&to=2024-02-01T00%3A00%3A00Z",
        "/a?from=1704153600&to=1706745600",
    ]
    assert keys(look, url=url) == ["0", "1", "2", "3"], "what a span remembered does not hide the rest"


GITHUB = {"commits.json": ("sha", "commit.author.date"), "issues.json": ("number", "created_at"),
          "releases.json": ("tag_name", "published_at"), "tags.json": ("name", None)}  # fmt: skip


def test_recorded_answers_of_github_become_items(look: FakeLook, world: Any, shared: Path) -> None:
    assert {file.name for file in (shared / "data" / "github_json").iterdir()} == GITHUB.keys()
    for name, (key, published) in GITHUB.items():
        url = f"{world.url}/files/github_json/{name}"
        found = list(json_api(FakeLook(look.folder), url=url, key=key, published=published))
        assert found and len({one.key for one in found}) == len(found)
        assert published is None or all(one.data["published"].endswith("Z") for one in found)


def test_of_an_answer_with_too_many_rows_the_first_are_taken(
    look: FakeLook, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rivus.sources.jsonrows.MOST", 2)
    assert keys(look, url=put(site, "/a", ids(1, 2, 3))) == ["1", "2"]
