from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, ItemFailed, RetryLater, SourceBlocked
from rivus.net.guard import guarding
from rivus.net.ytdlp import open_ytdlp, translate

from .conftest import plainly

pytest.importorskip("yt_dlp")


def failure(url: str, total: float = 10.0, hosts: tuple[str, ...] = ("127.0.0.1",)) -> Any:
    with guarding(hosts, total), open_ytdlp({"skip_download": True}) as ydl:
        with pytest.raises(Exception) as raised:
            ydl.extract_info(url, download=False)
        return translate(raised.value)


def test_it_prints_nothing_and_keeps_its_messages(serve: Any, capfd: pytest.CaptureFixture[str]) -> None:
    server = serve(lambda request: plainly(b"", status="404 Not Found"))
    with guarding(["127.0.0.1"]), open_ytdlp({}) as ydl:
        with pytest.raises(Exception, match="404"):
            ydl.extract_info(server.url, download=False)
        assert any("404" in message for message in ydl.params["logger"].errors)
    assert capfd.readouterr() == ("", "")


def test_the_guard_refuses_and_its_message_survives(serve: Any) -> None:
    server = serve(lambda request: plainly(b"secret"))
    refused = failure(server.url, hosts=())
    assert isinstance(refused, ItemFailed) and "private address 127.0.0.1" in str(refused)
    assert server.requests == []


def test_the_guard_holds_for_the_urllib_handler_too(serve: Any) -> None:
    from yt_dlp.networking._urllib import UrllibRH

    server = serve(lambda request: plainly(b"secret"))
    with guarding(), open_ytdlp({}) as ydl:
        ydl._request_director = ydl.build_request_director([UrllibRH])
        with pytest.raises(Exception, match="private address") as raised:
            ydl.urlopen(server.url)
    assert isinstance(translate(raised.value), ItemFailed)
    assert server.requests == []


def test_no_proxy_comes_from_the_environment(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve(lambda request: plainly(b"proxy")), serve(lambda request: plainly(b"direct"))
    monkeypatch.setenv("http_proxy", proxy.url)
    with open_ytdlp({}) as ydl:
        assert ydl.urlopen(server.url).read() == b"direct"


def test_files_are_not_read() -> None:
    assert isinstance(failure("file:///etc/passwd"), ItemFailed)


def test_a_page_larger_than_the_cap_is_refused(serve: Any) -> None:
    bomb = gzip.compress(bytes(60_000_000), 9)
    server = serve(lambda request: plainly(bomb, "Content-Encoding: gzip\r\n"))
    with open_ytdlp({}) as ydl, pytest.raises(OSError, match="larger") as raised:
        ydl.urlopen(server.url).read()
    assert isinstance(translate(raised.value), ItemFailed)


def test_a_site_that_wants_a_rest_is_given_it(serve: Any) -> None:
    server = serve(lambda request: plainly(b"", "Retry-After: 60\r\n", "429 Too Many Requests"))
    blocked = failure(server.url)
    assert isinstance(blocked, SourceBlocked) and blocked.until is not None
    assert abs(blocked.until - time.time() - 60) < 10


def test_a_page_that_trickles_ends_with_the_deadline(world: Any) -> None:
    started = time.monotonic()
    assert isinstance(failure(f"{world.url}/fault/trickle", total=0.5), RetryLater)
    assert isinstance(failure(f"{world.url}/fault/hang", total=0.5), RetryLater)
    assert time.monotonic() - started < 8


def test_a_missing_ytdlp_halts_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(Halt, match=r"pip install 'rivus\[youtube\]'"):
        open_ytdlp({})


MESSAGES = {
    "ERROR: [youtube] abc: Sign in to confirm you’re not a bot. Use --cookies": SourceBlocked,
    "ERROR: [youtube] abc: Video unavailable. This content isn't available, try again later. The current session "
    "has been rate-limited by YouTube for up to an hour.": SourceBlocked,
    "ERROR: [youtube] abc: Private video. Sign in if you've been granted access to this video": ItemFailed,
    "ERROR: [youtube] abc: Video unavailable": ItemFailed,
    "ERROR: [youtube] abc: Premieres in 3 hours": RetryLater,
    "ERROR: [youtube] abc: Failed to extract any player response; please report this issue on …": RetryLater,
    "ERROR: Unable to download webpage: <urlopen error [Errno -3] Temporary failure in name resolution>": RetryLater,
    "ERROR: [generic] abc: Unable to download webpage: HTTP Error 503: Service Unavailable": RetryLater,
    "ERROR: ffprobe and ffmpeg not found": Halt,
    "something that nobody has said before": ItemFailed,
}


@pytest.mark.parametrize(("message", "kind"), MESSAGES.items())
def test_messages_are_understood(message: str, kind: type) -> None:
    outcome = translate(RuntimeError(message))
    assert type(outcome) is kind and "\n" not in str(outcome) and not str(outcome).startswith("ERROR")


def test_an_outcome_stays_what_it_is() -> None:
    blocked = SourceBlocked("rest", until=5)
    assert translate(blocked) is blocked


def test_recorded_messages_get_an_action_that_is_right(shared: Path) -> None:
    kinds = {"fail_item": ItemFailed, "pause_source": SourceBlocked, "needs_human": Halt, "pause_job": Halt}
    rows = [json.loads(line) for line in (shared / "data/errors.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["handler"] == "yt-dlp"]
    right = sum(
        type(translate(RuntimeError(row["message"])))
        in {kinds.get(action, RetryLater) for action in (row["expected_action"], *row["also_ok_action"])}
        for row in rows
    )
    assert len(rows) > 60 and right >= len(rows) - 2
