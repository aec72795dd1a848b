"""Failures of one kind in a row are counted across processes; a success ends the count."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivus.locks import queue
from rivus.spool import atomic, streak
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.streak import failed, succeeded
from tests.limits.people import Person
from tests.spool.crash import dies_at, fresh_spool

ONE, OTHER = "1" * 16, "f" * 16


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = fresh_spool(tmp_path / "spool")
    for stage in ("fetch", "score"):
        Path(spool.stage("job", stage)).mkdir(parents=True, exist_ok=True)
    return spool


@pytest.fixture
def owner(spool: Spool) -> Iterator[Owner]:
    with Owner(spool) as owner:
        yield owner


def file(spool: Spool) -> Path:
    return Path(spool.stage("job", "fetch")) / ".streak.json"


def test_the_same_failure_again_makes_the_streak_longer(spool: Spool, owner: Owner) -> None:
    assert [failed(spool, "job", "fetch", ONE, owner) for _ in range(3)] == [1, 2, 3]


def test_another_failure_begins_at_one(spool: Spool, owner: Owner) -> None:
    kinds = (ONE, ONE, OTHER, ONE)
    assert [failed(spool, "job", "fetch", kind, owner) for kind in kinds] == [1, 2, 1, 1]


def test_stages_count_on_their_own(spool: Spool, owner: Owner) -> None:
    failed(spool, "job", "fetch", ONE, owner)
    assert failed(spool, "job", "score", ONE, owner) == 1
    succeeded(spool, "job", "score")
    assert failed(spool, "job", "fetch", ONE, owner) == 2


def test_a_success_ends_the_streak(spool: Spool, owner: Owner) -> None:
    for _ in range(4):
        failed(spool, "job", "fetch", ONE, owner)
    succeeded(spool, "job", "fetch")
    assert not file(spool).exists()
    assert failed(spool, "job", "fetch", ONE, owner) == 1


def test_a_success_without_a_streak_is_one_look_and_leaves_nothing(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(atomic, "tap", lambda *call: calls.append(call))
    before = sorted(os.listdir(spool.stage("job", "fetch")))
    began = time.process_time()
    for _ in range(1000):
        succeeded(spool, "job", "fetch")
    assert time.process_time() - began < 1
    assert calls == [] and sorted(os.listdir(spool.stage("job", "fetch"))) == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"fingerprint": "1111111111111111"}', f'{{"fingerprint": "{ONE}", "count": "4"}}']
)
def test_a_file_that_makes_no_sense_is_no_streak(spool: Spool, owner: Owner, text: str) -> None:
    file(spool).write_text(text)
    assert [failed(spool, "job", "fetch", ONE, owner) for _ in range(2)] == [1, 2]


def test_a_streak_that_cannot_be_kept_stops_nothing(
    spool: Spool, owner: Owner, capsys: pytest.CaptureFixture[str]
) -> None:
    file(spool).mkdir()
    assert failed(spool, "job", "fetch", ONE, owner) == 1
    succeeded(spool, "job", "fetch")
    said = capsys.readouterr().err
    assert ".streak.json: cannot be written" in said and ".streak.json: cannot be removed" in said


def test_a_crash_at_any_call_loses_no_more_than_the_count(spool: Spool, owner: Owner) -> None:
    for number in (1, 2, 3):
        length = failed(spool, "job", "fetch", ONE, owner)
        assert dies_at(number, lambda: failed(spool, "job", "fetch", ONE, owner))
        assert failed(spool, "job", "fetch", ONE, owner) == length + 1
    assert not dies_at(4, lambda: failed(spool, "job", "fetch", ONE, owner))


def test_a_stopped_process_that_counts_is_not_waited_for_long(
    spool: Spool, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streak, "PATIENCE", 0.01)
    with queue(file(spool).with_name(".streak.lock"), lambda: True) or pytest.fail():
        assert [failed(spool, "job", "fetch", ONE, owner) for _ in range(2)] == [1, 2]
        succeeded(spool, "job", "fetch")
    assert not file(spool).exists()


def test_processes_that_fail_at_once_are_all_counted(spool: Spool, owner: Owner) -> None:
    script = """
import sys; from rivus.spool.layout import Spool; from rivus.spool.owners import Owner
from rivus.spool.streak import failed
spool = Spool(sys.argv[1], sys.argv[1] + "/_limits")
with Owner(spool) as owner:
    print(*(failed(spool, "job", "fetch", sys.argv[2], owner) for _ in range(25)), flush=True)
"""
    people = [Person(script, spool.root, ONE) for _ in range(4)]
    try:
        counts = [int(word) for person in people for word in person.hear().split()]
    finally:
        for person in people:
            person.__exit__()
    assert sorted(counts) == list(range(1, 101))
    assert failed(spool, "job", "fetch", ONE, owner) == 101
