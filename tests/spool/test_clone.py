"""Production's items in the test spool, and production as it was before."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rivus.model.item import Ticket, file_name
from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.spool.clone import clone
from rivus.spool.desk import Desk
from rivus.spool.hands import redo
from rivus.spool.layout import Spool, open_spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.recover import release_all
from tests.commands.trees import tree
from tests.spool.crash import PLAN, boxes_of, bury_me, calls_of, check_conserved, dies_at, fresh_spool, places

RECEIPT = {"owner": "me", "input": "1", "cost": {"usd": 1.0}}
ANEW = {"fetch": Box.READY, "extract": Box.WAIT, "score": Box.WAIT}


@pytest.fixture
def production(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


@pytest.fixture
def test(production: Spool) -> Spool:
    return open_test(production)


def open_test(production: Spool) -> Spool:
    spool = open_spool(production.root, test=True)
    spool.prepare(PLAN)
    return spool


def run(spool: Spool, key: str, *stages: str, entered: str = "", output: Json | None = None, fail: str = "") -> None:
    """Makes an item, and ends it in these stages."""
    with Owner(spool) as owner:
        meta = {"discovered": "2026-01-01T00:00:00.000Z"} | ({"entered": entered} if entered else {})
        publish(spool, PLAN, [Ticket("job", key, {"id": key}, meta)], owner)
        for stage in stages:
            desk = Desk(spool, PLAN, stage, owner)
            claim = desk.claim(file_name(key))
            assert claim is not None
            if stage == fail:
                desk.fail(claim, {"reason": "bad"}, {"outcome": "failed"})
            else:
                desk.finish(claim, output or {stage: key}, RECEIPT, {"outcome": "done", "cost": {"usd": 1.0}})


def age(spool: Spool, key: str, seconds: float) -> None:
    """Makes an item's last result so old."""
    path = spool.ticket("job", "score", Box.DONE, file_name(key))
    os.utime(path, (1e9 - seconds, 1e9 - seconds))


def cloned(production: Spool, test: Spool, most: int = 9, begin: str | None = None) -> dict[str, tuple[str, ...]]:
    with Owner(test) as owner:
        return clone(production, test, PLAN, most, begin, owner)


def read(spool: Spool, stage: str, box: Box, name: str) -> Any:
    return json.loads(Path(spool.ticket("job", stage, box, name)).read_text())


def test_an_item_begins_anew_with_the_data_it_was_born_with(production: Spool, test: Spool) -> None:
    run(production, "a", "fetch", "extract", "score")
    before = tree(Path(production.root), "_test")
    assert cloned(production, test) == {"a.json": ("fetch", "extract", "score")}
    assert boxes_of(test, "a.json") == ANEW
    ticket = read(test, "fetch", Box.READY, "a.json")
    assert ticket["data"] == {"id": "a"} and ticket.keys() == {"job", "key", "data", "meta"}
    assert tree(Path(production.root), "_test") == before


def test_the_newest_that_are_done_come_first_and_what_failed_only_if_these_are_fewer(
    production: Spool, test: Spool
) -> None:
    for number, key in enumerate(["old", "new", "newer"]):
        run(production, key, "fetch", "extract", "score")
        age(production, key, -number)
    run(production, "bad", "fetch", "extract", fail="extract")
    run(production, "half", "fetch")
    assert list(cloned(production, test, 2)) == ["newer.json", "new.json"]
    assert list(cloned(production, test, 9)) == ["newer.json", "new.json", "old.json", "bad.json"]


def emitted(production: Spool, parent: str, key: str, stage: str = "fetch") -> None:
    """Makes a child of an item, which is done too."""
    meta = {"discovered": "2026-01-01", "strategy": f"emit:{stage}", "parent": {"job": "job", "key": parent}}
    with Owner(production) as owner:
        publish(production, PLAN, [Ticket("job", key, {"id": key}, meta)], owner)
    run(production, key, *PLAN.order)


def test_children_that_their_parents_make_again_are_cloned_only_without_them(production: Spool, test: Spool) -> None:
    run(production, "root", *PLAN.order)
    emitted(production, "root", "child")
    emitted(production, "gone", "orphan")
    emitted(production, "orphan", "grandchild")
    for number, key in enumerate(["root", "orphan", "child", "grandchild"]):
        age(production, key, -number)
    assert list(cloned(production, test, 1)) == ["root.json"]
    assert list(cloned(production, test, 9)) == ["root.json", "orphan.json"]


def test_children_come_by_age_if_the_stage_that_emits_them_does_not_run_again(production: Spool, test: Spool) -> None:
    run(production, "root", *PLAN.order)
    emitted(production, "root", "child")
    age(production, "root", 1)
    age(production, "child", 0)
    assert list(cloned(production, test, 9, begin="extract")) == ["child.json", "root.json"]


def test_a_stage_that_production_does_not_have_yet_keeps_no_item_back(production: Spool, test: Spool) -> None:
    run(production, "a", "fetch", "extract")
    assert list(cloned(production, test)) == ["a.json"]


def test_from_a_stage_on_the_results_before_it_are_productions(production: Spool, test: Spool) -> None:
    run(production, "a", "fetch", "extract", "score")
    assert cloned(production, test, begin="score") == {"a.json": ("score",)}
    assert boxes_of(test, "a.json") == {"fetch": Box.DONE, "extract": Box.DONE, "score": Box.READY}
    taken = read(test, "extract", Box.DONE, "a.json")
    assert taken["output"] == {"extract": "a"}
    assert taken["receipt"] == {"owner": "me", "input": "1"}, "a test has not paid for it"
    assert "attempts" not in taken
    check_conserved(test, {"a.json"})


