"""What cannot become an item is kept, whatever it is, with its reason beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rivus.spool.layout import Spool
from rivus.spool.rejected import reject, reject_found
from tests.spool.crash import dies_at, fresh_spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


def put(spool: Spool, name: str = "x.json", text: str = "text") -> str:
    path = f"{spool.root}/job/fetch/ready/{name}"
    Path(path).write_text(text)
    return path


def note(path: str) -> Any:
    return json.loads(Path(f"{path}.reason.json").read_text())


def test_a_file_is_moved_as_it_is_with_the_reason_beside_it(spool: Spool) -> None:
    path = put(spool)
    target = reject(spool, "job", "fetch", path, "not JSON")
    assert target == f"{spool.rejected}/job.fetch.x.json"
    assert Path(target).read_text() == "text" and not os.path.exists(path)
    why = note(target)
    assert why.pop("t").endswith("Z")
    assert why == {"job": "job", "stage": "fetch", "reason": "not JSON"}


def test_what_has_the_same_name_is_kept_beside_it(spool: Spool) -> None:
    targets = [reject(spool, "job", "fetch", put(spool, text=str(n)), f"reason {n}") for n in range(3)]
    assert [Path(target).read_text() for target in targets] == ["0", "1", "2"]
    assert [note(target)["reason"] for target in targets] == ["reason 0", "reason 1", "reason 2"]
    assert len(os.listdir(spool.rejected)) == 6


def test_a_directory_a_pipe_and_a_link_are_moved_too(spool: Spool) -> None:
    ready = f"{spool.root}/job/fetch/ready"
    os.mkdir(f"{ready}/folder")
    Path(f"{ready}/folder/inside").touch()
    os.mkfifo(f"{ready}/pipe")
    os.symlink("/etc/passwd", f"{ready}/link")
    for name in ("folder", "pipe", "link"):
        target = reject(spool, "job", "fetch", f"{ready}/{name}", "not a regular file")
        assert os.path.lexists(target)
    assert os.path.islink(f"{spool.rejected}/job.fetch.link")
    assert os.path.exists(f"{spool.rejected}/job.fetch.folder/inside")
    assert os.listdir(ready) == []


@pytest.mark.parametrize("name", [b"\xff\xfe.json", b"a b\nc.json", b"-rf", b"x" * 255, "ä".encode() * 127])
def test_no_name_is_too_odd_or_too_long(spool: Spool, name: bytes) -> None:
    for _ in range(2):
        path = os.fsencode(f"{spool.root}/job/fetch/ready/") + name
        Path(os.fsdecode(path)).touch()
        target = reject(spool, "job", "fetch", os.fsdecode(path), "odd")
        assert os.path.basename(target).isascii()
        assert note(target)["reason"] == "odd"
    assert len(os.listdir(spool.rejected)) == 4


def test_a_long_reason_is_cut(spool: Spool) -> None:
    assert len(note(reject(spool, "job", "fetch", put(spool), "r" * 5000))["reason"]) == 1000


def test_after_a_crash_between_the_two_the_file_is_still_where_it_was(spool: Spool) -> None:
    path, number = put(spool), 0
    while dies_at(number := number + 1, lambda: reject(spool, "job", "fetch", path, "first")):
        assert Path(path).read_text() == "text"
    assert number > 2
    [kept] = [name for name in os.listdir(spool.rejected) if not name.endswith(".reason.json")]
    assert note(f"{spool.rejected}/{kept}")["reason"] == "first"


def test_what_a_source_found_is_kept_whole_and_once(spool: Spool) -> None:
    document = {"key": "../x", "data": {"title": "t"}}
    target = reject_found(spool, "job", document, "the key has ..")
    assert json.loads(Path(target).read_text()) == document
    assert note(target) | {"t": ""} == {"t": "", "job": "job", "stage": "discover", "reason": "the key has .."}
    assert reject_found(spool, "job", document, "the key has ..") == target
    assert len(os.listdir(spool.rejected)) == 2
    assert reject_found(spool, "job", {"key": "../y", "data": {}}, "w") != target


@pytest.mark.parametrize("value", [float("nan"), 2**80, "\ud800", b"bytes", {1, 2}, object])
def test_what_json_cannot_hold_is_kept_for_a_person_all_the_same(spool: Spool, value: Any) -> None:
    target = reject_found(spool, "job", {"key": "x", "data": {"v": value}}, "why")
    assert Path(target).stat().st_size > 0
