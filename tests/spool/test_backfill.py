"""A job whose stages have changed: every item has its tickets again, whatever interrupts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivus.model.item import Ticket
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.spool.backfill import follow_plan
from rivus.spool.desk import Desk
from rivus.spool.hands import redo
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.planned import planned
from rivus.spool.publish import publish
from rivus.spool.reader import read_document
from rivus.spool.recover import recover, release_all
from rivus.spool.results import last_result
from tests.spool.crash import PLAN, boxes_of, bury_me, calls_of, check_conserved, dies_at, empty_files, fresh_spool
from tests.spool.test_crash import ATTEMPT, ticket

MORE = Plan("job", {"fetch": (), "look": ("fetch",), "extract": ("fetch",), "tag": (), "score": ("extract", "look")})


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be: the order of calls is tested, not the disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    import shutil

    folder = Path(f"/dev/shm/rivus-backfill-{os.getpid()}")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(spool: Spool, plan: Plan, stage: str, name: str, owner: Owner) -> None:
    desk = Desk(spool, plan, stage, owner)
    claim = desk.claim(name)
    assert claim
    desk.finish(claim, {stage: 1}, {"owner": owner.name, "input": "x"}, {**ATTEMPT, "owner": owner.name})


def filled(root: Path) -> Spool:
    """Item `a` is fetched and extracted, `b` is new, `c` entered at `extract`; the plan is the old one."""
    spool = fresh_spool(root)
    with Owner(spool) as owner:
        publish(spool, PLAN, [ticket("a"), ticket("b"), Ticket("job", "c", {"u": 1}, {"entered": "extract"})], owner)
        run(spool, PLAN, "fetch", "a.json", owner)
        run(spool, PLAN, "extract", "a.json", owner)
    spool.prepare(MORE)
    return spool


def follow(spool: Spool, plan: Plan) -> int | None:
    with Owner(spool) as owner:
        count = follow_plan(spool, plan, owner)
        release_all(spool, plan)
    return count


def test_a_new_stage_gets_every_item_once(root: Path) -> None:
    spool = filled(root)
    assert follow(spool, MORE) == 6
    check_conserved(spool, {"a.json", "b.json", "c.json"}, MORE)
    a, b, c = (boxes_of(spool, f"{key}.json", MORE) for key in "abc")
    assert (a["look"], a["tag"]) == (Box.READY, Box.READY)
    assert (b["look"], b["tag"]) == (Box.WAIT, Box.READY)
    assert (c["look"], c["tag"]) == (Box.READY, Box.READY)
    assert follow(spool, MORE) is None


def test_a_stage_before_the_one_where_an_item_entered_is_skipped_for_it(root: Path) -> None:
    spool = filled(root)
    before = Plan("job", {"first": (), "fetch": ("first",), "extract": ("fetch",), "score": ("extract",)})
    spool.prepare(before)
    follow(spool, before)
    assert boxes_of(spool, "c.json", before)["first"] is Box.DONE
    assert "skipped" in read_document(spool.ticket("job", "first", Box.DONE, "c.json"))["receipt"]


def test_what_is_ready_and_needs_a_new_stage_waits_for_it(root: Path) -> None:
    spool = filled(root)
    assert boxes_of(spool, "a.json")["score"] is Box.READY
    follow(spool, MORE)
    assert boxes_of(spool, "a.json", MORE)["score"] is Box.WAIT
    with Owner(spool) as owner:
        run(spool, MORE, "look", "a.json", owner)
    assert boxes_of(spool, "a.json", MORE)["score"] is Box.READY


def test_what_waits_for_a_stage_that_it_does_not_need_any_more_is_released(root: Path) -> None:
    spool = filled(root)
    assert follow(spool, Plan("job", {"fetch": (), "extract": (), "score": ("extract",)})) == 0
    assert boxes_of(spool, "b.json")["extract"] is Box.READY


def test_when_nothing_has_changed_the_items_are_not_looked_at(root: Path) -> None:
    spool = filled(root)
    follow(spool, MORE)
    os.unlink(spool.ticket("job", "tag", Box.READY, "a.json"))
    with Owner(spool) as owner:
        assert calls_of(lambda: follow_plan(spool, MORE, owner)) == 0
    assert "tag" not in boxes_of(spool, "a.json", MORE)


def test_a_publisher_that_still_works_by_the_old_plan_leaves_no_gap(root: Path) -> None:
    spool = filled(root)
    follow(spool, MORE)
    with Owner(spool) as owner:
        publish(spool, PLAN, [ticket("late")], owner)
    assert not planned(spool, "job").whole
    assert follow(spool, MORE) == 2
    check_conserved(spool, {"late.json"}, MORE)


def test_a_file_dropped_by_hand_into_a_changed_stage_stays_ready(root: Path) -> None:
    spool = filled(root)
    Path(spool.box("job", "score", Box.READY), "x.json").write_text('{"id": "x"}')
    follow(spool, MORE)
    assert os.path.exists(f"{spool.box('job', 'score', Box.READY)}/x.json")


def test_a_crash_at_any_call_is_made_good_by_the_next_one(root: Path) -> None:
    at = 0
    while True:
        spool = filled(root)
        owner = Owner(spool)
        died = dies_at(at := at + 1, lambda spool=spool, owner=owner: follow_plan(spool, MORE, owner))  # type: ignore[misc]
        bury_me(owner)
        with Owner(spool) as other:  # what was laid may run before the next sweep
            release_all(spool, MORE)
            if os.path.exists(f"{spool.box('job', 'tag', Box.READY)}/a.json"):
                run(spool, MORE, "tag", "a.json", other)
        follow(spool, MORE)
        check_conserved(spool, {"a.json", "b.json", "c.json"}, MORE)
        assert not empty_files(spool.root) and planned(spool, "job").fits(MORE)
        assert boxes_of(spool, "a.json", MORE)["score"] is Box.WAIT
        if not died:
            break
    assert at > 10


def test_a_crash_while_a_result_is_redone_keeps_the_old_one(root: Path) -> None:
    def again(spool: Spool, owner: Owner) -> None:
        assert redo(spool, "job", "extract", "a.json", "stale")
        claim = Desk(spool, PLAN, "extract", owner).claim("a.json")
        assert claim
        Desk(spool, PLAN, "extract", owner).fail(claim, {"reason": "oh"}, ATTEMPT)

    at = 0
    while True:
        spool = filled(root)
        owner = Owner(spool)
        died = dies_at(at := at + 1, lambda spool=spool, owner=owner: again(spool, owner))  # type: ignore[misc]
        bury_me(owner)
        with Owner(spool) as other:
            recover(spool, "job", "extract", other, PLAN)
        check_conserved(spool, {"a.json"})
        assert (last_result(spool, "job", "extract", "a.json") or {})["output"] == {"extract": 1}
        if not died:
            break
    assert at > 6 and boxes_of(spool, "a.json")["extract"] is Box.FAILED


def test_what_its_finisher_has_not_let_go_of_is_not_redone(root: Path) -> None:
    spool = filled(root)
    owner = Owner(spool)
    Path(owner.claims("job", "fetch"), "a.json").write_text("{}")
    assert not redo(spool, "job", "fetch", "a.json", "stale")
    assert os.path.exists(spool.ticket("job", "fetch", Box.DONE, "a.json"))
