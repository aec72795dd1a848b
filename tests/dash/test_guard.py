"""The guard lets through what a person at this machine asks, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rivus.dash.guard import ARGUMENTS, FACETS, LONGEST, Guard, Message, Receive, Scope, Send
from tests.dash.asking import Visitor


class Inner:
    """An application that answers 200, or raises, and remembers what it was asked."""

    def __init__(self, raises: Exception | None = None, half: bool = False) -> None:
        self.scope: Scope = {}
        self.raises, self.half = raises, half

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=9")]}
        if self.raises and not self.half:
            raise self.raises
        await send(start)
        await send({"type": "http.response.body", "body": b"hello ", "more_body": True})
        if self.raises:
            raise self.raises
        await send({"type": "http.response.body", "body": b"you"})


class Door:
    def __init__(self, hosts: frozenset[str] = frozenset(), **inner: Any) -> None:
        self.asking, self.asked = 0, 0
        self.inner = Inner(**inner)
        self.visit = Visitor(Guard(self.inner, hosts, self._began, self._ended))

    def _began(self) -> None:
        self.asking += 1

    def _ended(self) -> None:
        self.asking -= 1
        self.asked += 1


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8470", "LOCALHOST.", "127.0.0.1:8470", "127.9.9.9", "[::1]", "[::1]:80", "a.localhost"],
)
def test_this_machine_is_asked_by_its_own_names(host: str) -> None:
    assert Door().visit("/", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [None, "", "example.org", "127.0.0.1.example.org", "localhost.example.org", "192.168.0.1", "[::2]", "0.0.0.0",
     "localhost:99999999", "localhost@example.org", "localhost, example.org", "127.1", "2130706433", "::1", "[::1"],
)  # fmt: skip
def test_a_page_of_the_web_that_makes_its_name_point_here_gets_nothing(host: str | None) -> None:
    door = Door()
    answer = door.visit("/", host=host)
    assert answer.status == 403 and door.asked == 0 and not door.inner.scope


def test_two_host_headers_are_no_host() -> None:
    assert Door().visit("/", headers=[("host", "localhost")]).status == 403


def test_a_name_that_was_given_is_ours_too() -> None:
    door = Door(frozenset({"watch.example"}))
    assert door.visit("/", host="Watch.Example:443").status == 200
    assert door.visit("/", host="other.example").status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "PROPFIND"])
def test_nothing_is_taken_in(method: str) -> None:
    door = Door()
    answer = door.visit("/rivus", method=method)
    assert (answer.status, answer.headers["allow"], door.asked) == (405, "GET, HEAD", 0)


def test_head_has_the_headers_of_get_and_no_body() -> None:
    door = Door()
    whole, head = door.visit("/"), door.visit("/", method="HEAD")
    assert whole.body == b"hello you" and head.body == b""
    assert (head.status, head.headers) == (whole.status, whole.headers) and door.inner.scope["method"] == "GET"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/" + "x" * (LONGEST - 1), 200), ("/" + "x" * LONGEST, 414), ("/?" + "x" * LONGEST, 414),
        ("/caf\u00e9", 400), ("/a?b=\u00e9", 400), ("/a\\b", 400), ("//example.org/", 400), ("*", 400), ("", 400),
        ("/a b", 400), ("/a\x00", 400), ("/a%00", 200), ("/a%5Cb", 200),
        ("/?" + "&".join(["a=1"] * ARGUMENTS), 200), ("/?" + "&".join(["a=1"] * (ARGUMENTS + 1)), 400),
        ("/?" + "&".join(["_facet=a"] * FACETS), 200), ("/?" + "&".join(["_facet=a"] * (FACETS + 1)), 400),
        ("/?" + "&".join(["_f%61cet_date=a"] * (FACETS + 1)), 400), ("/a.csv?_%74race=1", 400), ("/?a=_trace", 200),
    ],
)  # fmt: skip
def test_an_address_is_of_plain_characters_and_bounded(target: str, status: int) -> None:
    assert Door().visit(target).status == status


@pytest.mark.parametrize(
    "page",
    ["logout", "permissions", "messages", "allow-debug", "auth-token?token=x", "threads", "actor.json",
     "metadata.json", "databases.json", "plugins.json", "patterns"],
)  # fmt: skip
def test_the_service_pages_of_datasette_are_closed(page: str) -> None:
    assert Door().visit(f"/-/{page}").status == 404


def test_every_answer_keeps_the_browser_to_our_own_files() -> None:
    for answer in (Door().visit("/"), Door().visit("/", host="example.org"), Door(raises=OSError("x")).visit("/")):
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_style_and_script_may_be_kept_for_minutes() -> None:
    assert Door().visit("/static/rivus.css").headers["cache-control"] == "max-age=300"


def test_nobody_is_logged_in() -> None:
    door = Door()
    door.visit("/", headers=[("cookie", "ds_actor=x"), ("authorization", "Basic eDp5"), ("accept", "*/*")])
    assert [name for name, _ in door.inner.scope["headers"]] == [b"host", b"accept"]


def test_an_error_below_is_one_line_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    door = Door(raises=RuntimeError("secret details"))
    answer = door.visit("/")
    assert answer.status == 500 and "secret" not in answer.text and "Traceback" not in answer.text
    assert capsys.readouterr().err == "dash: RuntimeError: secret details\n" and door.asking == 0


def test_what_cannot_be_decoded_is_the_requests_fault() -> None:
    assert Door(raises=UnicodeDecodeError("ascii", b"\xff", 0, 1, "no")).visit("/").status == 400


def test_an_error_in_the_middle_ends_the_answer() -> None:
    answer = Door(raises=RuntimeError("late"), half=True).visit("/")
    assert (answer.status, answer.body) == (200, b"hello ")


def test_nothing_more_is_written_to_a_visitor_who_has_gone() -> None:
    written: list[Message] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"a row", "more_body": True})
            await asyncio.sleep(0)

    async def send(message: Message) -> None:
        written.append(message)

    async def receive() -> Message:
        while len(written) < 5:
            await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    counted: list[str] = []
    guard = Guard(endless, frozenset(), lambda: counted.append("began"), lambda: counted.append("ended"))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    asyncio.run(asyncio.wait_for(guard(scope, receive, send), 10))
    assert 5 <= len(written) < 10 and counted == ["began", "ended"]


def test_the_guard_counts_what_it_lets_through() -> None:
    door = Door()
    door.visit("/")
    door.visit("/", method="POST")
    assert (door.asking, door.asked) == (0, 1)
