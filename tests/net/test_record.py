"""What the network said, kept and given back: by requests and by yt-dlp."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from rivus import secrets
from rivus.model.outcome import RetryLater
from rivus.net.offline import Offline, offline
from rivus.net.record import LARGEST, NotRecorded, Player, Recorder, asked, read_record, taped
from rivus.net.session import check, fetch, open_session

from .conftest import plainly

HOSTS = ("127.0.0.1",)


@pytest.fixture
def counting(serve: Any) -> Any:
    """A server that answers with how many requests it has had."""
    server: Any = serve(lambda request: plainly(b"answer %d" % len(server.requests), "Set-Cookie: id=1\r\n"))
    return server


def recorded(*urls: str, **request: Any) -> Recorder:
    recorder = Recorder()
    with taped(recorder), open_session(HOSTS) as session:
        for url in urls:
            session.get(url, **request)
    return recorder


def player(recorder: Recorder) -> Player:
    raw = recorder.dump({"key": "a"})
    assert raw
    header, exchanges = read_record(raw)
    assert header["key"] == "a"
    return Player(exchanges, "is not in the record")


def plain(recorder: Recorder) -> str:
    raw = recorder.dump({})
    assert raw
    return gzip.decompress(raw).decode()


def test_the_same_request_gets_its_answers_in_order_and_then_the_last(counting: Any) -> None:
    play = player(recorded(counting.url, counting.url))
    with offline(), taped(play), open_session(HOSTS) as session:
        texts = [session.get(counting.url).text for _ in range(3)]
    assert texts == ["answer 1", "answer 2", "answer 2"]
    assert len(counting.requests) == 2 and not play.missed


def test_what_is_not_in_the_record_is_named_and_not_asked_for(counting: Any) -> None:
    play = player(recorded(counting.url))
    with taped(play), open_session(HOSTS) as session:
        for ask in (lambda: session.get(f"{counting.url}/other"), lambda: session.post(counting.url, data="x")):
            with pytest.raises(NotRecorded, match=counting.url):
                ask()
    assert len(counting.requests) == 1
    assert play.missed == f"GET {counting.url}/other is not in the record"


def test_a_request_is_known_by_its_body_too() -> None:
    words: list[Any] = ["one", b"two", None, bytearray(b"three")]
    kept = [replace(asked("post", "http://x/", word), status=200, reason=str(word)) for word in words]
    play = Player(kept, "is not in the record")
    for word in reversed(words):
        assert play.answer("POST", "http://x/", word).reason == str(word)
    with pytest.raises(NotRecorded):
        play.answer("POST", "http://x/", "four")


def test_redirects_and_statuses_come_again_as_they_were(serve: Any) -> None:
    def answer(request: bytes) -> list[bytes]:
        if b"GET /new" in request:
            return plainly(b"gone", "Retry-After: 7\r\n", status="503 Busy")
        return plainly(b"", "Location: /new\r\n", status="302 Found")

    server = serve(answer)
    play = player(recorded(server.url))
    with offline(), taped(play), open_session(HOSTS) as session:
        response = session.get(server.url)
    assert (response.status_code, response.reason, response.text) == (503, "Busy", "gone")
    assert response.url == f"{server.url}/new" and response.headers["retry-after"] == "7" and len(response.history) == 1


def test_an_error_is_recorded_as_well(serve: Any) -> None:
    server = serve(lambda request: [b""])
    recorder = Recorder()
    for tape in (recorder, None):
        with taped(tape or player(recorder)), open_session(HOSTS) as session, pytest.raises(RetryLater):
            check(fetch(session, server.url))
    assert len(server.requests) == 1


def test_bytes_that_are_no_text_come_back_whole(serve: Any) -> None:
    body = bytes(range(256))
    server = serve(lambda request: plainly(body))
    with taped(player(recorded(server.url))), open_session(HOSTS) as session:
        assert session.get(server.url).content == body


def test_no_cookie_request_header_or_secret_is_kept(counting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_RECORD_TEST", "hunter2-hunter2")
    value = secrets.get("record_test")
    server, url = counting, f"{counting.url}/{value}?token=abcdef"
    server._answer = lambda request: plainly(b"you said " + value.encode(), "Set-Cookie: id=1\r\n")
    recorder = recorded(url, headers={"Authorization": f"Bearer {value}"})
    text = plain(recorder)
    assert not any(word in text for word in ("hunter2", "abcdef", "Set-Cookie", "Authorization"))
    with taped(player(recorder)), open_session(HOSTS) as session:
        assert session.get(url).text == "you said [secret record_test]"


def test_a_record_beyond_its_cap_is_given_up_whole(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivus.net.record.LARGEST_PLAIN", 2000)
    server = serve(lambda request: plainly(b"x" * 900))
    recorder = recorded(server.url, server.url, server.url)
    assert recorder.too_large
    raw = recorder.dump({"key": "a"})
    assert raw and len(raw) < LARGEST
    assert read_record(raw) == ({"record": 1, "key": "a", "too_large": True}, [])


def test_where_nothing_was_asked_there_is_no_record() -> None:
    assert Recorder().dump({}) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"no gzip", gzip.compress(b"{}\n"), gzip.compress(b"no json\n"), gzip.compress(b'{"record": 2}\n'),
        gzip.compress(b'{"record": 1}\n{"url": "u"}\n'), gzip.compress(b'{"record": 1}\n' * 99)[:-9],
        gzip.compress(b'{"record": 1}\n{"method": "GET", "url": "u", "sent": "", "status": "x", "headers": []}\n'),
    ],
    ids=["nothing", "no gzip", "no header", "no JSON", "another version", "half an exchange", "cut off", "no status"],
)  # fmt: skip
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        read_record(raw)


def test_a_bomb_is_not_unpacked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivus.net.record.LARGEST_PLAIN", 1000)
    lines = b'{"record": 1}\n' + b'{"a": "b"}\n' * 1000
    with pytest.raises(ValueError, match="too large"):
        read_record(gzip.compress(lines))


def test_offline_no_thread_reaches_anything(serve: Any) -> None:
    server = serve(lambda request: plainly(b""))
    found: list[BaseException] = []

    def try_it(action: Any) -> None:
        try:
            action()
        except OSError as error:
            found.append(error)

    actions = [
        lambda: socket.create_connection(("127.0.0.1", server.port)),
        lambda: socket.getaddrinfo("localhost", 80),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 9)),
        lambda: socket.socket(socket.AF_UNIX).connect("/run/no.sock"),
    ]
    with offline():
        for action in actions:
            thread = threading.Thread(target=try_it, args=(action,))
            thread.start()
            thread.join()
    assert [type(error) for error in found] == [Offline] * 4
    assert server.requests == []
    socket.create_connection(("127.0.0.1", server.port)).close()


def test_ytdlp_gets_the_same_pages_again_and_the_same_errors(serve: Any) -> None:
    from yt_dlp.networking import Request
    from yt_dlp.networking.exceptions import HTTPError, TransportError

    from rivus.net.ytdlp import open_ytdlp

    def answer(request: bytes) -> list[bytes]:
        if b"/none" in request:
            return plainly(b"nothing", status="404 Not Found")
        return plainly(b"page " + request.split()[0], "X-Kind: a\r\n") if b"/page" in request else [b""]

    server = serve(answer)

    def look() -> list[Any]:
        seen: list[Any] = []
        with open_ytdlp({}) as ydl:
            for request in (f"{server.url}/page", Request(f"{server.url}/page", data=b"x"), f"{server.url}/none"):
                try:
                    with ydl.urlopen(request) as page:
                        seen.append((page.status, page.url, page.headers["X-Kind"], page.read(2), page.read()))
                except HTTPError as error:
                    seen.append((error.status, error.reason, error.response.read()))
            with pytest.raises(TransportError):
                ydl.urlopen(f"{server.url}/broken")
        return seen

    recorder = Recorder()
    with taped(recorder):
        first = look()
    before = len(server.requests)
    assert before >= 4
    with offline(), taped(player(recorder)):
        assert look() == first
    assert len(server.requests) == before
    assert first[0] == (200, f"{server.url}/page", "a", b"pa", b"ge GET") and first[2] == (404, "Not Found", b"nothing")


def test_a_download_by_ytdlp_that_is_too_large_to_keep_is_whole_all_the_same(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rivus.net.ytdlp import open_ytdlp

    monkeypatch.setattr("rivus.net.ytdlp_tape.MAX_BYTES", 1000)
    body = bytes(range(256)) * 1000
    server = serve(lambda request: plainly(body))
    recorder = Recorder()
    with taped(recorder), open_ytdlp({}) as ydl, ydl.urlopen(server.url) as page:
        pieces = bytearray()
        while piece := page.read(300):
            pieces += piece
    assert bytes(pieces) == body
    raw = recorder.dump({})
    assert raw and read_record(raw)[0]["too_large"]


def test_the_lines_of_a_record_can_be_read_with_zcat_and_jq(counting: Any) -> None:
    lines = [json.loads(line) for line in plain(recorded(counting.url)).splitlines()]
    assert lines[0] == {"record": 1}
    assert (lines[1]["method"], lines[1]["status"], lines[1]["text"]) == ("GET", 200, "answer 1")
