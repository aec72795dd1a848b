"""rivus-index: up to date, made anew, compared, followed."""

from __future__ import annotations

import os
import signal
import sqlite3

from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import inject
from tests.conftest import House


def states(house: House, stage: str = "fetch") -> list[str]:
    db = sqlite3.connect(f"file:{house.root}/spool/index.db?mode=ro", uri=True)
    try:
        return [state for (state,) in db.execute("SELECT state FROM tickets WHERE stage = ?", (stage,))]
    except sqlite3.OperationalError:
        return []
    finally:
        db.close()


def prepared(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": "a"})
    return house


def move(house: House, source: str, target: str) -> None:
    stage = house.root / "spool/demo/fetch"
    os.rename(stage / source / "a.json", stage / target / "a.json")


def test_it_is_silent_and_the_index_is_there(house: House) -> None:
    done = prepared(house).run("rivus-index")
    assert (done.out, done.err) == ("", "")
    assert states(house) == ["ready"]


def test_check_prints_what_differs_and_changes_nothing(house: House) -> None:
    prepared(house).run("rivus-index")
    assert house.run("rivus-index", "--check").out == ""
    move(house, "ready", "held")
    lines = house.run("rivus-index", "--check", code=1).lines
    assert {(line["table"], line["in"]) for line in lines} >= {("tickets", "spool"), ("tickets", "index")}
    assert states(house) == ["ready"]
    house.run("rivus-index")
    assert house.run("rivus-index", "--check").out == ""


def test_rebuild_says_with_v_what_it_did(house: House) -> None:
    prepared(house).run("rivus-index")
    assert house.run("rivus-index", "--rebuild", "-v").err == "index: 0 items changed; made anew: asked to\n"


def test_the_sweep_makes_the_index_and_keeps_it(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    house.run("rivus-sweep")
    assert not (house.root / "spool/index.db").exists(), "an empty spool needs none"
    inject(house, {"id": "a"})
    house.run("rivus-sweep")
    assert states(house) == ["ready"]
    move(house, "ready", "held")
    house.run("rivus-sweep")
    assert states(house) == ["held"]


def test_an_index_that_cannot_be_written_does_not_keep_the_sweep_from_mending(house: House) -> None:
    prepared(house)
    os.mkdir(house.root / "spool/index.db")
    move(house, "ready", "later")
    os.utime(house.root / "spool/demo/fetch/later/a.json", (1, 1))
    done = house.run("rivus-sweep", "-v", code=1)
    assert "1 woken" in done.err and "index: " in done.err
    assert house.box("demo", "fetch", "ready") == ["a.json"]


def test_follow_sees_a_move_and_ends_with_a_signal(house: House) -> None:
    following = prepared(house).start("rivus-index", "--follow")
    try:
        house.wait_for(lambda: (house.root / "spool/index.db").exists() and states(house) == ["ready"], "the index")
        move(house, "ready", "held")
        house.wait_for(lambda: states(house) == ["held"], "the move in the index")
    finally:
        following.send_signal(signal.SIGTERM)
    assert following.wait(10) == 130


def test_the_test_spool_has_an_index_of_its_own(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": "a"}, test=True)
    house.run("rivus-index", "--test")
    assert (house.root / "spool/_test/index.db").exists() and not (house.root / "spool/index.db").exists()


def test_two_modes_at_once_are_a_mistake(house: House) -> None:
    house.run("rivus-index", "--check", "--rebuild", code=2)
