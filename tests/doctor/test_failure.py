"""What is known of real errors of real libraries, and of lines of records."""

from __future__ import annotations

import errno
import json
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from rivus.doctor.failure import Failure, failure_from_record, failure_of
from rivus.doctor.fingerprint import fingerprint
from rivus.model.outcome import RetryLater, SourceBlocked


class Refusing(BaseHTTPRequestHandler):
    """Answers `/STATUS` with that status, and a Retry-After."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("Retry-After", "120")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *args: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def caught(function: Any, *args: Any, **named: Any) -> Failure:
    try:
        function(*args, **named)
    except BaseException as error:
        return failure_of(error, "a.b")
    raise AssertionError("nothing was raised")


def test_requests_tells_its_status_and_when_to_come_back(site: str) -> None:
    import requests

    failure = caught(requests.get(f"{site}/429", timeout=5).raise_for_status)
    assert (failure.status, failure.retry_after) == (429, 120.0)
    assert failure.error_type == "requests.exceptions.HTTPError"
    assert "requests.exceptions.RequestException" in failure.kinds and "OSError" in failure.kinds


def test_urllib_tells_its_status_and_when_to_come_back(site: str) -> None:
    import urllib.request

    failure = caught(urllib.request.urlopen, f"{site}/503", timeout=5)
    assert (failure.status, failure.retry_after) == (503, 120.0)


def test_yt_dlp_tells_the_status_that_it_wraps_twice(site: str) -> None:
    import yt_dlp

    options: Any = {"quiet": True, "no_warnings": True, "logger": Mute(), "cachedir": False, "proxy": ""}
    with yt_dlp.YoutubeDL(options) as ydl:
        failure = caught(ydl.extract_info, f"{site}/403")
    assert (failure.status, failure.retry_after) == (403, 120.0)
    assert failure.error_type.endswith("DownloadError")
    assert any(kind.endswith("networking.exceptions.HTTPError") for kind in failure.kinds)
    assert any(kind.endswith("ExtractorError") for kind in failure.kinds)


class Mute:
    def debug(self, message: str) -> None:
        """Silent."""

    info = warning = error = debug


def test_a_refused_connection_is_found_below_requests_and_urllib3(closed_port: int) -> None:
    import requests

    failure = caught(requests.get, f"http://127.0.0.1:{closed_port}/", timeout=5)
    assert failure.errno == errno.ECONNREFUSED
    assert "urllib3.exceptions.NewConnectionError" in failure.kinds and "ConnectionRefusedError" in failure.kinds


def test_an_unknown_host_tells_its_errno() -> None:
    failure = caught(socket.getaddrinfo, "no-such-host.invalid", 80)
    assert failure.errno in (socket.EAI_NONAME, socket.EAI_AGAIN)


def test_a_program_tells_its_exit_code_and_what_it_said() -> None:
    command = ["sh", "-c", "echo no space left on device >&2; exit 3"]
    failure = caught(subprocess.run, command, check=True, capture_output=True)
    assert failure.exit_code == 3 and "no space left" in failure.message


def test_a_command_of_a_stage_tells_its_exit_code() -> None:
    from rivus.handlers.command import CommandFailed

    failure = failure_of(CommandFailed("clean was killed by signal 9", -9, "so far so good"), "clean")
    assert failure.exit_code == -9 and failure.status is None


def test_the_frame_is_that_of_the_handler_not_of_the_library() -> None:
    def parse() -> object:
        return json.loads("{")

    assert caught(parse).frame == f"{__name__}:test_the_frame_is_that_of_the_handler_not_of_the_library.parse"


def test_kinds_are_the_classes_of_the_error_and_of_its_causes_in_order() -> None:
    def save() -> None:
        try:
            sqlite3.connect(":memory:").execute("select nope")
        except sqlite3.Error as error:
            raise RuntimeError("could not save") from error

    kinds = caught(save).kinds
    assert kinds[0] == "RuntimeError" and "sqlite3.OperationalError" in kinds


def test_what_was_handled_before_is_no_cause_once_it_is_hidden() -> None:
    def fall_back() -> None:
        try:
            raise ImportError("an extra")
        except ImportError:
            raise ValueError("no number") from None

    assert caught(fall_back).kinds == ("ValueError",)


def test_outcomes_tell_how_long_to_wait() -> None:
    assert failure_of(RetryLater("busy", after=7), "a.b").retry_after == 7.0
    blocked = failure_of(SourceBlocked("busy", until=2e9), "a.b")
    assert blocked.until == 2e9 and blocked.error_type == "SourceBlocked"


def test_nothing_is_raised_whatever_an_exception_does() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError

        @property
        def response(self) -> object:
            raise MemoryError

    error = Hostile(*[Hostile() for _ in range(1000)])
    error.__cause__ = error
    assert failure_of(error, "a.b").message == ""


def test_a_deep_chain_of_causes_is_walked_up_to_a_bound() -> None:
    error: Exception = ValueError("first")
    for number in range(10_000):
        outer = RuntimeError(str(number))
        outer.__cause__ = error
        error = outer
    assert failure_of(error, "a.b").kinds == ("RuntimeError",)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("HTTP Error 403: Forbidden", "status", 403),
        ("429 Client Error: Too Many Requests for url: https://a/b", "status", 429),
        ("Client error '404 Not Found' for url 'http://a'", "status", 404),
        ("Error code: 529 - {'type': 'error'}", "status", 529),
        ("received 401 HTTP response", "status", 401),
        ("FinnhubAPIException(status_code: 429): API limit reached.", "status", 429),
        ("read 404 of 1000 lines", "status", None),
        ("HTTP/1.1 200 OK", "status", None),
        ("[Errno 28] No space left on device", "errno", 28),
        ("gaierror(-3, 'Try again')", "errno", -3),
        ("Command 'a' returned non-zero exit status 127.", "exit_code", 127),
        ("fetch ended with 75", "exit_code", 75),
        ("the query returned 127 rows", "exit_code", None),
        ("clean was killed by signal 9", "exit_code", -9),
        ("Command 'a' died with <Signals.SIGSEGV: 11>.", "exit_code", -11),
        ("Please try again in 18.642s.", "retry_after", 18.642),
        ("Please try again in 7m12s.", "retry_after", 432.0),
        ("Please try again in 250ms", "retry_after", 0.25),
        ("This live event will begin in 2 days.", "retry_after", 172_800.0),
        ("Premieres in 37 minutes", "retry_after", 2220.0),
        ("limit reached, resets at 2033-05-18T03:33:20Z", "until", 2e9),
        ("limit reached, resets at 9999-99-99T99:99:99Z", "until", None),
    ],
)
def test_a_text_says_what_is_unmistakable(text: str, field: str, value: float | None) -> None:
    assert getattr(failure_from_record({"handler": "a", "message": text}), field) == value


def test_a_record_names_the_bases_of_pythons_own_errors() -> None:
    failure = failure_from_record({"handler": "a", "error_type": "FileNotFoundError", "message": "x"})
    assert failure.kinds == ("FileNotFoundError", "OSError")


def test_of_a_traceback_in_a_record_the_last_line_and_the_frame_are_kept() -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "/srv/app/handlers.py", line 6, in fetch_meta\n    return item["meta"]["private video"]\n'
        "KeyError: 'private video'"
    )
    failure = failure_from_record({"handler": "a", "message": text})
    assert (failure.frame, failure.message) == ("handlers:fetch_meta", "KeyError: 'private video'")
    assert failure.error_type == "KeyError"


def test_a_record_may_lack_everything_or_hold_anything() -> None:
    assert failure_from_record({}) == Failure("", "")
    odd = failure_from_record({"handler": 3, "error_type": None, "message": ["a"], "status": "429"})
    assert odd.handler == "3" and odd.status is None


def test_the_status_that_a_record_gives_is_believed() -> None:
    assert failure_from_record({"message": "HTTP Error 403: Forbidden", "status": 429}).status == 429


def test_a_record_does_not_depend_on_where_the_jobs_are() -> None:
    def raised_in(folder: str) -> Failure:
        space = {"__name__": f"jobs_d:/{folder}/my%2Epy"}
        exec("class Odd(Exception): pass\ndef go(): raise Odd('x')", space)
        try:
            space["go"]()  # type: ignore[operator]
        except Exception as error:
            return failure_of(error, "my.go")
        raise AssertionError

    one, other = raised_in("srv/jobs%2Ed"), raised_in("home/me/jobs%2Ed")
    assert (one.error_type, one.frame) == ("my.Odd", "my:go")
    assert fingerprint(one) == fingerprint(other)
