"""The dashboard as a process: it listens where it is told, keeps the index fresh, and ends when it should."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.commands.trees import inject
from tests.conftest import ROOT, House

pytest.importorskip("datasette")

JOB = """
title: A demo
stages: {fetch: {command: [cat]}, score: {command: [cat]}}
columns: {title: data.title}
search: [title]
"""


class Caller(http.client.HTTPConnection):
    """Asks over a socket that is connected already."""

    def __init__(self, made: socket.socket) -> None:
        super().__init__("localhost", timeout=20)
        self.sock = made


class Dash:
    """A running rivus-dash. at: a port, or the path of a socket."""

    def __init__(self, process: subprocess.Popen[str], at: int | str) -> None:
        self.process, self.at = process, at

    def connect(self) -> socket.socket:
        kind = socket.AF_UNIX if isinstance(self.at, str) else socket.AF_INET
        made = socket.socket(kind, socket.SOCK_STREAM)
        made.settimeout(20)
        made.connect(self.at if isinstance(self.at, str) else ("127.0.0.1", self.at))
        return made

    def ask(self, target: str, method: str = "GET", host: str = "localhost") -> tuple[int, str]:
        with self.connect() as made:
            caller = Caller(made)
            caller.request(method, target, headers={"Host": host})
            answer = caller.getresponse()
            return answer.status, answer.read().decode()

    def json(self, target: str) -> Any:
        status, text = self.ask(target)
        assert status == 200, text[:1000]
        return json.loads(text)

    def items(self) -> int | None:
        """How many it shows; None while there is no index."""
        status, text = self.ask("/rivus/items.json?_shape=objects")
        assert status in (200, 503), text[:1000]
        return int(json.loads(text)["filtered_table_rows_count"]) if status == 200 else None

    def ended(self) -> int:
        self.process.wait(15)
        return self.process.returncode


@contextmanager
def dash(house: House, *options: str) -> Iterator[Dash]:
    """Starts it on a port that is free."""
    process = house.start("rivus-dash", "--port", "0", *options)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("dash: http://127.0.0.1:"), line
        yield Dash(process, int(line.rsplit(":", 1)[1].strip("/\n")))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def filled(house: House) -> House:
    """A job with two items."""
    house.job("demo", JOB)
    inject(house, {"id": "a", "title": "A <b>title</b>"}, {"id": "b", "title": "Another"})
    return house


def soon(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def test_without_an_index_it_makes_one(filled: House) -> None:
    assert not (filled.root / "spool/index.db").exists()
    with dash(filled) as running:
        assert running.items() == 2
        status, page = running.ask("/rivus/job_demo")
        assert status == 200 and "A &lt;b&gt;title&lt;/b&gt;" in page and "<b>title" not in page
        assert running.ask("/rivus/job_demo?_search=another")[1].count("/item/demo/b") == 1


def test_what_moves_is_seen_within_seconds(filled: House) -> None:
    with dash(filled) as running:
        assert running.items() == 2
        inject(filled, {"id": "c"})
        box = filled.root / "spool/demo/fetch"
        (box / "ready/a.json").rename(box / "held/a.json")
        started = time.monotonic()
        held = "/rivus/tickets.json?_shape=array&state=held"
        soon(lambda: running.items() == 3 and len(running.json(held)) == 1, "three items, one held")
        assert time.monotonic() - started < 5


def test_an_index_that_is_made_anew_is_taken_up(filled: House) -> None:
    with dash(filled) as running:
        assert running.items() == 2
        filled.run("rivus-index", "--rebuild")
        inject(filled, {"id": "c"})
        soon(lambda: running.items() == 3, "the third item")
        (filled.root / "spool/index.db").unlink()
        inject(filled, {"id": "d"})
        soon(lambda: running.items() == 4, "the fourth item")


def test_while_there_is_no_index_it_says_so_and_one_that_is_damaged_is_replaced(filled: House) -> None:
    with dash(filled) as running:
        assert running.items() == 2
        lock = (filled.root / "spool/_index/lock").open("r+")
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another process that writes
        build = (filled.root / "spool/index.db").resolve()
        (filled.root / "spool/index.db").unlink()
        (filled.root / "spool/_index/damaged.db").write_bytes(build.read_bytes()[:4096] + b"x" * 40960)
        (filled.root / "spool/index.db").symlink_to("_index/damaged.db")
        for target in ("/rivus/items", "/rivus/items.json", "/"):
            soon(lambda: running.ask(target)[0] == 503, "the word that it is not there")  # noqa: B023
        lock.close()
        soon(lambda: running.items() == 2, "the index")


def test_a_new_job_shows_without_a_restart(filled: House) -> None:
    with dash(filled) as running:
        assert running.ask("/rivus/job_other")[0] == 404
        filled.job("other", JOB)
        soon(lambda: running.ask("/rivus/job_other")[0] == 200, "the other job's view")
        assert 'href="/job/other"' in running.ask("/rivus")[1]


def test_it_answers_to_this_machine_and_only_shows(filled: House) -> None:
    with dash(filled, "--host-name", "watch.example") as running:
        assert running.ask("/rivus", host="example.org")[0] == 403
        assert running.ask("/rivus", host="watch.example")[0] == 200
        assert running.ask("/rivus", "POST")[0] == 405
        assert running.ask("/rivus", "HEAD") == (200, "")
        assert running.ask("/rivus.db")[0] in (403, 404)
        assert running.ask("/rivus?sql=select+1")[0] == 403
        assert running.ask("/rivus/items?_where=1%3D1")[0] == 403


def test_sql_of_visitors_is_bounded(filled: House) -> None:
    count = "with+recursive+a(b)+as+(select+1+union+all+select+b%2B1+from+a"
    endless = f"{count})+select+count(*)+from+a"
    large = "select+hex(randomblob(1e8))"
    rows = f"{count}+limit+100000)+select+hex(randomblob(24e3))+from+a"
    sort = "select+hex(randomblob(24000))+as+x+from+tickets,tickets,tickets,tickets,tickets,tickets,tickets+order+by+x"
    with dash(filled, "--allow-sql") as running:
        assert running.json("/rivus.json?sql=select+1+as+one&_shape=array") == [{"one": 1}]
        for sql in (endless, large, rows, sort, "attach+':memory:'+as+x", "delete+from+items", "pragma+query_only=0"):
            started = time.monotonic()
            status, _ = running.ask(f"/rivus.json?sql={sql}")
            assert status in (200, 400), sql
            assert time.monotonic() - started < 6, sql
        status = Path(f"/proc/{running.process.pid}/status").read_text()
        peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
        assert peak < 400_000, f"{peak} kB"
        assert running.items() == 2


def test_it_ends_at_once_when_told_to(filled: House) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with dash(filled) as running:
            assert running.items() == 2
            with running.connect():
                started = time.monotonic()
                running.process.send_signal(number)
                assert running.ended() == 130 and time.monotonic() - started < 4


def test_it_ends_when_nobody_asks(filled: House) -> None:
    with dash(filled, "--idle", "1s") as running:
        assert running.items() == 2
        assert running.ended() == 0


def test_a_port_that_is_taken_is_said(filled: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = filled.run("rivus-dash", "--port", str(port), code=1)
    assert done.err == f"rivus-dash: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_socket_in_the_file_system_is_for_this_user_alone(filled: House) -> None:
    path = filled.root / "dash.sock"
    for _ in range(2):  # the second one finds what the first left
        process = filled.start("rivus-dash", "--unix", str(path))
        try:
            assert process.stderr is not None and process.stderr.readline() == f"dash: {path}\n"
            running = Dash(process, str(path))
            assert running.items() == 2
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            in_use = filled.run("rivus-dash", "--unix", str(path), code=1)
            assert "cannot listen" in in_use.err
        finally:
            process.kill()
            process.communicate()


def test_a_file_in_the_place_of_the_socket_stays(filled: House) -> None:
    path = filled.root / "precious"
    path.write_text("mine")
    assert "no socket" in filled.run("rivus-dash", "--unix", str(path), code=1).err
    assert path.read_text() == "mine"


PASSING = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": sys.argv[2]}
os.execv(sys.executable, [sys.executable, "-m", "rivus.commands", "rivus-dash", *sys.argv[3:]])
"""


def passed(house: House, fd: int, count: str, *options: str) -> subprocess.Popen[str]:
    """Starts it as systemd does: with `fd` as its number 3."""
    return subprocess.Popen(
        [sys.executable, "-c", PASSING, str(fd), count, *options], cwd=house.root, text=True, pass_fds=[fd],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_the_socket_of_systemd_is_served_silently_and_let_go_when_idle(filled: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(2):
            process = passed(filled, listener.fileno(), "1", "--idle", "1s")
            try:
                assert Dash(process, listener.getsockname()[1]).items() == 2
                assert process.wait(20) == 0
                assert process.stderr is not None and process.stderr.read() == ""
            finally:
                process.kill()
                process.communicate()


def test_what_is_no_listening_socket_is_refused(filled: House) -> None:
    with open(os.devnull) as nothing, socket.socket() as deaf:
        for passing, count, text in ((nothing, "1", "no socket"), (deaf, "1", "no socket"), (deaf, "2", "one socket")):
            process = passed(filled, passing.fileno(), count)
            _, err = process.communicate(timeout=30)
            assert process.returncode == 1 and text in err
