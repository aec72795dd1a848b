from __future__ import annotations

import email.utils
import gzip
import resource
import threading
import time
from typing import Any

import pytest
import requests

from rivus import __version__, secrets
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, SourceBlocked
from rivus.net.session import check, fetch, open_session

from .conftest import plainly

LOOPBACK = ["127.0.0.1"]


def outcome(session: requests.Session, url: str, **request: Any) -> Outcome | requests.Response:
    try:
        return check(fetch(session, url, **request))
    except Outcome as raised:
        return raised


def test_an_answer_comes_with_its_body_and_a_polite_name(serve: Any) -> None:
    server = serve(lambda request: plainly(b"hello"))
    response = check(fetch(open_session(LOOPBACK), server.url))
    assert response.content == b"hello" and response.text == "hello"
    assert f"User-Agent: rivus/{__version__} (feed and page watcher; polite)".encode() in server.requests[0]


def test_a_private_address_fails_the_item_and_is_never_reached(serve: Any) -> None:
    server = serve(lambda request: plainly(b"secret"))
    failed = outcome(open_session(), server.url)
    assert isinstance(failed, ItemFailed) and "private address 127.0.0.1" in str(failed)
    assert server.requests == []


def test_a_redirect_to_a_private_address_is_refused(serve: Any) -> None:
    inner = serve(lambda request: plainly(b"secret"))
    location = f"Location: http://127.0.0.2:{inner.port}/\r\n"
    outer = serve(lambda request: plainly(b"", location, "302 Found"))
    assert isinstance(outcome(open_session(LOOPBACK), outer.url), ItemFailed)
    assert inner.requests == []


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.org/", "gopher://x/", "x", "http://", "http://a b/", "http://.x/"],
)
def test_only_good_http_addresses_are_fetched(url: str) -> None:
    assert isinstance(outcome(open_session(), url), ItemFailed)


def test_a_redirect_to_a_file_is_refused(serve: Any) -> None:
    server = serve(lambda request: plainly(b"", "Location: file:///etc/passwd\r\n", "302 Found"))
    assert isinstance(outcome(open_session(LOOPBACK), server.url), ItemFailed)


@pytest.mark.parametrize("location", ["http://[", "http://127.0.0.1:x/"])
def test_a_redirect_to_what_is_no_address_is_refused(serve: Any, location: str) -> None:
    server = serve(lambda request: plainly(b"", f"Location: {location}\r\n", "302 Found"))
    assert isinstance(outcome(open_session(LOOPBACK), server.url), ItemFailed)


def test_more_than_five_redirects_are_too_many(serve: Any) -> None:
    server = serve(lambda request: plainly(b"", "Location: /\r\n", "302 Found"))
    failed = outcome(open_session(LOOPBACK), server.url)
    assert isinstance(failed, RetryLater) and "redirects" in str(failed)
    assert len(server.requests) == 6


