from __future__ import annotations

import hashlib
import json
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from rivus import secrets
from rivus.handlers.http import download, get_json
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, Skip, SourceBlocked
from rivus.net.record import Player, Recorder, read_record, taped
from tests.conftest import World
from tests.handlers.conftest import FakeContext
from tests.site import Site

QUOTE = '{"data": {"price": 1.5, "old": null}, "list": [1, 2]}'


def put(site: Site, body: str | bytes, path: str = "/q", **more: Any) -> str:
    return site.put(path, body, kind="application/json", **more)


# ---- http.json


def test_the_answer_is_the_output(ctx: FakeContext, site: Site) -> None:
    url = put(site, QUOTE)
    assert get_json({"url": url}, ctx) == json.loads(QUOTE)
    assert get_json({"link": url}, ctx, url_field="link", into="answer") == {"answer": json.loads(QUOTE)}
    assert site.headers[0]["Accept"] == "application/json"


def test_fields_of_the_item_are_parts_of_the_address_and_nothing_more(ctx: FakeContext, site: Site) -> None:
    site.pages = {path: (200, {}, b'{"a": 1}') for path in ("/v1/BRK%2FB%3Fx%3D1%23%40/2024", "/v1/%C3%A4%20%25/2024")}
    for symbol in ("BRK/B?x=1#@", "ä %"):
        item = {"symbol": symbol, "first": {"year": 2024}}
        assert get_json(item, ctx, url=f"{site.url}/v1/{{symbol}}/{{first.year}}") == {"a": 1}


@pytest.mark.parametrize("symbol", ["..", ".", "", None, True, ["x"], "x" * 3000, "\ud800"])
def test_a_field_that_is_missing_or_leads_elsewhere_fails_the_item(ctx: FakeContext, site: Site, symbol: Any) -> None:
    with pytest.raises(ItemFailed, match=r"symbol|another folder"):
        get_json({"symbol": symbol}, ctx, url=f"{site.url}/v1/{{symbol}}/quote")
    assert site.asked == []


@pytest.mark.parametrize("url", ["https://{host}/x", "https://a.example@{x}/", "https://u:p@h/", "ftp://x/", "{url}"])
def test_the_host_is_never_a_part_of_an_item(ctx: FakeContext, url: str) -> None:
    with pytest.raises(Halt, match="host that is written out"):
        get_json({"host": "evil.example", "x": "y", "url": "https://x"}, ctx, url=url)


def test_params_are_encoded_and_can_have_fields(ctx: FakeContext, site: Site) -> None:
    put(site, QUOTE)
    get_json({"q": "a&b=c"}, ctx, url=f"{site.url}/q", params={"search": "x {q}", "page": 2, "all": True})
    assert site.asked == ["/q?search=x+a%26b%3Dc&page=2&all=True"]


def test_a_part_of_the_answer_can_be_selected(ctx: FakeContext, site: Site) -> None:
    url = put(site, QUOTE)
    assert get_json({"url": url}, ctx, select="data") == {"price": 1.5, "old": None}
    assert get_json({"url": url}, ctx, select="list[-1]", into="last") == {"last": 2}
    assert get_json({"url": url}, ctx, select="{p: data.price}") == {"p": 1.5}
    for nothing in ("data.none", "data.old", "list[?@ > `5`]"):
        with pytest.raises(ItemFailed, match="is empty"):
            get_json({"url": url}, ctx, select=nothing, into="x")
    with pytest.raises(ItemFailed, match="does not fit"):
        get_json({"url": url}, ctx, select="length(data.price)", into="x")
    for wrong in ("data[", "", "no_such(@)" + ")"):
        with pytest.raises(Halt, match="JMESPath"):
            get_json({"url": url}, ctx, select=wrong)


def test_what_is_not_there_can_mean_that_there_is_nothing_to_do(ctx: FakeContext, site: Site) -> None:
    for url in (f"{site.url}/nobody", put(site, "null")):
        with pytest.raises(ItemFailed):
            get_json({"url": url}, ctx)
        with pytest.raises(Skip):
            get_json({"url": url}, ctx, absent="skip")


def test_what_is_no_object_needs_a_name(ctx: FakeContext, site: Site) -> None:
    url = put(site, "[1, 2]")
    with pytest.raises(ItemFailed, match="`into`"):  # one stranger's answer must not stop the others
        get_json({"url": url}, ctx)
    assert get_json({"url": url}, ctx, into="numbers") == {"numbers": [1, 2]}


@pytest.mark.parametrize("body", ["", "<html>Just a moment", "{", "NaN", "[" * 50_000, "\x00", "1 2", b"\xff\xfe\xfd"])
def test_what_is_no_json_is_tried_again_later(ctx: FakeContext, site: Site, body: str | bytes) -> None:
    with pytest.raises(RetryLater, match="no JSON"):
        get_json({"url": put(site, body)}, ctx)