def test_from_a_stage_on_only_items_are_taken_that_have_come_so_far(production: Spool, test: Spool) -> None:
    run(production, "a", "fetch", "extract", fail="extract")
    assert cloned(production, test, begin="score") == {}
    assert cloned(production, test, begin="extract") == {"a.json": ("extract", "score")}


def test_an_old_result_serves_while_it_is_made_anew(production: Spool, test: Spool) -> None:
    run(production, "a", "fetch", "extract", "score")
    redo(production, "job", "score", "a.json", "")
    run(production, "b", "fetch", "extract", "score")
    redo(production, "job", "extract", "b.json", "")
    assert cloned(production, test, begin="extract") == {}  # both are on their way through production


def test_files_are_copies_that_a_test_may_write_into(production: Spool, test: Spool) -> None:
    folder = Path(production.files("job", "a.json"), "fetch", "deep")
    folder.mkdir(parents=True)
    (folder / "body").write_text("big")
    (folder / "link").symlink_to("/etc/passwd")
    run(production, "a", "fetch", "extract", "score")
    cloned(production, test, begin="extract")
    copy = Path(test.files("job", "a.json"), "fetch", "deep", "body")
    assert copy.read_text() == "big" and not (copy.parent / "link").is_symlink()
    copy.write_text("changed")
    assert (folder / "body").read_text() == "big"


def test_a_result_whose_files_are_gone_is_passed_over(
    production: Spool, test: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    run(production, "a", "fetch", "extract", "score")
    path = Path(production.ticket("job", "fetch", Box.DONE, "a.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"receipt": {"files": [{"file": "fetch/body"}]}}))
    assert cloned(production, test, begin="extract") == {}
    assert "job: 1 cannot be cloned: a file of fetch is gone (a)\n" in capsys.readouterr().err
    assert places(test) == {}


def test_what_awaits_children_cannot_begin_after_they_were_emitted(
    production: Spool, test: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    run(production, "a", "fetch", "extract", "score")
    path = Path(production.ticket("job", "fetch", Box.DONE, "a.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"receipt": {"emitted": {"job": ["child"]}}}))
    plan = replace(PLAN, children={"score": (("job", "fetch"),)})
    with Owner(test) as owner:
        assert clone(production, test, plan, 1, "score", owner) == {}
        assert "begin with fetch, which emits them" in capsys.readouterr().err
        assert list(clone(production, test, plan, 1, None, owner)) == ["a.json"]


def test_an_item_that_entered_later_does_so_again(production: Spool, test: Spool) -> None:
    run(production, "a", "extract", "score", entered="extract")
    cloned(production, test)
    assert boxes_of(test, "a.json") == {"fetch": Box.DONE, "extract": Box.READY, "score": Box.WAIT}


def test_again_it_replaces_what_the_test_spool_had(production: Spool, test: Spool) -> None:
    run(production, "a", "fetch", "extract", "score")
    run(test, "a", "fetch", "extract", "score", output={"old": True})
    Path(test.files("job", "a.json"), "fetch").mkdir(parents=True)
    cloned(production, test)
    assert boxes_of(test, "a.json") == ANEW
    assert not os.path.exists(test.files("job", "a.json"))
    check_conserved(test, {"a.json"})
    cloned(production, test, begin="score")
    assert read(test, "extract", Box.DONE, "a.json")["output"] == {"extract": "a"}
    check_conserved(test, {"a.json"})


def test_what_runs_in_a_test_now_is_left_alone(
    production: Spool, test: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    run(production, "a", "fetch", "extract", "score")
    run(test, "a")
    with Owner(test) as other:
        assert Desk(test, PLAN, "fetch", other).claim("a.json")
        assert cloned(production, test) == {}
        assert boxes_of(test, "a.json") == {"fetch": Box.RUNNING, "extract": Box.WAIT, "score": Box.WAIT}
    assert "it is running in a test now" in capsys.readouterr().err
    check_conserved(test, {"a.json"})


def test_what_cannot_be_read_is_passed_over(production: Spool, test: Spool) -> None:
    for key in ("a", "b", "c", "d"):
        run(production, key, "fetch", "extract", "score")
    births = Path(production.births("job"))
    (births / "a.json").unlink()
    os.unlink(births / "b.json")
    (births / "b.json").write_text("{")
    (births / "c.json").unlink()
    (births / "c.json").write_text((births / "d.json").read_text())
    assert list(cloned(production, test)) == ["d.json"]


def test_a_crash_anywhere_leaves_nothing_that_the_next_cloning_does_not_mend(tmp_path: Path) -> None:
    def begun(number: int) -> tuple[Spool, Spool, Owner]:
        production = fresh_spool(tmp_path / str(number))
        run(production, "a", "fetch", "extract", "score")
        Path(production.files("job", "a.json"), "fetch").mkdir(parents=True)
        Path(production.files("job", "a.json"), "fetch", "body").write_text("big")
        test = open_test(production)
        run(test, "a", "fetch", output={"old": True})
        return production, test, Owner(test)

    production, test, owner = begun(0)
    calls = calls_of(lambda: clone(production, test, PLAN, 1, "extract", owner))
    wanted = boxes_of(test, "a.json")
    for number in range(1, calls + 1):
        production, test, owner = begun(number)
        before = tree(Path(production.root), "_test")
        assert dies_at(number, lambda: clone(production, test, PLAN, 1, "extract", owner))  # noqa: B023
        bury_me(owner)
        for stages in places(test).values():
            assert all(len(boxes) == 1 for boxes in stages.values()), f"twice, after call {number}"
        release_all(test, PLAN)
        assert list(cloned(production, test, 1, "extract")) == ["a.json"]
        assert boxes_of(test, "a.json") == wanted
        check_conserved(test, {"a.json"})
        assert tree(Path(production.root), "_test") == before
