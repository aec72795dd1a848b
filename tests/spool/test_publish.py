"""From a find to tickets: one file behind them all, nothing twice, nothing by halves."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from rivus.model.item import Ticket
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import adopt, complete, first_boxes, publish, publishing, twin
from rivus.spool.reader import read_document
from tests.spool.crash import PLAN, boxes_of, check_conserved, fresh_spool, places
from tests.spool.test_crash import published, ticket

FORK = Plan("job", {"left": (), "right": (), "join": ("left", "right"), "end": ("join",)})


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


def entered(stage: Any, key: str = "a") -> Ticket:
    one = ticket(key)
    one.meta["entered"] = stage
    return one


def test_each_stage_gets_its_ticket_and_the_item_its_birth_record(spool: Spool) -> None:
    published(spool, "a")
    assert boxes_of(spool, "a.json") == {"fetch": Box.READY, "extract": Box.WAIT, "score": Box.WAIT}
    assert read_document(f"{spool.births('job')}/a.json") == ticket("a").to_json()
    check_conserved(spool, {"a.json"})


def test_all_of_an_item_is_one_file_on_the_disk(spool: Spool) -> None:
    published(spool, "a", "b")
    paths = [
        f"{spool.births('job')}/a.json",
        *(f"{spool.root}/job/{s}" for s in ("fetch/ready/a.json", "score/wait/a.json")),
    ]
    assert len({os.stat(path).st_ino for path in paths}) == 1
    assert os.stat(paths[0]).st_nlink == 4
    assert not os.path.samefile(paths[0], f"{spool.births('job')}/b.json")


def test_nothing_is_left_in_the_scratch_folder(spool: Spool) -> None:
    with Owner(spool) as owner:
        publish(spool, PLAN, [ticket("a"), ticket("b")], owner)
        assert os.listdir(owner.scratch) == []


def test_what_is_known_is_not_published_again_wherever_its_tickets_are(spool: Spool) -> None:
    published(spool, "a")
    os.rename(spool.ticket("job", "fetch", Box.READY, "a.json"), spool.ticket("job", "fetch", Box.FAILED, "a.json"))
    before = places(spool)
    with Owner(spool) as owner:
        again = ticket("a")
        again.data = {"url": "another"}
        assert [one.key for one in publish(spool, PLAN, [again, ticket("b")], owner)] == ["b"]
        assert publish(spool, PLAN, [again], owner) == []
    assert places(spool) == before | {"b.json": {"fetch": ["ready"], "extract": ["wait"], "score": ["wait"]}}
    assert read_document(f"{spool.births('job')}/a.json")["data"] == ticket("a").data


def test_what_comes_twice_at_once_is_one_item(spool: Spool) -> None:
    with Owner(spool) as owner:
        assert len(publish(spool, PLAN, [ticket("a"), ticket("b"), ticket("a")], owner)) == 2
    check_conserved(spool, {"a.json", "b.json"})


def test_nothing_to_publish_is_fine(spool: Spool) -> None:
    with Owner(spool) as owner:
        assert publish(spool, PLAN, [], owner) == []


@pytest.mark.parametrize("value", [math.nan, 2**64, "\ud800", b"x", "x" * (17 << 20)], ids=range(5))
def test_one_that_cannot_be_written_keeps_the_whole_batch_back(spool: Spool, value: Any) -> None:
    bad = ticket("b")
    bad.data = {"x": value}
    with Owner(spool) as owner:
        with pytest.raises(ValueError):
            publish(spool, PLAN, [ticket("a"), bad], owner)
        assert os.listdir(owner.scratch) == []
    assert places(spool) == {}
    assert set(os.listdir(spool.births("job"))) <= {".lock"}


def test_two_publishers_at_once_make_each_item_once(spool: Spool) -> None:
    counts: list[int] = []

    def work() -> None:
        with Owner(spool) as owner:
            counts.append(sum(len(publish(spool, PLAN, [ticket(f"k{n}")], owner)) for n in range(25)))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 25
    check_conserved(spool, {f"k{n}.json" for n in range(25)})


def test_an_item_that_enters_later_leaves_the_stages_before_it_skipped(spool: Spool) -> None:
    with Owner(spool) as owner:
        publish(spool, PLAN, [entered("extract")], owner)
    assert boxes_of(spool, "a.json") == {"fetch": Box.DONE, "extract": Box.READY, "score": Box.WAIT}
    receipt = read_document(spool.ticket("job", "fetch", Box.DONE, "a.json"))["receipt"]
    assert receipt == {"skipped": "the item entered at extract"}
    check_conserved(spool, {"a.json"})


@pytest.mark.parametrize("stage", ["fetch", "nowhere", "", None, 5, [], {}, ["extract"]], ids=repr)
def test_what_names_no_later_stage_begins_at_the_beginning(spool: Spool, stage: Any) -> None:
    with Owner(spool) as owner:
        publish(spool, PLAN, [entered(stage)], owner)
    assert boxes_of(spool, "a.json") == {"fetch": Box.READY, "extract": Box.WAIT, "score": Box.WAIT}


def test_tickets_are_laid_down_with_those_that_can_run_last() -> None:
    assert list(first_boxes(FORK, None).items()) == [
        ("join", Box.WAIT), ("end", Box.WAIT), ("left", Box.READY), ("right", Box.READY),
    ]  # fmt: skip
    assert first_boxes(FORK, "join") == {
        "left": Box.DONE, "right": Box.DONE, "join": Box.READY, "end": Box.WAIT,
    }  # fmt: skip
    assert first_boxes(FORK, "left") == first_boxes(FORK, None)


def test_an_item_that_enters_on_one_side_of_a_fork_still_runs_the_other(spool: Spool) -> None:
    plan = Plan("job", {"fetch": (), "extract": ("fetch",), "score": (), "join": ("extract", "score")})
    spool.prepare(plan)
    with Owner(spool) as owner:
        publish(spool, plan, [entered("extract")], owner)
    assert boxes_of(spool, "a.json", plan) == {
        "fetch": Box.DONE, "extract": Box.READY, "score": Box.READY, "join": Box.WAIT,
    }  # fmt: skip


def test_the_next_finder_adds_what_an_interrupted_publisher_did_not_come_to(spool: Spool) -> None:
    published(spool, "a")
    os.unlink(f"{spool.births('job')}/a.json")
    os.unlink(spool.ticket("job", "fetch", Box.READY, "a.json"))
    with Owner(spool) as owner:
        assert len(publish(spool, PLAN, [ticket("a")], owner)) == 1
    check_conserved(spool, {"a.json"})


def test_the_sweep_adds_it_too_and_leaves_a_whole_item_alone(spool: Spool) -> None:
    published(spool, "a")
    os.unlink(f"{spool.births('job')}/a.json")
    os.unlink(spool.ticket("job", "fetch", Box.READY, "a.json"))
    with Owner(spool) as owner:
        assert complete(spool, PLAN, "score", "a.json", owner)
        assert not complete(spool, PLAN, "score", "a.json", owner)
    check_conserved(spool, {"a.json"})


def test_a_copy_is_found_in_every_box(spool: Spool) -> None:
    published(spool, "a")
    claim, ready = f"{spool.root}/job/files/claim", spool.ticket("job", "fetch", Box.READY, "a.json")
    os.rename(ready, claim)
    assert twin(spool, "job", "fetch", "a.json", claim) is None
    for box in (Box.DONE, Box.LATER, Box.FAILED, Box.HELD, Box.WAIT, Box.READY):
        os.link(claim, spool.ticket("job", "fetch", box, "a.json"))
        assert twin(spool, "job", "fetch", "a.json", claim) is box
        os.unlink(spool.ticket("job", "fetch", box, "a.json"))
    os.mkdir(spool.claims("job", "fetch", "other"))
    os.link(claim, f"{spool.claims('job', 'fetch', 'other')}/a.json")
    assert twin(spool, "job", "fetch", "a.json", claim) is Box.RUNNING


def test_what_is_adopted_becomes_an_item_beside_its_claim(spool: Spool) -> None:
    with Owner(spool) as owner:
        claim = f"{owner.claims('job', 'extract')}/a.json"
        Path(claim).write_text("{}")
        adopt(spool, PLAN, "extract", entered("extract"), claim, owner)
        assert boxes_of(spool, "a.json") == {"fetch": Box.DONE, "extract": Box.RUNNING, "score": Box.WAIT}
        assert read_document(claim) == read_document(f"{spool.births('job')}/a.json")


def test_what_is_an_item_already_is_not_adopted_and_stays_as_it_is(spool: Spool) -> None:
    published(spool, "a")
    before = places(spool)
    with Owner(spool) as owner, pytest.raises(ValueError, match="an item already, in ready"):
        adopt(spool, PLAN, "fetch", ticket("a"), f"{spool.root}/elsewhere", owner)
    assert places(spool) == before


def test_one_publisher_waits_for_the_other(spool: Spool) -> None:
    inside: list[int] = []
    at_once: list[int] = []

    def work() -> None:
        with publishing(spool, "job"):
            inside.append(1)
            at_once.append(len(inside))
            inside.pop()

    with publishing(spool, "job"):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        threads[0].join(0.05)
        assert at_once == [] and all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join(10)
    assert at_once == [1, 1, 1, 1]