@pytest.mark.parametrize("body", ["null", "{}", "[]", '""'])
def test_an_empty_answer_is_no_result(ctx: FakeContext, site: Site, body: str) -> None:
    with pytest.raises(ItemFailed, match="the answer is empty"):
        get_json({"url": put(site, body)}, ctx, into="x")


@pytest.mark.parametrize("body", ['{"id": 123456789012345678901}', '{"a": "\\ud800"}', '{"a":' * 70 + "1" + "}" * 70])
def test_json_that_no_document_can_hold_fails_the_item(ctx: FakeContext, site: Site, body: str) -> None:
    with pytest.raises(ItemFailed, match="cannot be kept"):
        get_json({"url": put(site, body)}, ctx)


def test_an_answer_too_large_for_a_document_fails_the_item_and_says_what_helps(ctx: FakeContext, site: Site) -> None:
    put(site, json.dumps({"small": 1, "big": "ä" * 8_000_000}, ensure_ascii=False))
    with pytest.raises(ItemFailed, match=r"16,\d+,\d+ bytes .*`select`.*`http\.download`"):
        get_json({"url": f"{site.url}/q"}, ctx)
    assert get_json({"url": f"{site.url}/q"}, ctx, select="small", into="x") == {"x": 1}


@pytest.fixture
def keyed(ctx: FakeContext, monkeypatch: pytest.MonkeyPatch) -> FakeContext:
    monkeypatch.setenv("RIVUS_SECRET_EXAMPLE_KEY", "hush-hush-123")
    monkeypatch.setattr(ctx, "secret", secrets.get)
    return ctx


def test_a_secret_goes_into_a_header_or_the_query(keyed: FakeContext, site: Site) -> None:
    url = put(site, QUOTE)
    get_json({}, keyed, url=url, secret="example_key")
    get_json({}, keyed, url=url, secret="example_key", header="X-Token")
    get_json({}, keyed, url=url, secret="example_key", query="apikey")
    assert [headers.get("X-Api-Key") for headers in site.headers] == ["hush-hush-123", None, None]
    assert site.headers[1]["X-Token"] == "hush-hush-123" and site.asked[-1] == "/q?apikey=hush-hush-123"


