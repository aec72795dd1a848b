"""Children: published before the receipt that names them, awaited by it, released by whoever is last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.spool import atomic, hands
from rivus.spool.backfill import follow_plan
from rivus.spool.children import open_children
from rivus.spool.desk import Desk
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.planned import planned
from rivus.spool.reader import read_document
from rivus.spool.recover import recover, release_all
from tests.spool.crash import boxes_of, bury_me, calls_of, dies_at, tapped
from tests.spool.families import (
    EMITTED,
    PAGES,
    SPLIT,
    Workers,
    check_families,
    claimed,
    emit,
    family_spool,
    finish,
    mend,
    published,
)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be: the order of calls is tested, not the disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    folder = Path(f"/dev/shm/rivus-children-{os.getpid()}")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def at(spool: Spool, stage: str = "reduce", name: str = "a.json", job: str = "split") -> Box | None:
    place = spool.where(job, stage, name)
    return place[0] if place else None


def test_a_stage_waits_for_all_children_and_is_released_by_the_last(root: Path) -> None:
    spool = family_spool(root)
    published(spool, "a")
    work = Workers(spool)
    with Owner(spool) as owner:
        work.run(owner, "split", "split", "a")
        assert read_document(spool.ticket("split", "split", Box.DONE, "a.json"))["receipt"]["emitted"] == {
            "pages": ["p1", "p2"]
        }
        for key in ("p2", "p1"):
            work.run(owner, "pages", "fetch", key)
        work.run(owner, "pages", "map", "p1")
        assert at(spool) is Box.WAIT
        assert open_children(spool, SPLIT, "reduce", "a.json") == ([("pages", "map", "p2")], 2)
        work.run(owner, "pages", "map", "p2")
        assert at(spool) is Box.READY
        work.run_all(owner)
    assert work.reduced == {"a": [("p1", 1), ("p2", 2)]}, "in the order of emission"


def test_without_children_it_waits_for_nobody(root: Path) -> None:
    spool = family_spool(root)
    published(spool, "a")
    with Owner(spool) as owner:
        Workers(spool, lambda key: []).run(owner, "split", "split", "a")
    assert at(spool) is Box.READY


def test_what_is_an_item_already_is_nobodys_child_twice(root: Path) -> None:
    spool = family_spool(root)
    published(spool, "a", "b")
    work = Workers(spool)
    with Owner(spool) as owner:
        work.run(owner, "split", "split", "a")
        work.run(owner, "split", "split", "b")
    receipt = read_document(spool.ticket("split", "split", Box.DONE, "b.json"))["receipt"]
    assert (receipt.get("emitted"), receipt["known"]) == (None, 2)
    assert (at(spool), at(spool, name="b.json")) == (Box.WAIT, Box.READY)
    assert read_document(f"{spool.births('pages')}/p1.json")["meta"] == {
        "discovered": read_document(f"{spool.births('pages')}/p1.json")["meta"]["discovered"],
        "strategy": "emit:split", "parent": {"job": "split", "key": "a"}, "depth": 1,
    }  # fmt: skip


def test_a_failed_child_keeps_its_parent_until_it_is_dropped(root: Path) -> None:
    spool = family_spool(root)
    published(spool, "a")
    work = Workers(spool)
    with Owner(spool) as owner:
        work.run(owner, "split", "split", "a")
        for key in ("p1", "p2"):
            work.run(owner, "pages", "fetch", key)
        work.run(owner, "pages", "map", "p1")
        desk, claim = claimed(spool, owner, "pages", "map", "p2")
        desk.fail(claim, {"reason": "oh"}, {"n": 1})
        mend(spool)
        assert at(spool) is Box.WAIT
        hands.drop(spool, desk.plan, "map", "p2.json", "never mind", owner)
        assert at(spool) is Box.READY


def again(spool: Spool, owner: Owner, children: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    assert hands.redo(spool, "split", "split", "a.json", "changed")
    desk, claim = claimed(spool, owner, "split", "split", "a")
    told = emit(desk, claim, children)
    finish(desk, claim, {"of": 2}, **told)
    return told


def test_a_parent_that_emits_the_same_again_changes_nothing(root: Path) -> None:
    spool = family_spool(root)
    published(spool, "a")
    work = Workers(spool)
    with Owner(spool) as owner:
        work.run_all(owner)
        assert again(spool, owner, EMITTED) == {"emitted": {"pages": ["p1", "p2"]}}
        work.run_all(owner)
    assert set(work.ran.values()) == {1}
    assert at(spool, "map", "p1.json", "pages") is Box.DONE


def test_other_data_for_an_own_child_run_it_again_and_fewer_children_are_awaited(root: Path) -> None:
    spool = family_spool(root)
    published(spool, "a")
    work = Workers(spool)
    with Owner(spool) as owner:
        work.run_all(owner)
        hands.move(spool, "split", "reduce", "a.json", hands.RESET)
        assert again(spool, owner, [("p2", {"n": 20})]) == {"emitted": {"pages": ["p2"]}}
        assert at(spool) is Box.WAIT, "the map of p2 is to be made anew"
        work.run_all(owner)
    assert work.reduced == {"a": [("p2", 20)]}
    assert (work.ran["pages", "map", "p1"], work.ran["pages", "map", "p2"]) == (1, 2)


def test_a_changed_plan_puts_back_what_must_await_children_now(root: Path) -> None:
    spool = family_spool(root)
    published(spool, "a")
    plain = Plan("split", SPLIT.needs)
    with Owner(spool) as owner:
        follow_plan(spool, plain, owner)
        work = Workers(spool)
        work.run(owner, "split", "split", "a")
        hands.move(spool, "split", "reduce", "a.json", hands.UNHOLD)
        release_all(spool, plain)
        assert at(spool) is Box.READY
        follow_plan(spool, SPLIT, owner)
        assert at(spool) is Box.WAIT
        assert planned(spool, "split").plan("split") == SPLIT
        work.run_all(owner)
    assert work.reduced == {"a": [("p1", 1), ("p2", 2)]}


def test_children_that_an_earlier_result_named_are_awaited_while_it_is_made_anew(root: Path) -> None:
    plan = Plan("split", {"split": (), "look": ("split",), "reduce": ("look",)}, SPLIT.children)
    spool = family_spool(root)
    spool.prepare(plan)
    published(spool, "a")
    with Owner(spool) as owner:
        follow_plan(spool, plan, owner)
        Workers(spool).run(owner, "split", "split", "a")
        release_all(spool, plan)
        assert hands.redo(spool, "split", "split", "a.json", "changed")
        desk = Desk(spool, plan, "look", owner)
        claim = desk.claim("a.json")
        assert claim
        finish(desk, claim, {"seen": 1})
        assert spool.ended("split", ("look",), "a.json") and at(spool) is Box.WAIT


def test_what_a_dead_worker_had_finished_releases_its_parent_when_it_is_recovered(root: Path) -> None:
    spool = family_spool(root)
    published(spool, "a")
    work = Workers(spool, lambda key: EMITTED[:1])
    with Owner(spool) as owner:
        for place in [("split", "split", "a"), ("pages", "fetch", "p1")]:
            work.run(owner, *place)
    dead = Owner(spool)
    desk, claim = claimed(spool, dead, "pages", "map", "p1")
    written = spool.ticket("pages", "map", Box.DONE, "p1.json")
    calls = calls_of(lambda: dead.write(written, Path(claim.path).read_bytes()))
    os.unlink(written)
    assert dies_at(calls + 2, lambda: finish(desk, claim, {"map": 1})), "after the receipt is durable"
    bury_me(dead)
    assert spool.ended("pages", ("map",), "p1.json") and at(spool) is Box.WAIT
    with Owner(spool) as owner:
        assert recover(spool, "pages", "map", owner, PAGES) == 1
    assert at(spool) is Box.READY


def prepared(root: Path) -> Spool:
    """Both children are through `fetch`, one through `map`; the parent's `split` has published them and holds its
    claim."""
    spool = family_spool(root)
    published(spool, "a")
    return spool


def interleaved(first: Callable[[], object], second: Callable[[], object], number: int) -> bool:
    """Runs `first`, and all of `second` before its call `number`. False if it makes fewer calls."""
    count = 0

    def tap(call: str, *details: Any) -> None:
        nonlocal count
        count += 1
        if count == number:
            atomic.tap = None
            second()
            atomic.tap = tap

    with tapped(tap):
        first()
    return count >= number


@pytest.mark.parametrize("first", ["the parent", "a child"])
def test_whoever_is_last_releases_wherever_the_other_one_comes_in_between(root: Path, first: str) -> None:
    number = 0
    while True:
        spool = prepared(root)
        with Owner(spool) as mine, Owner(spool) as other:
            work = Workers(spool)
            desk, claim = claimed(spool, mine, "split", "split", "a")
            told = emit(desk, claim, EMITTED)
            for key in ("p1", "p2"):
                work.run(other, "pages", "fetch", key)
            work.run(other, "pages", "map", "p1")
            last, its = claimed(spool, other, "pages", "map", "p2")
            acts = {
                "the parent": lambda desk=desk, claim=claim, told=told: finish(desk, claim, {"of": 1}, **told),
                "a child": lambda last=last, its=its: finish(last, its, {"map": 2}),
            }
            act = acts.pop(first)
            interrupted = interleaved(act, acts.popitem()[1], number := number + 1)
            if not interrupted:
                break
            assert at(spool) is Box.READY, f"nobody released it: {first} first, call {number}"
            check_families(spool)
    assert number > 6


def test_two_children_that_end_side_by_side_release_their_parent_once(root: Path) -> None:
    number = 0
    while True:
        spool = prepared(root)
        with Owner(spool) as mine, Owner(spool) as other:
            work = Workers(spool)
            work.run(mine, "split", "split", "a")
            for key in ("p1", "p2"):
                work.run(other, "pages", "fetch", key)
            one, two = claimed(spool, mine, "pages", "map", "p1"), claimed(spool, other, "pages", "map", "p2")
            interrupted = interleaved(
                lambda one=one: finish(*one, {"map": 1}),  # type: ignore[misc]
                lambda two=two: finish(*two, {"map": 2}),  # type: ignore[misc]
                number := number + 1,
            )
            if not interrupted:
                break
            assert at(spool) is Box.READY
            check_families(spool)
    assert number > 6


def lives(root: Path, number: int, then: int | None = None) -> bool:
    """The parent's worker dies at one call, the sweep after it perhaps at another; then all is mended and run."""
    spool = prepared(root)
    dead: list[Owner] = []
    work = Workers(spool)

    def live() -> None:
        dead.append(Owner(spool))
        work.run(dead[0], "split", "split", "a")

    died = dies_at(number, live)
    for owner in dead:
        bury_me(owner)
    if died and then is not None and not dies_at(then, lambda: mend(spool)):
        return False
    for _ in range(2):
        mend(spool)
        with Owner(spool) as owner:
            work.run_all(owner)
    check_families(spool)
    assert sorted(os.listdir(spool.births("pages"))) == ["p1.json", "p2.json"]
    assert work.reduced == {"a": [("p1", 1), ("p2", 2)]}
    assert all(count == 1 for (_, stage, _), count in work.ran.items() if stage != "split"), work.ran
    return died


