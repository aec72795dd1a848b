"""What commands say: one plain line on stderr, or a message with fields where that is the system's journal."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rivus import talk
from tests.conftest import ROOT
from tests.test_journald import fields

HEAD = """
import os, sys
from rivus import journald, talk
journald.SOCKET = sys.argv[1]
talk.speaker = "rivus-test"
"""


class Journal:
    """A program whose stderr is a stream like the journal's, and what it sends to the socket in the journal's place."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "journal"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listener.bind(str(self.path))
        self.listener.setblocking(False)
        self.stream, self.stderr = socket.socketpair()

    def run(self, code: str, seconds: float = 30) -> None:
        """Runs the code to its end, with nobody reading meanwhile."""
        status = os.fstat(self.stderr.fileno())
        stream = f"{status.st_dev}:{status.st_ino}"
        subprocess.run(
            [sys.executable, "-B", "-c", HEAD + code, str(self.path)], check=True, timeout=seconds, cwd=ROOT,
            stderr=self.stderr, env={**os.environ, "JOURNAL_STREAM": stream, "RIVUS_SECRET_TOKEN": "hunter2-hunter2"},
        )  # fmt: skip

    @property
    def messages(self) -> list[dict[str, str]]:
        found = []
        while True:
            try:
                found.append({name: value.decode() for name, value in fields(self.listener.recv(1 << 20))})
            except BlockingIOError:
                return found

    @property
    def plain(self) -> str:
        """What came on stderr itself."""
        self.stream.setblocking(False)
        try:
            return self.stream.recv(1 << 20).decode()
        except BlockingIOError:
            return ""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def test_without_a_journal_it_is_one_plain_line_without_fields(capsys: pytest.CaptureFixture[str]) -> None:
    with talk.about(job="demo", key="k"):
        talk.say("two\nlines \x1b[31mred", cls="bad_input")
        talk.say("only with -v", 1, "bad_input")
    assert capsys.readouterr().err == "two lines  [31mred\n"


def test_in_the_journal_a_line_is_a_message_with_what_it_is_about(journal: Journal) -> None:
    journal.run("""
with talk.about(job="demo", stage="fetch", run="me"):
    with talk.about(key="a/b"):
        talk.say("first", talk.BROKEN, "bad_input")
    talk.say("second")
talk.say("third")
""")
    head = {"SYSLOG_IDENTIFIER": "rivus-test"}
    where = {"RIVUS_JOB": "demo", "RIVUS_STAGE": "fetch", "RIVUS_RUN": "me"}
    assert journal.messages == [
        {"MESSAGE": "first", "PRIORITY": "3", **head, **where, "RIVUS_KEY": "a/b", "RIVUS_CLASS": "bad_input"},
        {"MESSAGE": "second", "PRIORITY": "4", **head, **where},
        {"MESSAGE": "third", "PRIORITY": "4", **head},
    ]
    assert journal.plain == ""


def test_the_level_holds_in_the_journal_but_for_a_failure(journal: Journal) -> None:
    journal.run("""
talk.say("quiet", 1)
talk.say("a failure", 1, "rate_limited")
talk.level = 2
talk.say("info", 1)
talk.say("debug", 2)
""")
    assert [(one["MESSAGE"], one["PRIORITY"]) for one in journal.messages] == [
        ("a failure", "6"), ("info", "6"), ("debug", "7"),
    ]  # fmt: skip


def test_no_secret_is_in_any_field(journal: Journal) -> None:
    journal.run("""
from rivus.secrets import get
token = get("token")
with talk.about(job="demo", key=token):
    talk.say(f"with {token}", cls=token)
""")
    [message] = journal.messages
    assert message["RIVUS_KEY"] == message["RIVUS_CLASS"] == "[secret token]"
    assert message["MESSAGE"] == "with [secret token]"


def test_what_a_logger_says_is_about_its_makers_item_whichever_thread_logs(journal: Journal) -> None:
    journal.run("""
import threading
with talk.about(job="demo", key="mine"):
    log = talk.logger("demo:fetch mine")
thread = threading.Thread(target=log.warning, args=("slow\\nRIVUS_KEY=other",))
thread.start()
thread.join()
""")
    [message] = journal.messages
    assert (message["RIVUS_KEY"], message["MESSAGE"]) == ("mine", "demo:fetch mine: slow RIVUS_KEY=other")


def test_without_the_journals_socket_the_line_comes_on_stderr(journal: Journal) -> None:
    journal.path.unlink()
    journal.run('talk.say("still said")')
    assert journal.plain == "still said\n"


def test_a_journal_that_is_stuck_stops_nobody(journal: Journal) -> None:
    journal.run('for number in range(5000): talk.say("x" * 500)')
    assert journal.messages and journal.plain.startswith("x" * 500)


def test_the_socket_is_not_imported_where_there_is_no_journal() -> None:
    code = 'from rivus import talk; import sys; talk.say("x"); print({"socket", "rivus.journald"} & set(sys.modules))'
    env = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=env, timeout=30)
    assert (done.stdout, done.stderr) == ("set()\n", "x\n")


def test_a_thread_begins_with_nothing_and_leaves_others_alone() -> None:
    found: list[dict[str, str]] = []

    def other() -> None:
        found.append(talk._about.get())
        with talk.about(key="theirs"):
            found.append(talk._about.get())

    with talk.about(key="mine"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        found.append(talk._about.get())
    assert found == [{}, {"key": "theirs"}, {"key": "mine"}]
    assert talk._about.get() == {}
