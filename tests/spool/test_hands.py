"""What a person moves, and what discovery does with an item that has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rivus.model.states import DROP, HOLD, RESET, RESTING, RETRY, TABLE, UNHOLD, Box
from rivus.spool import hands
from rivus.spool.desk import Desk
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable, read_document
from tests.spool.crash import PLAN, boxes_of, check_conserved, fresh_spool
from tests.spool.test_crash import ATTEMPT, claimed, published, ticket


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = fresh_spool(tmp_path / "spool")
    published(spool, "a")
    return spool


@pytest.fixture
def owner(spool: Spool) -> Iterator[Owner]:
    with Owner(spool) as owner:
        yield owner


def finish(spool: Spool, owner: Owner, *stages: str) -> None:
    for stage in stages:
        desk = Desk(spool, PLAN, stage, owner)
        desk.finish(claimed(spool, owner, stage=stage), {stage: 1}, {"owner": owner.name}, ATTEMPT)


def put(spool: Spool, box: Box, stage: str = "fetch") -> str:
    found = spool.where("job", stage, "a.json")
    assert found
    os.rename(found[1], spool.ticket("job", stage, box, "a.json"))
    return spool.ticket("job", stage, box, "a.json")


def changed(**data: Any) -> Any:
    one = ticket("a")
    one.data = data
    one.meta = {"discovered": "2027-01-01T00:00:00.000Z", "strategy": "new"}
    return one


@pytest.mark.parametrize("row", [HOLD, RETRY, UNHOLD, DROP, RESET], ids=lambda row: row.name)
def test_a_move_is_made_from_the_boxes_of_its_row_and_from_no_other(spool: Spool, row: Any) -> None:
    for box in sorted(RESTING):
        path = put(spool, box)
        before = os.stat(path).st_ino
        moved = hands.move(spool, "job", "fetch", "a.json", row, why="w")
        assert moved == (box if box in row.sources else None)
        found = spool.where("job", "fetch", "a.json")
        assert found and found[0] == (row.target if box in row.sources else box)
        assert os.stat(found[1]).st_ino == before
    check_conserved(spool, {"a.json"})


def test_what_is_in_no_box_is_not_moved(spool: Spool) -> None:
    for row in TABLE:
        assert hands.move(spool, "job", "fetch", "none.json", row) is None
    assert hands.hold(spool, PLAN, "nowhere", "a.json", "w") is None


def test_a_running_ticket_can_be_taken_from_its_worker(spool: Spool, owner: Owner) -> None:
    claim = claimed(spool, owner)
    assert hands.hold(spool, PLAN, "fetch", "a.json", "w") is Box.RUNNING
    assert not os.path.exists(claim.path)


def test_what_is_let_go_waits_until_its_needs_are_done(spool: Spool, owner: Owner) -> None:
    hands.hold(spool, PLAN, "extract", "a.json", "w")
    assert hands.unhold(spool, PLAN, "extract", "a.json", "w") is Box.HELD
    assert boxes_of(spool, "a.json")["extract"] is Box.WAIT
    hands.hold(spool, PLAN, "extract", "a.json", "w")
    finish(spool, owner, "fetch")
    assert boxes_of(spool, "a.json")["extract"] is Box.HELD, "what is held is not released"
    hands.unhold(spool, PLAN, "extract", "a.json", "w")
    assert boxes_of(spool, "a.json")["extract"] is Box.READY


def test_a_stage_that_needs_nothing_is_let_go_to_ready(spool: Spool) -> None:
    hands.hold(spool, PLAN, "fetch", "a.json", "w")
    hands.unhold(spool, PLAN, "fetch", "a.json", "w")
    assert boxes_of(spool, "a.json")["fetch"] is Box.READY


def test_what_is_dropped_is_done_without_a_result_and_what_follows_goes_on(spool: Spool, owner: Owner) -> None:
    before = time.time()
    assert hands.drop(spool, PLAN, "fetch", "a.json", "no use", owner) is Box.READY
    document = read_document(spool.ticket("job", "fetch", Box.DONE, "a.json"))
    assert "output" not in document
    assert document["receipt"].pop("ended")[:10] >= time.strftime("%Y-%m-%d", time.gmtime(before))
    assert document["receipt"] == {"skipped": "dropped: no use", "owner": owner.name}
    assert boxes_of(spool, "a.json")["extract"] is Box.READY
    assert read_document(spool.ticket("job", "extract", Box.READY, "a.json")) == ticket("a").to_json()


def test_what_is_done_or_gone_cannot_be_dropped(spool: Spool, owner: Owner) -> None:
    finish(spool, owner, "fetch")
    before = Path(spool.ticket("job", "fetch", Box.DONE, "a.json")).read_bytes()
    assert hands.drop(spool, PLAN, "fetch", "a.json", "w", owner) is None
    assert hands.drop(spool, PLAN, "fetch", "none.json", "w", owner) is None
    assert Path(spool.ticket("job", "fetch", Box.DONE, "a.json")).read_bytes() == before


def test_what_cannot_be_read_is_not_made_done_by_dropping_it(spool: Spool, owner: Owner) -> None:
    path = Path(put(spool, Box.FAILED))
    path.unlink()
    path.write_text("{")
    with suppress(ValueError, Unreadable):
        hands.drop(spool, PLAN, "fetch", "a.json", "w", owner)
    found = spool.where("job", "fetch", "a.json")
    assert found is None or found[0] is not Box.DONE or read_document(found[1])["receipt"]


def test_the_same_data_is_no_change_whatever_the_order_of_its_fields(spool: Spool, owner: Owner) -> None:
    assert hands.change(spool, PLAN, changed(x=1, y=2), owner, rerun=False)
    before = Path(spool.births("job"), "a.json").read_bytes()
    for rerun in (False, True):
        assert not hands.change(spool, PLAN, changed(y=2, x=1), owner, rerun)
    assert Path(spool.births("job"), "a.json").read_bytes() == before


def test_a_change_is_kept_in_the_birth_record_with_when_it_was_first_found(spool: Spool, owner: Owner) -> None:
    assert hands.change(spool, PLAN, changed(url="new"), owner, rerun=False)
    document = read_document(f"{spool.births('job')}/a.json")
    assert document["data"] == {"url": "new"}
    assert document["meta"].pop("changed") > "2026"
    assert document["meta"] == {"discovered": "2026-01-01T00:00:00.000Z", "strategy": "new"}
    assert boxes_of(spool, "a.json") == {"fetch": Box.READY, "extract": Box.WAIT, "score": Box.WAIT}


def test_an_update_runs_nothing_again(spool: Spool, owner: Owner) -> None:
    finish(spool, owner, "fetch", "extract")
    before = boxes_of(spool, "a.json")
    assert hands.change(spool, PLAN, changed(url="new"), owner, rerun=False)
    assert boxes_of(spool, "a.json") == before
    assert claimed(spool, owner, stage="score").ticket.data == {"url": "new"}


def test_a_rerun_begins_at_the_beginning_with_the_new_data(spool: Spool, owner: Owner) -> None:
    finish(spool, owner, "fetch", "extract", "score")
    assert hands.change(spool, PLAN, changed(url="new"), owner, rerun=True)
    assert boxes_of(spool, "a.json") == {"fetch": Box.READY, "extract": Box.WAIT, "score": Box.WAIT}
    assert claimed(spool, owner).ticket.data == {"url": "new"}


def test_what_a_person_holds_is_not_taken_for_a_rerun(spool: Spool, owner: Owner) -> None:
    finish(spool, owner, "fetch")
    hands.hold(spool, PLAN, "extract", "a.json", "w")
    assert hands.change(spool, PLAN, changed(url="new"), owner, rerun=True)
    assert boxes_of(spool, "a.json") == {"fetch": Box.READY, "extract": Box.HELD, "score": Box.WAIT}


def test_while_a_stage_runs_nothing_is_changed_and_it_is_found_again(spool: Spool, owner: Owner) -> None:
    claim = claimed(spool, owner)
    assert not hands.change(spool, PLAN, changed(url="new"), owner, rerun=True)
    assert read_document(f"{spool.births('job')}/a.json")["data"] == ticket("a").data
    Desk(spool, PLAN, "fetch", owner).give_back(claim)
    assert hands.change(spool, PLAN, changed(url="new"), owner, rerun=True)


def test_a_change_that_cannot_be_written_changes_nothing(spool: Spool, owner: Owner) -> None:
    finish(spool, owner, "fetch")
    before = boxes_of(spool, "a.json")
    with pytest.raises(ValueError):
        hands.change(spool, PLAN, changed(x="\ud800"), owner, rerun=True)
    assert boxes_of(spool, "a.json") == before
    assert read_document(f"{spool.births('job')}/a.json")["data"] == ticket("a").data


def test_the_birth_record_of_an_item_is_its_ticket(spool: Spool) -> None:
    assert hands.birth(spool, "job", "a.json") == ticket("a")
    assert hands.birth(spool, "job", "none.json") is None