def test_a_bomb_is_stopped_early_in_little_memory(serve: Any) -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    server = serve(lambda request: plainly(bomb, "Content-Encoding: gzip\r\n"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    failed = outcome(open_session(LOOPBACK, max_bytes=1_000_000), server.url)
    assert isinstance(failed, ItemFailed) and "larger than 1,000,000 bytes" in str(failed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_bomb_in_the_body_of_a_redirect_is_stopped_too(serve: Any) -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    server = serve(lambda request: plainly(bomb, "Content-Encoding: gzip\r\nLocation: /\r\n", "302 Found"))
    assert isinstance(outcome(open_session(LOOPBACK, max_bytes=100_000), server.url), ItemFailed)
    assert len(server.requests) == 1


def test_a_truncated_body_is_an_error(serve: Any) -> None:
    server = serve(lambda request: [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"])
    failed = outcome(open_session(LOOPBACK), server.url)
    assert isinstance(failed, RetryLater) and "4 bytes read" in str(failed)


def test_a_body_that_is_not_compressed_as_it_says_is_an_error(serve: Any) -> None:
    server = serve(lambda request: plainly(b"not gzip at all", "Content-Encoding: gzip\r\n"))
    assert isinstance(outcome(open_session(LOOPBACK), server.url), RetryLater)


TRICKLES = {
    "a body with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
    "a body that ends with the connection": b"HTTP/1.1 200 OK\r\n\r\n",
    "a chunked body": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n270f\r\n",
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "a redirect's body": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9999\r\n\r\n",
}


@pytest.mark.parametrize("head", TRICKLES.values(), ids=TRICKLES.keys())
def test_trickling_ends_with_the_deadline(serve: Any, head: bytes) -> None:
    gate = threading.Event()

    def answer(request: bytes) -> Any:
        yield head
        while not gate.wait(0.02):
            yield b"x"

    server = serve(answer)
    started = time.monotonic()
    failed = outcome(open_session(LOOPBACK, total=0.3), server.url)
    gate.set()
    assert isinstance(failed, RetryLater) and "within 0.3 s" in str(failed)
    assert time.monotonic() - started < 5


def test_secret_headers_do_not_follow_to_another_port(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_LEAKY", "leaky-value")
    value = secrets.get("leaky")
    target = serve(
        lambda request: plainly(b"", "Location: /again\r\n", "302 Found") if b"/again" not in request else plainly(b"")
    )
    origin = serve(lambda request: plainly(b"", f"Location: {target.url}/\r\n", "302 Found"))
    names = ("Authorization", "X-Finnhub-Token", "X-Api-Key", "X-Something-Else")
    response = fetch(
        open_session(LOOPBACK),
        origin.url,
        headers={**dict.fromkeys(names, value), "X-Plain": "stays"},
        cookies={"c": value},
    )
    assert response.status_code == 200 and len(target.requests) == 2
    assert origin.requests[0].count(value.encode()) == 5
    for request in target.requests:
        assert value.encode() not in request and b"X-Plain: stays" in request


def test_secret_headers_follow_on_the_same_host(serve: Any) -> None:
    server = serve(
        lambda request: plainly(b"") if b"/end" in request else plainly(b"", "Location: /end\r\n", "302 Found")
    )
    fetch(open_session(LOOPBACK), server.url, headers={"X-Api-Key": "abcdefgh"})
    assert b"abcdefgh" in server.requests[1]


def test_the_environment_sets_no_proxy(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve(lambda request: plainly(b"proxy")), serve(lambda request: plainly(b"direct"))
    monkeypatch.setenv("http_proxy", proxy.url)
    assert fetch(open_session(LOOPBACK), server.url).content == b"direct"


def test_errors_hold_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_PATHY", "path/secret+value")
    secrets.get("pathy")
    url = "http://user:password@127.0.0.1:1/path%2Fsecret%2Bvalue?api_key=12345&q=cats&token=67890"
    told = str(outcome(open_session(LOOPBACK), url))
    assert "127.0.0.1" in told and "q=cats" in told and "\n" not in told
    with pytest.raises(requests.ConnectionError) as raised:
        open_session(LOOPBACK).get(url)
    for word in ("password", "secret+value", "secret%2Bvalue", "12345", "67890"):
        assert word not in told and word not in str(raised.value)
    assert raised.value.__suppress_context__


STATUSES = {
    200: requests.Response, 204: requests.Response, 304: requests.Response,
    401: ItemFailed, 403: ItemFailed, 404: ItemFailed,
    408: RetryLater, 410: ItemFailed, 425: RetryLater, 429: SourceBlocked, 451: ItemFailed, 500: RetryLater,
    503: RetryLater,
}  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_each_status_has_its_outcome(serve: Any, status: int, kind: type) -> None:
    server = serve(lambda request: plainly(b"", status=f"{status} So"))
    assert type(outcome(open_session(LOOPBACK), server.url)) is kind


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_says_until_when_the_source_rests(serve: Any, status: int) -> None:
    server = serve(lambda request: plainly(b"", "Retry-After: 120\r\n", f"{status} So"))
    blocked = outcome(open_session(LOOPBACK), server.url)
    assert isinstance(blocked, SourceBlocked) and blocked.until is not None
    assert abs(blocked.until - time.time() - 120) < 10


def test_retry_after_may_be_a_date_and_is_at_most_a_day(serve: Any) -> None:
    in_an_hour = email.utils.formatdate(time.time() + 3600, usegmt=True)
    for header, seconds in (
        (in_an_hour, 3600),
        ("99999999999999999", 86_400),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ):
        server = serve(lambda request, header=header: plainly(b"", f"Retry-After: {header}\r\n", "429 So"))
        blocked = outcome(open_session(LOOPBACK), server.url)
        assert isinstance(blocked, SourceBlocked) and blocked.until is not None
        assert abs(blocked.until - time.time() - seconds) < 10


@pytest.mark.parametrize("header", ["soon", "-5", "1e9", "٣", ""])
def test_a_retry_after_that_makes_no_sense_is_none(serve: Any, header: str) -> None:
    server = serve(lambda request: plainly(b"", f"Retry-After: {header}\r\n", "429 So"))
    blocked = outcome(open_session(LOOPBACK), server.url)
    assert isinstance(blocked, SourceBlocked) and blocked.until is None


def test_every_fault_of_the_world_has_a_bounded_clear_outcome(world: Any) -> None:
    hasty, patient = open_session(LOOPBACK, total=1.0), open_session(LOOPBACK, total=20.0)
    expected = {
        "hang": RetryLater, "reset": RetryLater, "trickle": RetryLater, "short": RetryLater, "bomb": ItemFailed,
        "loop": RetryLater, "private": ItemFailed, "empty": requests.Response, "login": requests.Response,
    }  # fmt: skip
    for kind, kinds in expected.items():
        started = time.monotonic()
        session = hasty if kind in ("hang", "trickle") else patient
        assert isinstance(outcome(session, f"{world.url}/fault/{kind}"), kinds), kind
        assert time.monotonic() - started < 15


def test_a_refused_credential_halts_and_a_page_that_wants_one_does_not() -> None:
    answer = requests.Response()
    answer.status_code, answer.url = 401, "https://example.org/"
    for headers, outcome in (({}, ItemFailed), ({"X-Finnhub-Token": "t"}, Halt)):
        answer.request = requests.Request("GET", answer.url, headers=headers).prepare()
        with pytest.raises(outcome):
            check(answer)