def test_authorization_holds_a_bearer_token(keyed: FakeContext, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    url = put(site, QUOTE)
    get_json({}, keyed, url=url, secret="example_key", header="Authorization")
    monkeypatch.setenv("RIVUS_SECRET_EXAMPLE_KEY", "Basic aHVzaDpodXNo")
    get_json({}, keyed, url=url, secret="example_key", header="Authorization")
    assert [each["Authorization"] for each in site.headers] == ["Bearer hush-hush-123", "Basic aHVzaDpodXNo"]


def test_no_half_of_a_secret_is_told(keyed: FakeContext, site: Site) -> None:
    url = put(site, "x" * 75 + "hush-hush-123 is unknown")
    with pytest.raises(RetryLater, match="no JSON") as failed:
        get_json({}, keyed, url=url, secret="example_key")
    assert "hush" not in str(failed.value)


def test_a_secret_never_goes_to_an_address_from_an_item(keyed: FakeContext, site: Site) -> None:
    with pytest.raises(Halt, match="only to a `url`"):
        get_json({"url": put(site, QUOTE)}, keyed, secret="example_key")
    assert site.asked == []


def test_a_secret_does_not_follow_a_redirect_to_another_host(keyed: FakeContext, site: Site) -> None:
    site.put("/away", "", status=302, Location=site.url.replace("127.0.0.1", "127.0.0.2") + "/q")
    keyed.http.close()
    with pytest.raises(ItemFailed, match="private address"):
        get_json({}, keyed, url=f"{site.url}/away", secret="example_key", header="X-Odd")
    assert len(site.asked) == 1


@pytest.mark.parametrize("how", [{}, {"header": "X-Odd"}, {"query": "q"}])
def test_a_refused_or_failing_secret_is_not_told(keyed: FakeContext, site: Site, how: dict[str, str]) -> None:
    with pytest.raises(Halt, match="example_key is refused"):
        get_json({}, keyed, url=put(site, "no", status=401), secret="example_key", **how)
    with pytest.raises(RetryLater) as failed:
        get_json({}, keyed, url=put(site, "no", status=500), secret="example_key", **how)
    assert "hush" not in str(failed.value)


def test_a_header_without_a_proper_name_halts_the_job(keyed: FakeContext, site: Site) -> None:
    with pytest.raises(Halt, match="no name of a header"):
        get_json({}, keyed, url=site.url, secret="example_key", header="X: y\r\nZ")


KINDS = ["github_json", "hackernews", "reddit_json", "finnhub", "sec_edgar", "ytdlp_info", "youtube_player_status"]


def test_recorded_answers_are_read_or_clearly_refused(ctx: FakeContext, shared: Path, site: Site) -> None:
    read = refused = 0
    for kind in [*KINDS, "captions", "robots"]:
        for path in sorted((shared / "data" / kind).iterdir()):
            try:
                assert get_json({"url": put(site, path.read_bytes())}, ctx, into="x")["x"]
                read += 1
            except (RetryLater, ItemFailed) as outcome:
                assert "no JSON" in str(outcome) or "is empty" in str(outcome)
                refused += 1
    assert read >= 25 and refused >= 10


def test_a_story_comes_through_the_network(ctx: FakeContext, world: World) -> None:
    found = get_json({"n": 8863}, ctx, url=f"{world.url}/v0/item/{{n}}.json", select="{title: title, score: score}")
    assert found["title"].startswith("My YC app") and found["score"] > 100


# ---- http.download


def test_a_body_becomes_a_file_whose_name_no_server_chooses(ctx: FakeContext, site: Site) -> None:
    body = bytes(range(256)) * 1000
    named = 'attachment; filename="../../a.sh"'
    url = site.put("/x/evil.sh", body, kind="application/pdf", Content_Disposition=named)
    found = download({"url": url}, ctx, types=["application/pdf", "image/*"])
    assert found == {
        "file": "fetch/body.pdf", "bytes": 256_000, "sha256": hashlib.sha256(body).hexdigest(),
        "content_type": "application/pdf", "url": url,
    }  # fmt: skip
    assert ctx.path("fetch/body.pdf").read_bytes() == body
    assert [path.name for path in ctx.workdir.iterdir()] == ["body.pdf"]


@pytest.mark.parametrize(("kind", "name"), [("", "body.bin"), ("x/../y", "body.bin"), ("audio/mpeg", "body.mp3")])
def test_the_suffix_is_that_of_a_known_type(ctx: FakeContext, site: Site, kind: str, name: str) -> None:
    assert download({"n": 1}, ctx, url=site.put("/1", "x", kind=kind), into="raw")["raw"]["file"] == f"fetch/{name}"


def test_another_type_than_expected_fails_the_item_unread(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(ItemFailed, match="is text/html, not image"):
        download({"url": site.put("/a", "x")}, ctx, types=["image/*"])
    assert list(ctx.workdir.iterdir()) == []


@pytest.mark.parametrize("body", [b"x" * 2_000_001, b""])
def test_too_much_and_nothing_leave_no_file(ctx: FakeContext, site: Site, body: bytes) -> None:
    with pytest.raises(ItemFailed if body else RetryLater, match=r"larger than 2,000,000|empty"):
        download({"url": site.put("/a", body)}, ctx, max_mb=2)
    assert list(ctx.workdir.iterdir()) == []


@pytest.mark.parametrize("wrong", [0, -1, 5_000, float("nan")])
def test_a_size_that_makes_no_sense_halts_the_job(ctx: FakeContext, wrong: float) -> None:
    with pytest.raises(Halt, match="max_mb"):
        download({"url": "https://example.org"}, ctx, max_mb=wrong)


def test_a_download_that_hangs_is_tried_again_before_the_stage_is_over(ctx: FakeContext, site: Site) -> None:
    released = threading.Event()
    site.before = lambda path: released.wait(10)
    ctx.timeout = 0.3
    with pytest.raises(RetryLater, match=r"0\.27 s"):
        download({"url": site.put("/a", b"x")}, ctx)
    released.set()


def test_a_download_is_not_held_in_memory(ctx: FakeContext, site: Site) -> None:
    url = site.put("/a", b"x" * 30_000_000)
    tracemalloc.start()
    try:
        assert download({"url": url}, ctx)["bytes"] == 30_000_000
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_download_follows_redirects_and_says_where_it_ended(ctx: FakeContext, site: Site) -> None:
    end = site.put("/b", "end", kind="text/plain")
    assert download({"url": site.put("/a", "moved", status=302, Location="/b")}, ctx)["url"] == end
    assert ctx.path("fetch/body.txt").read_bytes() == b"end"


@pytest.mark.parametrize(
    ("status", "outcome"), [(404, ItemFailed), (429, SourceBlocked), (500, RetryLater), (204, RetryLater)]
)
def test_the_status_of_a_download_decides(ctx: FakeContext, site: Site, status: int, outcome: type[Outcome]) -> None:
    with pytest.raises(outcome):
        download({"url": site.put("/a", "" if status == 204 else "no", status=status)}, ctx)
    assert list(ctx.workdir.iterdir()) == []


def test_a_download_goes_on_a_tape_and_comes_from_it(ctx: FakeContext, site: Site, tmp_path: Path) -> None:
    url = site.put("/a", "the body", kind="text/plain")
    recorder = Recorder()
    with taped(recorder):
        first = download({"url": url}, ctx)
    record = recorder.dump({})
    assert record is not None
    with taped(Player(read_record(record)[1], "is not in the record")):
        again = download({"url": url}, FakeContext(tmp_path / "again"))
    assert again == first and site.asked == ["/a"]


def test_a_download_too_large_for_a_tape_is_fetched_all_the_same(
    ctx: FakeContext, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rivus.net.record.LARGEST", 1_000)
    recorder = Recorder()
    with taped(recorder):
        assert download({"url": site.put("/a", b"x" * 200_000)}, ctx)["bytes"] == 200_000
    assert recorder.too_large
