"""Map and reduce as people use it: a handler emits, another job maps, a stage of the parent gets all results."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from rivus.config import load_job
from rivus.spool.hands import redo
from rivus.spool.layout import open_spool
from rivus.stale.judge import NO_CHILDREN
from rivus.stale.redo import reset
from rivus.stale.survey import Survey
from tests.commands.trees import inject
from tests.conftest import House
from tests.tell.asking_why import reasons

SPLIT = """
stages:
  split: {handler: steps.split, expect: {required: [of]}}
  reduce: {handler: steps.reduce, needs: [split, {children: "pages:map"}]}
"""
SHELL = """
stages:
  split:
    command: [sh, -c, 'printf "{\\"key\\": \\"k%s\\", \\"data\\": {\\"n\\": %s}, \\"job\\": \\"pages\\"}\\n" 1 1 2 2
      > "$RIVUS_EMIT"; echo "{\\"of\\": 2}"']
  reduce: {handler: steps.reduce, needs: [split, {children: "pages:map"}]}
"""
PAGES = "stages: {fetch: {handler: steps.fetch}, map: {handler: steps.map}}"
STEPS = """
from rivus.model.outcome import ItemFailed, Skip

def split(item, ctx):
    for n in range(item.get("n", 3)):
        ctx.emit(f"{ctx.key}/{n}", {"n": n}, job=item.get("job", "pages"))
    if item.get("do") == "fail": raise ItemFailed("no")
    if item.get("do") == "skip": raise Skip("no")
    return {"of": None if item.get("do") == "empty" else item.get("n", 3)}

def fetch(item, ctx):
    return {"twice": 2 * item["n"]}

def map(item, ctx):
    if item["n"] == 7: raise ItemFailed("seven")
    if item["n"] == 1: raise Skip("one")
    return {"square": item["n"] ** 2}

def reduce(item, ctx):
    return {"got": [[child["key"], child["data"]["n"], child["output"]] for child in item["children"]]}

def dig(item, ctx):
    ctx.emit(ctx.key + "x", {})
    return {"dug": True}

def add(item, ctx):
    return {"size": 1 + sum(child["output"]["size"] for child in item["children"])}

def stop(item, ctx):
    if len(ctx.key) < 4: ctx.emit(ctx.key + "x", {})
    return {"dug": True}
"""


@pytest.fixture
def families(house: House) -> House:
    house.job("split", SPLIT, steps=STEPS)
    house.job("pages", PAGES)
    return house


def births(house: House, job: str, spool: str = "spool") -> list[str]:
    folder = house.root / spool / job / "discover/done"
    return sorted(path.stem for path in folder.glob("*.json")) if folder.exists() else []


def test_one_process_runs_parents_and_children_to_the_end(families: House) -> None:
    inject(families, {"id": "a"}, job="split")
    lines = families.run("rivus-run").lines
    assert Counter(line["stage"] for line in lines) == {"split": 1, "fetch": 3, "map": 3, "reduce": 1}
    assert lines[-1]["data"]["got"] == [["a/0", 0, {"square": 0}], ["a/1", 1, None], ["a/2", 2, {"square": 4}]]
    assert "children" not in lines[-1]["data"], "what is printed is what the next stage would get"
    assert [line.get("parent") for line in lines if line["stage"] == "map"] == 3 * [{"job": "split", "key": "a"}]
    assert "children in pages: 3: a/0, a/1, a/2" in families.run("rivus-show", "split/a").out


def test_a_program_emits_lines_and_its_file_is_gone_afterwards(house: House) -> None:
    house.job("split", SHELL, steps=STEPS)
    house.job("pages", PAGES)
    inject(house, {"id": "a"}, job="split")
    assert house.run("rivus-run").lines[-1]["data"]["got"] == [["k1", 1, None], ["k2", 2, {"square": 4}]]
    assert [path for path in (house.root / "spool/split/files").rglob("*") if path.is_file()] == []


def test_only_a_good_result_emits(families: House) -> None:
    inject(families, *({"id": do, "do": do} for do in ("fail", "skip", "empty")), job="split")
    families.run("rivus-stage", "split")
    assert births(families, "pages") == []


def test_children_for_a_job_that_is_not_there_pause_the_parents_job(families: House) -> None:
    inject(families, {"id": "a", "job": "pagse"}, job="split")
    assert "no job 'pagse' in" in families.run("rivus-stage", "split").err
    pause = json.loads((families.root / "spool/split/paused.json").read_text())
    assert "did you mean 'pages'" in pause["why"]
    assert families.box("split", "split", "later") == ["a.json"]


def test_children_of_a_test_are_tests(families: House) -> None:
    inject(families, {"id": "a"}, job="split", test=True)
    families.run("rivus-run", "--test")
    assert len(births(families, "pages", "spool/_test")) == 3
    assert births(families, "pages") == []
    assert list((families.root / "spool/_test/split/reduce/done").iterdir())


def test_why_leads_to_the_child_that_keeps_its_parent(families: House) -> None:
    inject(families, {"id": "a", "n": 8}, job="split")
    families.run("rivus-run")
    [found] = reasons(families, job="split")
    assert (found.what, found.detail) == (
        "waits for its children in pages:map", "1 of 8 are not done: pages/a/7 (failed)",
    )  # fmt: skip
    assert found.override == "rivus-why pages/a/7"
    assert "waits for split and its children in pages:map" in families.run("rivus-stage", "split:reduce", "split/a").err
    families.run("rivus-move", "drop", "pages/a/7")
    assert families.box("split", "reduce", "ready") == ["a.json"]
    assert families.run("rivus-stage", "reduce").lines[0]["data"]["got"][7] == ["a/7", 7, None]


def test_keys_that_were_items_already_are_told_of_the_one_that_emitted_them(families: House) -> None:
    inject(families, {"id": "a/0", "n": 0}, {"id": "a/1", "n": 1}, job="pages")
    inject(families, {"id": "a", "n": 8}, job="split")
    families.run("rivus-run")
    told = "2 of the keys it emitted were items already: not waited for"
    assert f"  {told}\n" in families.run("rivus-show", "split/a").out
    [found] = reasons(families, job="split")
    assert found.detail == f"1 of 6 are not done: pages/a/7 (failed); {told}"
    families.run("rivus-move", "drop", "pages/a/7")
    families.run("rivus-stage", "reduce")
    [found] = reasons(families, job="split")
    assert found.detail == f"in every stage; nothing to do; {told}"


def test_an_item_may_await_children_of_its_own_job(house: House) -> None:
    job = "stages: {dig: {handler: steps.stop}, add: {handler: steps.add, needs: [dig, {children: 'tree:add'}]}}"
    house.job("tree", job, steps=STEPS)
    inject(house, {"id": "x"}, job="tree")
    lines = house.run("rivus-run").lines
    assert (lines[-1]["key"], lines[-1]["data"]["size"]) == ("x", 4)


def test_items_that_emit_one_another_without_end_are_stopped(house: House) -> None:
    house.job("tree", "stages: {dig: {handler: steps.dig}}", steps=STEPS)
    inject(house, {"id": "x"}, job="tree")
    house.run("rivus-run")
    assert len(births(house, "tree")) == 9
    [failed] = house.box("tree", "dig", "failed")
    assert "8 deep" in house.ticket("tree", "dig", "failed", failed)["error"]["reason"]


def test_another_result_of_a_child_makes_its_parents_result_stale_and_the_same_does_not(families: House) -> None:
    inject(families, {"id": "a"}, job="split")
    families.run("rivus-run")
    spool = open_spool(str(families.root / "spool"))
    job, pages = (load_job(families.root / "jobs.d", name) for name in ("split", "pages"))

    def why() -> dict[str, int]:
        return dict(Survey(spool, job).counts["reduce"].why)

    assert why() == {}
    for text, parts in ((STEPS.replace("** 2", "** 2 * 1"), {}), (STEPS.replace("** 2", "** 3"), {"children": 1})):
        families.job("pages", PAGES, steps=text)
        assert len(list(reset(Survey(spool, pages), "map", lambda paper: True))) == 3
        families.run("rivus-stage", "map")
        assert why() == parts
    assert redo(spool, "pages", "map", "a%2F2.json", "once more")
    assert Survey(spool, job).counts["reduce"].waits == {NO_CHILDREN: 1}
    assert not list(reset(Survey(spool, job), "reduce", lambda paper: True))
    families.run("rivus-stage", "map")
    assert list(reset(Survey(spool, job), "reduce", lambda paper: True)) == ["a"]
    assert families.run("rivus-stage", "reduce").lines[0]["data"]["got"][2] == ["a/2", 2, {"square": 8}]
    assert why() == {}


def test_a_test_of_productions_items_runs_their_children_in_another_job_too(families: House) -> None:
    inject(families, {"id": "a"}, job="split")
    families.run("rivus-run")
    done = families.run("rivus-run", "split", "--test", "--from-prod", "1")
    assert [(line["stage"], line["state"], line["same"]) for line in done.lines] == [
        ("split", "done", True), ("reduce", "done", True),
    ]  # fmt: skip
    again = families.run("rivus-run", "split", "--test", "--from-prod", "1", "--from-stage", "reduce")
    assert again.out == "" and "split: 1 cannot be cloned: its children are not in the test spool" in again.err
