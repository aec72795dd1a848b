"""Whatever lies in `ready`: it leaves for `_rejected` with its reason, at once, and its neighbours run."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.conftest import House

LONG = "k" * 5000


def write(text: str | bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode()) and None


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 << 30)


def big(path: Path) -> None:
    path.write_bytes(b'{"a": "' + b"x" * (100 << 20) + b'"}')


def bind_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def folder(path: Path) -> None:
    path.mkdir()
    (path / "inside.json").write_text('{"id": "inside"}')


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        os.mkfifo(path)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a FIFO": (os.mkfifo, "not a regular file"),
    "a device": (device, "not a regular file"),
    "a socket": (bind_socket, "cannot be opened"),
    "a link to a secret": (lambda path: path.symlink_to("/etc/passwd"), "cannot be opened"),
    "a link to nowhere": (lambda path: path.symlink_to("/nowhere"), "cannot be opened"),
    "a directory": (folder, "not a regular file"),
    "a sparse file": (sparse, "more than"),
    "an empty file": (write(""), "not JSON"),
    "half a file": (write('{"id": "a", "ti'), "not JSON"),
    "100 MB": (big, "more than"),
    "NaN": (write('{"id": "a", "x": NaN}'), "NaN"),
    "an infinity": (write('{"id": "a", "x": 1e999}'), "64-bit float"),
    "a huge integer": (write('{"id": "a", "x": ' + "9" * 5000 + "}"), "64 bits"),
    "a name that stands twice": (write('{"id": "a", "id": "b"}'), "stands twice"),
    "100,000 levels": (write('{"id":' + "[" * 100_000 + "]" * 100_000 + "}"), "levels"),
    "65 levels": (write('{"id": "a", "x":' + "[" * 65 + "]" * 65 + "}"), "levels"),
    "bad UTF-8": (write(b'{"id": "\xff\xfe"}'), "UTF-8"),
    "half a surrogate pair": (write('{"id": "a", "x": "\\ud800"}'), "surrogate"),
    "a list": (write("[1, 2]"), "not a JSON object"),
    "a key that climbs": (write('{"key": "../../x"}'), ".."),
    "a key of 5,000 characters": (write(json.dumps({"key": LONG})), "5000 characters"),
    "a key with a line break": (write('{"key": "a\\nb"}'), "control"),
    "a key that is an object": (write('{"key": {}}'), "not a non-empty string"),
    "a ticket of another job": (write('{"job": "x", "key": "a", "data": {}, "meta": {}}'), "of job 'x'"),
    "a ticket with a bad part": (
        write('{"job": "demo", "key": "a", "data": {}, "meta": {}, "attempts": [1]}'),
        "attempts",
    ),
}


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    house.run("rivus-inject", "demo", stdin='{"id": "before"}')
    return house


def reasons(house: House) -> list[str]:
    folder = house.root / "spool/_rejected"
    return [json.loads(path.read_text())["reason"] for path in folder.glob("*.reason.json")]


def test_each_kind_is_put_aside_with_its_reason_and_the_neighbours_run(chain: House) -> None:
    ready = chain.root / "spool/demo/fetch/ready"
    for number, (make, _) in enumerate(HOSTILE.values()):
        path = ready / f"{number}.json"
        make(path)
        os.utime(path, (1, 1), follow_symlinks=False)
    (ready / "after.json").write_text('{"title": "good"}')
    started = time.monotonic()
    chain.run("rivus-stage", "demo:fetch")
    assert time.monotonic() - started < 20
    assert chain.box("demo", "fetch", "ready") == []
    assert chain.box("demo", "fetch", "done") == ["after.json", "before.json"]
    for number, (name, (_, reason)) in enumerate(HOSTILE.items()):
        note = chain.root / f"spool/_rejected/demo.fetch.{number}.json.reason.json"
        assert reason in json.loads(note.read_text())["reason"], name
        assert os.path.lexists(str(note).removesuffix(".reason.json")), name


def test_names_are_no_way_out_either(chain: House) -> None:
    ready = str(chain.root / "spool/demo/fetch/ready").encode()
    for name in (b"-rf.json", b"\xff\xfe.json", b"a b\nc.json", b"$(touch x).json", b"no suffix", b"%2E%2E.json"):
        with open(ready + b"/" + name, "wb") as file:
            file.write(b'{"title": "t"}')
    chain.run("rivus-stage", "demo:fetch")
    assert chain.box("demo", "fetch", "ready") == []
    assert "%2Drf.json" in chain.box("demo", "fetch", "done")
    assert "no%20suffix.json" in chain.box("demo", "fetch", "done")
    assert len(reasons(chain)) == 2


def test_a_young_file_that_is_still_being_written_is_waited_for(chain: House) -> None:
    path = chain.root / "spool/demo/fetch/ready/half.json"
    with path.open("w") as file:
        file.write('{"id": "ha')
        file.flush()
        worker = chain.start("rivus-stage", "demo:fetch")
        chain.wait_for(lambda: chain.box("demo", "fetch", "done") == ["before.json"], "the neighbour")
        file.write('lf"}')
    worker.communicate(timeout=20)
    assert chain.box("demo", "fetch", "done") == ["before.json", "half.json"]
    assert reasons(chain) == []


def test_a_copy_of_a_ticket_is_put_aside_and_the_original_stays(chain: House) -> None:
    chain.run("rivus-stage", "demo:fetch")
    folder = chain.root / "spool/demo/fetch"
    (folder / "ready/before.json").write_bytes((folder / "done/before.json").read_bytes())
    chain.run("rivus-stage", "demo:fetch")
    assert chain.box("demo", "fetch", "done") == ["before.json"]
    assert "a copy" in reasons(chain)[0]


def test_a_dropped_file_whose_item_is_known_is_put_aside_with_the_command_that_helps(chain: House) -> None:
    chain.run("rivus-stage", "demo:fetch")
    (chain.root / "spool/demo/fetch/ready/again.json").write_text('{"id": "before"}')
    chain.run("rivus-stage", "demo:fetch")
    assert "rivus-move retry" in reasons(chain)[0]


def test_a_dropped_file_gets_the_other_stages_too(chain: House) -> None:
    (chain.root / "spool/demo/extract/ready/x.json").write_text('{"url": "https://example.org/1", "raw": "abc"}')
    chain.run("rivus-stage", "demo:extract")
    name = "https%3A%2F%2Fexample.org%2F1.json"
    assert chain.ticket("demo", "extract", "done", name)["output"] == {"text": "ABC"}
    assert "skipped" in chain.ticket("demo", "fetch", "done", name)["receipt"]
    assert name in chain.box("demo", "score", "ready")
    assert name in chain.box("demo", "discover", "done")
