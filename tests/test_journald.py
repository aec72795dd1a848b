"""Messages to the system's journal: what arrives is what was meant, and nothing that happens stops the sender."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivus import journald
from tests.conftest import ROOT
from tests.systemd_box import Box

HOSTILE = "one\nRIVUS_KEY=forged\n\0\x1b[2J\udcff\u2028 end"


def fields(datagram: bytes) -> list[tuple[str, bytes]]:
    """The fields of a datagram, read as journald reads them."""
    found = []
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length = int.from_bytes(rest[:8], "little")
            value, end, rest = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
            assert end == b"\n"
        found.append((name.decode(), value))
        datagram = rest
    return found


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket in the journal's place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "journal"))
        server.settimeout(10)
        monkeypatch.setattr(journald, "SOCKET", str(tmp_path / "journal"))
        yield server


@pytest.mark.parametrize("value", ["", "plain", "a=b", "last\n", "\n", "\nA=b", HOSTILE, "ä" * 100, "x" * 300 + "\n"])
def test_whatever_a_value_holds_it_is_one_field(listener: socket.socket, value: str) -> None:
    assert journald.send({"MESSAGE": value, "RIVUS_KEY": value, "PRIORITY": "3"})
    raw = value.encode(errors="replace")
    assert fields(listener.recv(1 << 20)) == [("MESSAGE", raw), ("RIVUS_KEY", raw), ("PRIORITY", b"3")]


def test_a_long_value_is_cut_between_two_characters(listener: socket.socket) -> None:
    assert journald.send({"MESSAGE": "x" + "ä" * 100_000, "RIVUS_KEY": "k"})
    (_, message), key = fields(listener.recv(1 << 20))
    assert journald.MOST - 1 <= len(message) <= journald.MOST and message.decode().endswith("ä")
    assert key == ("RIVUS_KEY", b"k")


def test_a_message_that_is_too_large_for_the_socket_is_refused(listener: socket.socket) -> None:
    assert not journald.send({f"FIELD_{number}": "x" * journald.MOST for number in range(100)})
    assert journald.send({"MESSAGE": "after"})


def test_no_journal_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journald, "SOCKET", str(tmp_path / "none"))
    assert not journald.send({"MESSAGE": "x"})


def test_a_journal_that_reads_nothing_does_not_make_the_sender_wait(listener: socket.socket) -> None:
    def flood() -> None:
        while journald.send({"MESSAGE": "x" * 1000}):
            pass

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_threads_send_whole_messages(listener: socket.socket) -> None:
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.extend(listener.recv(1 << 20) for _ in range(80)), daemon=True)

    def send(number: int) -> None:
        for count in range(20):
            while not journald.send({"MESSAGE": f"{number}\n" * 50, "RIVUS_KEY": str(count)}):
                pass

    reader.start()
    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    for one in (*senders, reader):
        one.join(20)
    found = sorted((int(key), int(message[:1])) for (_, message), (_, key) in map(fields, received))
    assert found == sorted((count, number) for count in range(20) for number in range(4))


def test_stderr_is_the_journal_only_if_the_environment_names_this_very_stream(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    status = os.fstat(2)
    for stream, is_it in (
        (f"{status.st_dev}:{status.st_ino}", True), (f"{status.st_dev}:{status.st_ino + 1}", False),
        ("", False), ("nonsense", False),
    ):  # fmt: skip
        monkeypatch.setenv("JOURNAL_STREAM", stream)
        assert journald.is_stderr() is is_it
    monkeypatch.delenv("JOURNAL_STREAM")
    assert not journald.is_stderr()


SAY = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from rivus import talk
talk.speaker = "rivus-test"
with talk.about(job="demo", stage="fetch", key="k\\nRIVUS_STAGE=forged\\n", run="r"):
    talk.say("it broke\\nPRIORITY=0\\nRIVUS_JOB=forged", talk.BROKEN, "bad_input")
"""


def test_the_real_journal_takes_the_fields_and_no_forged_one(box: Box) -> None:
    box.write("/srv/say.py", SAY)
    run = ["systemd-run", "--wait", "--collect", "--quiet", "--unit=say", "-p", "StandardError=journal"]
    box.run(*run, str(ROOT / ".venv/bin/python"), "-B", "/srv/say.py")
    [line] = box.journal("--output=json", "SYSLOG_IDENTIFIER=rivus-test").splitlines()
    message = json.loads(line)
    assert {name: message[name] for name in message if name.startswith("RIVUS_")} == {
        "RIVUS_JOB": "demo", "RIVUS_STAGE": "fetch", "RIVUS_RUN": "r", "RIVUS_CLASS": "bad_input",
        "RIVUS_KEY": "k\nRIVUS_STAGE=forged\n",
    }  # fmt: skip
    assert (message["MESSAGE"], message["PRIORITY"]) == ("it broke PRIORITY=0 RIVUS_JOB=forged", "3")
    assert message["_SYSTEMD_UNIT"] == "say.service"
    assert box.journal("RIVUS_JOB=forged") == box.journal("RIVUS_STAGE=forged") == ""
