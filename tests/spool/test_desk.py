"""One stage as one owner works on it: claim, finish, defer, fail, give back, and what hard links share."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.model.decide import FOREVER
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.spool import hands
from rivus.spool.desk import YOUNG, Desk, Young
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.reader import read_document
from rivus.spool.recover import put_off
from tests.spool.crash import PLAN, boxes_of, check_conserved, fresh_spool
from tests.spool.test_crash import ATTEMPT, ticket

ROOTS = Plan("job", {"left": (), "right": (), "join": ("left", "right")})


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


@pytest.fixture
def owner(spool: Spool) -> Iterator[Owner]:
    with Owner(spool) as owner:
        yield owner


@pytest.fixture
def desk(spool: Spool, owner: Owner) -> Desk:
    publish(spool, PLAN, [ticket("a")], owner)
    return Desk(spool, PLAN, "fetch", owner)


def drop(spool: Spool, stage: str, name: str, document: Any, age: float = 0) -> Path:
    path = Path(spool.ticket("job", stage, Box.READY, name))
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    os.utime(path, (time.time() - age,) * 2)
    return path


def rejected(spool: Spool) -> list[str]:
    """The reasons, in order of names."""
    return [json.loads(path.read_text())["reason"] for path in sorted(Path(spool.rejected).glob("*.reason.json"))]


def take(desk: Desk, name: str = "a.json") -> Any:
    claim = desk.claim(name)
    assert claim is not None
    return claim


def test_a_claim_is_a_rename_with_one_winner(spool: Spool, desk: Desk) -> None:
    inode = os.stat(spool.ticket("job", "fetch", Box.READY, "a.json")).st_ino
    with Owner(spool) as other:
        claim = take(desk)
        assert Desk(spool, PLAN, "fetch", other).claim("a.json") is None
    assert claim.path == f"{spool.claims('job', 'fetch', desk.owner.name)}/a.json"
    assert os.stat(claim.path).st_ino == inode
    assert claim.ticket == ticket("a")
    assert list(desk.ready()) == []


def test_what_was_dropped_in_becomes_an_item_first(spool: Spool, desk: Desk) -> None:
    drop(spool, "fetch", "any name.json", {"id": "x/y", "title": "t"})
    claim = take(desk, "any name.json")
    assert (claim.ticket.key, claim.ticket.data) == ("x/y", {"id": "x/y", "title": "t"})
    assert os.path.basename(claim.path) == "x%2Fy.json"
    assert claim.ticket.meta["strategy"] == "drop" and "entered" not in claim.ticket.meta
    check_conserved(spool, {"x%2Fy.json", "a.json"})


def test_what_was_dropped_into_a_later_stage_has_entered_there(spool: Spool, desk: Desk) -> None:
    drop(spool, "extract", "x.json", {"raw": "r"})
    claim = take(Desk(spool, PLAN, "extract", desk.owner), "x.json")
    assert claim.ticket.meta["entered"] == "extract"
    assert boxes_of(spool, "x.json") == {"fetch": Box.DONE, "extract": Box.RUNNING, "score": Box.WAIT}


def test_an_item_whose_publisher_died_is_completed_before_it_runs(spool: Spool, desk: Desk) -> None:
    os.unlink(f"{spool.births('job')}/a.json")
    os.unlink(spool.ticket("job", "score", Box.WAIT, "a.json"))
    take(desk)
    assert boxes_of(spool, "a.json") == {"fetch": Box.RUNNING, "extract": Box.WAIT, "score": Box.WAIT}
    assert spool.known("job", "a.json")


def test_half_a_file_is_left_alone_while_it_is_young_and_put_aside_when_it_is_old(spool: Spool, desk: Desk) -> None:
    path = drop(spool, "fetch", "half.json", '{"id": ')
    with pytest.raises(Young):
        desk.claim("half.json")
    assert path.read_text() == '{"id": '
    os.utime(path, (time.time() - YOUNG - 1,) * 2)
    assert desk.claim("half.json") is None
    assert not path.exists()
    assert "not JSON" in rejected(spool)[0]


def test_half_a_file_from_the_future_is_not_waited_for(spool: Spool, desk: Desk) -> None:
    drop(spool, "fetch", "half.json", '{"id": ', age=-3600)
    assert desk.claim("half.json") is None
    assert len(rejected(spool)) == 1


def test_a_copy_is_put_aside_and_the_original_stays(spool: Spool, desk: Desk) -> None:
    original = Path(spool.ticket("job", "fetch", Box.READY, "a.json"))
    drop(spool, "fetch", "copy.json", original.read_text())
    assert desk.claim("copy.json") is None
    assert "a copy: 'a' is in ready already" in rejected(spool)[0]
    claim = take(desk)
    drop(spool, "fetch", "copy.json", Path(claim.path).read_text())
    assert desk.claim("copy.json") is None
    assert os.path.exists(claim.path)
    assert len(rejected(spool)) == 2


@pytest.mark.parametrize(
    "meta", [{"entered": []}, {"entered": {}}, {"entered": 5}, {"discovered": [1]}, {"strategy": None}], ids=repr
)
def test_a_dropped_ticket_with_odd_notes_runs_or_is_put_aside(spool: Spool, desk: Desk, meta: Any) -> None:
    drop(spool, "fetch", "x.json", {"job": "job", "key": "x", "data": {}, "meta": meta}, age=60)
    claim = desk.claim("x.json")
    assert (claim is not None) or len(rejected(spool)) == 1


def test_data_that_discovery_has_changed_is_taken_when_the_stage_runs(spool: Spool, desk: Desk) -> None:
    new = ticket("a")
    new.data = {"url": "new"}
    hands.change(spool, PLAN, new, desk.owner, rerun=False)
    assert take(desk).ticket.data == {"url": "new"}


def test_a_result_is_written_and_what_follows_is_released(spool: Spool, desk: Desk) -> None:
    claim = take(desk)
    assert desk.finish(claim, {"text": "x"}, {"owner": "me"}, ATTEMPT)
    document = read_document(spool.ticket("job", "fetch", Box.DONE, "a.json"))
    assert (document["output"], document["receipt"]) == ({"text": "x"}, {"owner": "me"})
    assert document["attempts"] == [{**ATTEMPT, "final": True}]
    assert boxes_of(spool, "a.json") == {"fetch": Box.DONE, "extract": Box.READY, "score": Box.WAIT}
    assert not os.path.exists(claim.path)


def test_a_stage_changes_no_other_stages_file(spool: Spool, desk: Desk) -> None:
    desk.finish(take(desk), {"text": "x"}, {"owner": "me"}, ATTEMPT)
    for path in (f"{spool.births('job')}/a.json", spool.ticket("job", "extract", Box.READY, "a.json")):
        assert read_document(path) == ticket("a").to_json()


def test_a_stage_with_two_needs_waits_for_both(spool: Spool, owner: Owner) -> None:
    spool.prepare(ROOTS)
    publish(spool, ROOTS, [ticket("a")], owner)
    for stage, join in (("left", Box.WAIT), ("right", Box.READY)):
        desk = Desk(spool, ROOTS, stage, owner)
        desk.finish(take(desk), {"x": 1}, {"owner": owner.name}, ATTEMPT)
        assert boxes_of(spool, "a.json", ROOTS)["join"] is join


def test_the_error_of_an_earlier_round_is_gone_with_the_result(spool: Spool, desk: Desk) -> None:
    desk.fail(take(desk), {"reason": "r"}, ATTEMPT)
    hands.retry(spool, PLAN, "fetch", "a.json", "w")
    desk.finish(take(desk), {"x": 1}, {"owner": "me"}, ATTEMPT)
    document = read_document(spool.ticket("job", "fetch", Box.DONE, "a.json"))
    assert "error" not in document
    assert len(document["attempts"]) == 2


@pytest.mark.parametrize("output", [{"x": math.nan}, {"x": 2**70}, {"x": b"x"}, {"x": "\ud800"}])
def test_an_output_that_json_cannot_hold_changes_nothing(spool: Spool, desk: Desk, output: Any) -> None:
    claim = take(desk)
    before = Path(claim.path).read_bytes()
    with pytest.raises(ValueError):
        desk.finish(claim, output, {"owner": "me"}, ATTEMPT)
    assert Path(claim.path).read_bytes() == before
    assert boxes_of(spool, "a.json") == {"fetch": Box.RUNNING, "extract": Box.WAIT, "score": Box.WAIT}
    assert desk.fail(claim, {"reason": "r"}, ATTEMPT)


@pytest.mark.parametrize("end", ["finish", "defer", "put off", "fail", "give back"])
def test_a_claim_that_a_person_took_away_is_left_where_it_is(spool: Spool, desk: Desk, end: str) -> None:
    claim = take(desk)
    hands.hold(spool, PLAN, "fetch", "a.json", "mine")
    before = Path(spool.ticket("job", "fetch", Box.HELD, "a.json")).read_bytes()
    ends = {
        "finish": lambda: desk.finish(claim, {"x": 1}, {"owner": "me"}, ATTEMPT),
        "defer": lambda: desk.defer(claim, time.time() + 60, ATTEMPT),
        "put off": lambda: desk.defer(claim, time.time() + 60),
        "fail": lambda: desk.fail(claim, {"reason": "r"}, ATTEMPT),
        "give back": lambda: desk.give_back(claim),
    }
    assert ends[end]() is False
    assert boxes_of(spool, "a.json") == {"fetch": Box.HELD, "extract": Box.WAIT, "score": Box.WAIT}
    assert Path(spool.ticket("job", "fetch", Box.HELD, "a.json")).read_bytes() == before


def test_what_is_put_off_is_due_when_its_file_says(spool: Spool, desk: Desk) -> None:
    due = time.time() + 600
    assert desk.defer(take(desk), due, ATTEMPT)
    path = spool.ticket("job", "fetch", Box.LATER, "a.json")
    assert os.stat(path).st_mtime == pytest.approx(due, abs=0.001)
    assert read_document(path)["attempts"] == [ATTEMPT]


@pytest.mark.parametrize("due", [0.0, FOREVER])
def test_the_first_and_the_last_time_there_is_can_be_kept(spool: Spool, desk: Desk, due: float) -> None:
    desk.defer(take(desk), due)
    assert os.stat(spool.ticket("job", "fetch", Box.LATER, "a.json")).st_mtime == due


def test_what_did_not_run_is_put_off_without_a_word_in_it(spool: Spool, desk: Desk) -> None:
    desk.defer(take(desk), time.time() + 600)
    path = spool.ticket("job", "fetch", Box.LATER, "a.json")
    assert read_document(path) == ticket("a").to_json()
    assert os.path.samefile(path, f"{spool.births('job')}/a.json"), "nothing was written"


def test_what_failed_keeps_its_error_and_ends_its_round(spool: Spool, desk: Desk) -> None:
    assert desk.fail(take(desk), {"type": "ItemFailed", "reason": "r"}, ATTEMPT)
    document = read_document(spool.ticket("job", "fetch", Box.FAILED, "a.json"))
    assert document["error"] == {"type": "ItemFailed", "reason": "r"}
    assert document["attempts"] == [{**ATTEMPT, "final": True}]


def test_what_is_given_back_is_as_if_it_had_not_been_claimed(spool: Spool, desk: Desk) -> None:
    path = spool.ticket("job", "fetch", Box.READY, "a.json")
    before = os.stat(path)
    assert desk.give_back(take(desk))
    after = os.stat(path)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def due(spool: Spool, stage: str) -> float:
    return os.stat(spool.ticket("job", stage, Box.LATER, "a.json")).st_mtime


@pytest.mark.parametrize("attempt", [None, ATTEMPT])
def test_two_stages_of_one_item_wait_each_for_its_own_time(spool: Spool, owner: Owner, attempt: Any) -> None:
    spool.prepare(ROOTS)
    publish(spool, ROOTS, [ticket("a")], owner)
    left, right = Desk(spool, ROOTS, "left", owner), Desk(spool, ROOTS, "right", owner)
    now = float(int(time.time()))
    left.defer(take(left), now + 100)
    right.defer(take(right), now + 5000, attempt)
    assert (due(spool, "left"), due(spool, "right")) == (now + 100, now + 5000)


def test_touch_reschedules_the_ticket_of_one_stage_and_of_no_other(spool: Spool, owner: Owner) -> None:
    spool.prepare(ROOTS)
    publish(spool, ROOTS, [ticket("a")], owner)
    now = float(int(time.time()))
    for stage in ("left", "right"):
        desk = Desk(spool, ROOTS, stage, owner)
        desk.defer(take(desk), now + 1000)
    os.utime(spool.ticket("job", "left", Box.LATER, "a.json"), (now, now))
    assert (due(spool, "left"), due(spool, "right")) == (now, now + 1000)


def test_a_whole_stage_that_is_put_off_leaves_the_times_of_the_others(spool: Spool, owner: Owner) -> None:
    spool.prepare(ROOTS)
    publish(spool, ROOTS, [ticket("a")], owner)
    now = float(int(time.time()))
    left = Desk(spool, ROOTS, "left", owner)
    left.defer(take(left), now + 100)
    assert put_off(spool, "job", "right", owner, now + 5000) == 1
    assert (due(spool, "left"), due(spool, "right")) == (now + 100, now + 5000)