def test_a_crash_at_any_call_of_a_parent_leaves_each_child_once(root: Path) -> None:
    number = 0
    while lives(root, number := number + 1):
        pass
    assert number > 30


def test_a_crash_during_the_recovery_too(root: Path) -> None:
    spool = prepared(root)
    with Owner(spool) as owner:
        calls = calls_of(lambda: Workers(spool).run(owner, "split", "split", "a")) + 5
    for number in range(1, calls + 1, 5):
        then = 0
        while lives(root, number, then := then + 1):
            pass


def test_a_crash_at_any_call_of_the_last_child_releases_the_parent_once(root: Path) -> None:
    number = 0
    while True:
        spool = prepared(root)
        work = Workers(spool)
        with Owner(spool) as owner:
            work.run(owner, "split", "split", "a")
            for stage, key in [("fetch", "p1"), ("fetch", "p2"), ("map", "p1")]:
                work.run(owner, "pages", stage, key)
        dead = Owner(spool)
        died = dies_at(number := number + 1, lambda dead=dead, work=work: work.run(dead, "pages", "map", "p2"))  # type: ignore[misc]
        bury_me(dead)
        mend(spool)
        with Owner(spool) as owner:
            work.run_all(owner)
        check_families(spool)
        assert work.ran["split", "reduce", "a"] == 1 and work.reduced == {"a": [("p1", 1), ("p2", 2)]}
        assert boxes_of(spool, "a.json", SPLIT) == {"split": Box.DONE, "reduce": Box.DONE}
        if not died:
            break
    assert number > 6
