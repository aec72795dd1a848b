"""rivus-move: the moves a person makes; plain mv does as well."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import inject
from tests.conftest import House

BOXES = ("wait", "ready", "later", "done", "failed", "held")


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def where(house: House, name: str = "a.json") -> list[str]:
    """The boxes of the item in fetch, extract and score."""
    return [
        next(box for box in BOXES if name in house.box("demo", stage, box)) for stage in ("fetch", "extract", "score")
    ]


def journal(house: House) -> list[Any]:
    days = sorted((house.root / "spool/_journal").iterdir())
    return [json.loads(line) for day in days for line in day.read_text().splitlines()]


def test_what_failed_or_waits_for_its_time_runs_again_now(chain: House) -> None:
    inject(chain, {"id": "a", "do": "fail"}, {"id": "b", "do": "later"}, {"id": "c"})
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    done = chain.run("rivus-move", "retry", "demo/a", "demo/b", "-v", "--why", "fixed")
    assert done.err == "demo:fetch a: retry (was in failed)\ndemo:fetch b: retry (was in later)\n"
    assert chain.box("demo", "fetch", "ready") == ["a.json", "b.json"]
    assert [(line["key"], line["from"], line["why"]) for line in journal(chain) if line["move"] == "retry"] == [
        ("a", "failed", "fixed"), ("b", "later", "fixed"),
    ]  # fmt: skip


def test_what_is_done_runs_again_only_if_the_stage_is_named(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.run("rivus-run")
    done = chain.run("rivus-move", "retry", "demo/a", code=1)
    assert (done.out, done.err) == ("", "demo/a: nothing to retry; rivus-show tells where it is\n")
    chain.run("rivus-move", "retry", "demo/a", "--stage", "extract")
    assert where(chain) == ["done", "ready", "done"]
    assert [line["stage"] for line in chain.run("rivus-run").lines] == ["extract"]


def test_what_is_held_does_not_run_until_it_is_let_go(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.run("rivus-move", "hold", "demo/a", "--stage", "extract", "--why", "wait for the lawyer")
    chain.run("rivus-run")
    assert where(chain) == ["done", "held", "wait"]
    assert journal(chain)[-1]["move"] != "hold" and any(
        line.get("why") == "wait for the lawyer" for line in journal(chain)
    )
    chain.run("rivus-move", "release", "demo/a")
    assert where(chain) == ["done", "ready", "wait"]
    chain.run("rivus-run")
    assert where(chain) == ["done", "done", "done"]


def test_hold_without_a_stage_holds_all_that_is_not_done(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.run("rivus-stage", "fetch")
    chain.run("rivus-move", "hold", "demo/a")
    assert where(chain) == ["done", "held", "held"]
    chain.run("rivus-move", "release", "demo/a")
    assert where(chain) == ["done", "ready", "wait"]


def test_what_is_dropped_is_ended_without_a_result(chain: House) -> None:
    inject(chain, {"id": "a", "do": "fail"}, {"id": "b"})
    chain.run("rivus-stage", "fetch")
    chain.run("rivus-move", "drop", "demo/a", "--why", "private")
    assert where(chain) == ["done", "done", "done"]
    assert chain.ticket("demo", "score", "done", "a.json")["receipt"]["skipped"] == "dropped: private"
    chain.run("rivus-move", "drop", "demo/b", "--stage", "extract")
    assert where(chain, "b.json") == ["done", "done", "ready"]
    assert [(line["state"], line["key"]) for line in chain.run("rivus-run").lines] == [("skipped", "b")]


def test_items_come_on_standard_input_as_other_commands_print_them(chain: House) -> None:
    inject(chain, {"id": "a", "do": "fail"}, {"id": "b/c", "do": "fail"}, {"id": "d"})
    chain.run("rivus-stage", "fetch")
    failed = chain.run("rivus-ls", "demo:fetch/failed", "--json").out
    chain.run("rivus-move", "retry", stdin=failed)
    assert chain.box("demo", "fetch", "ready") == ["a.json", "b%2Fc.json"]
    done = chain.run("rivus-move", "hold", stdin='nonsense\n{"key": "a"}\n{"job": "demo", "key": "a"}', code=65)
    assert done.err.count("stdin: ") == 2
    assert where(chain) == ["held", "held", "held"]
    assert chain.run("rivus-move", "hold", stdin="").err == ""


def test_one_that_cannot_be_moved_does_not_keep_the_others(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b"})
    done = chain.run("rivus-move", "hold", "demo/a", "demo/none", "demo/b", code=1)
    assert done.err == "demo/none: nothing to hold; rivus-show tells where it is\n"
    assert where(chain)[0] == where(chain, "b.json")[0] == "held"


def test_plain_mv_does_the_same(chain: House) -> None:
    inject(chain, {"id": "a"})
    folder = chain.root / "spool/demo/fetch"
    shutil.move(folder / "ready/a.json", folder / "held/a.json")
    assert chain.run("rivus-stage", "fetch").out == ""
    shutil.move(folder / "held/a.json", folder / "ready/a.json")
    assert len(chain.run("rivus-stage", "fetch").lines) == 1


def test_touch_makes_what_waits_run_now(chain: House) -> None:
    inject(chain, {"id": "a", "do": "later"})
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    os.utime(chain.root / "spool/demo/fetch/later/a.json")
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    assert len(chain.ticket("demo", "fetch", "failed", "a.json")["attempts"]) == 2


def test_a_file_that_cannot_be_read_is_not_made_done_and_nobody_sees_a_traceback(chain: House) -> None:
    inject(chain, {"id": "good"})
    (chain.root / "spool/demo/fetch/ready/bad.json").write_text("{")
    process = chain.start("rivus-move", "drop", "demo/bad", "demo/good")
    err = process.communicate(timeout=30)[1]
    assert "Traceback" not in err
    assert chain.box("demo", "fetch", "done") == ["good.json"]


def test_a_test_spool_is_another(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.run("rivus-move", "hold", "demo/a", "--test", code=1)
    assert where(chain)[0] == "ready"


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["retry"], 2, "name items as JOB/KEY, or give JSON Lines on standard input"),
        (["forget", "demo/a"], 2, "'forget' is not one of 'retry', 'hold', 'release', 'drop'"),
        (["retry", "demo/a", "--stage", "nowhere"], 2, "demo has no stage 'nowhere'"),
        (["retry", "a"], 65, "rivus-move: a: is not JOB/KEY\n"),
        (["retry", "demo/../x"], 65, "rivus-move: demo/../x: the key has . or .. as a part of a path\n"),
        (["retry", "none/a"], 78, "rivus-move: no job 'none' in jobs.d\n"),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(chain: House, argv: list[str], code: int, said: str) -> None:
    inject(chain, {"id": "a"})
    done = chain.run("rivus-move", *argv, code=code)
    assert done.out == "" and said in done.err and "Traceback" not in done.err
    assert where(chain) == ["ready", "wait", "wait"]
