"""rivus-stale: what was made by older code or from other input, what redoing it costs; reset, bless, diff."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.conftest import House

JOB = """
stages:
  fetch: {handler: my.fetch, concurrency: 2, limit: slow}
  extract: {handler: my.extract}
  score: {handler: my.score, needs: [extract], with: {weight: 2}}
"""
CODE = """
def fetch(item, ctx):
    if item.get("do") == "free":
        ctx.cost()
    else:
        ctx.cost(usd=0.25)
    return {"raw": "hello " + item["title"]}

def extract(item, ctx):
    return {"text": item["raw"].strip().upper()}

def score(item, ctx, *, weight):
    return {"value": weight * len(item["text"])}
"""


@pytest.fixture
def done(house: House) -> House:
    """Three items, all done."""
    (house.root / "jobs.d/limits.yaml").write_text("slow: {slots: 1, rate: 600/min, burst: 3}")
    house.job("demo", JOB, my=CODE)
    inject(house, "a", "b", "c")
    house.run("rivus-run", "demo")
    return house


def inject(house: House, *keys: str, **more: str) -> None:
    lines = [json.dumps({"id": key, "title": f"t{key}", **more}) for key in keys]
    house.run("rivus-inject", "demo", stdin="\n".join(lines))


def edit(house: House, old: str, new: str, file: str = "my.py") -> None:
    path = house.root / "jobs.d" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def stale(house: House) -> dict[str, int]:
    """How many results are stale in each stage that has any."""
    return {row["stage"]: row["stale"] for row in rows(house).values() if row.get("stale")}


def rows(house: House) -> dict[str, Any]:
    return {row["stage"]: row for row in house.run("rivus-stale", "--json").lines}


def test_nothing_is_said_of_what_is_fresh(done: House) -> None:
    assert done.run("rivus-stale").out == ""
    assert {row["stale"] for row in rows(done).values()} == {0}


def test_a_remark_in_the_code_makes_nothing_stale(done: House) -> None:
    edit(done, "def extract", "# a remark\ndef extract")
    assert stale(done) == {}


def test_the_part_that_changed_and_what_may_follow_are_named(done: House) -> None:
    edit(done, "hello", "hallo")
    edit(done, "weight: 2", "weight: 3", "demo.yaml")
    found = rows(done)
    assert (found["fetch"]["why"], found["fetch"]["follows"]) == ({"code": 3}, {"extract": 3, "score": 3})
    assert (found["score"]["why"], found["score"]["ready"]) == ({"params": 3}, 0)
    assert (found["extract"]["stale"], found["score"]["waits"]) == (0, {"fetch": 3})
    assert done.run("rivus-stale", "demo:score").out.endswith("    not yet: 3 (fetch comes first)\n")
    assert "demo:score: not yet: 3 (fetch comes first)" in done.run("rivus-stale", "reset", "demo:score").err
    out = done.run("rivus-stale", "demo:fetch").out
    assert out.startswith("demo:fetch  3 of 3 stale: code 3\n") and "rivus-stale reset demo:fetch" in out


def test_nothing_is_redone_by_itself(done: House) -> None:
    edit(done, "hello", "hallo")
    assert done.run("rivus-run", "demo").out == ""
    done.run("rivus-sweep")
    assert stale(done) == {"fetch": 3}


def test_the_cost_comes_from_past_receipts_and_the_limit(done: House) -> None:
    edit(done, "hello", "hallo")
    redo = rows(done)["fetch"]["redo"]
    assert (redo["calls"], redo["usd_p50"], redo["usd_p95"], redo["price_unknown"]) == (3, 0.75, 0.75, 0)
    edit(done, "slots: 1, rate: 600/min, burst: 3", "rate: 1/min", "limits.yaml")
    assert rows(done)["fetch"]["redo"]["minutes"] == 2
    edit(done, ".upper()", ".lower()")
    found = rows(done)["extract"]["redo"]
    assert (found["usd_p50"], found["calls"], found["price_unknown"]) == (None, None, 1)
    assert "price unknown" in done.run("rivus-stale").out


def test_what_is_reset_runs_again_and_what_follows_goes_stale_when_the_new_output_differs(done: House) -> None:
    edit(done, "hello", "hallo")
    done.run("rivus-stale", "reset", "demo:fetch")
    assert (done.box("demo", "fetch", "ready"), len(done.box("demo", "extract", "done"))) == (
        ["a.json", "b.json", "c.json"], 3,
    )  # fmt: skip
    done.run("rivus-run", "demo")
    assert rows(done)["extract"]["why"] == {"input": 3}
    assert stale(done) == {"extract": 3, "score": 3}
    for stage in ("extract", "score"):
        done.run("rivus-stale", "reset", f"demo:{stage}")
        done.run("rivus-run", "demo")
    assert stale(done) == {}
    assert done.ticket("demo", "score", "done", "a.json")["output"] == {"value": 16}


def test_what_follows_stays_fresh_when_the_same_comes_out(done: House) -> None:
    edit(done, '{"raw": "hello "', '{"raw": "hel" + "lo "')
    assert stale(done) == {"fetch": 3}
    done.run("rivus-stale", "reset", "demo:fetch")
    done.run("rivus-run", "demo")
    assert stale(done) == {}


def test_only_what_has_fresh_needs_is_reset(done: House) -> None:
    edit(done, "hello", "hallo")
    edit(done, ".upper()", ".lower()")
    assert "3 (fetch comes first)" in done.run("rivus-stale", "reset", "demo:extract").err
    assert done.box("demo", "extract", "ready") == []


def test_the_old_result_is_there_until_a_new_one_is_even_if_that_fails(done: House) -> None:
    edit(done, 'return {"raw"', 'raise ValueError("oh")\n    return {"raw"')
    done.run("rivus-stale", "reset", "demo:fetch", "--limit", "1", "--where", "key=b")
    assert done.run("rivus-show", "--json", "demo/b").lines[0]["stages"]["fetch"]["output"] == {"raw": "hello tb"}
    done.run("rivus-stage", "demo:fetch", "--no-stdin")
    state = done.run("rivus-show", "--json", "demo/b").lines[0]["stages"]["fetch"]
    assert state["state"] in ("failed", "held", "later") and state["output"] == {"raw": "hello tb"}
    assert "old output.raw: hello tb" in done.run("rivus-show", "demo/b").out


def test_the_files_of_the_old_result_are_kept_until_the_new_one_is_there(house: House) -> None:
    code = "def fetch(item, ctx):\n    (ctx.workdir / 'page').write_text('one')\n    return {'n': 1}\n"
    house.job("demo", "stages: {fetch: {handler: my.fetch, retry: []}}", my=code)
    inject(house, "a")
    house.run("rivus-run", "demo")
    page = house.root / "spool/demo/files/a/fetch/page"
    edit(house, "'one')", "'two')\n    raise ValueError('oh')")
    house.run("rivus-stale", "reset", "demo:fetch")
    house.run("rivus-run", "demo")
    assert page.read_text() == "one"
    edit(house, "'two')\n    raise ValueError('oh')", "'three')")
    house.run("rivus-move", "retry", "--stage", "fetch", "demo/a")
    house.run("rivus-run", "demo")
    assert page.read_text() == "three"
    assert os.listdir(page.parent.parent) == ["fetch"]


def test_what_is_ready_meanwhile_works_on_the_old_result(done: House) -> None:
    edit(done, "hello", "hallo")
    edit(done, ".upper()", ".lower()")
    done.run("rivus-move", "retry", "--stage", "extract", "demo/a")
    done.run("rivus-stale", "reset", "demo:fetch", "--where", "data.title=ta")
    done.run("rivus-stage", "demo:extract", "--no-stdin")
    assert done.ticket("demo", "extract", "done", "a.json")["output"] == {"text": "hello ta"}
    done.run("rivus-stage", "demo:fetch", "--no-stdin")
    found = [row for row in done.run("rivus-stale", "--json").lines if row["stage"] == "extract"]
    assert found[0]["why"] == {"code": 2, "input": 1}


def test_a_budget_is_kept_and_refused_when_no_price_is_known(done: House) -> None:
    edit(done, "hello", "hallo")
    lines = done.run("rivus-stale", "reset", "demo:fetch", "--budget", "0.6", "--json").lines
    assert len(lines) == 2 == len(done.box("demo", "fetch", "ready"))
    done.run("rivus-run", "demo")
    inject(done, "d", do="free")
    done.run("rivus-run", "demo")
    edit(done, "hallo", "hullo")
    assert "not known" in done.run("rivus-stale", "reset", "demo:fetch", "--budget", "9", code=1).err
    assert done.box("demo", "fetch", "ready") == []


def test_what_is_blessed_counts_as_current_until_the_next_change(done: House) -> None:
    edit(done, "hello", "hallo")
    before = done.ticket("demo", "fetch", "done", "a.json")
    done.run("rivus-stale", "bless", "demo:fetch", "--why", "only a greeting")
    assert stale(done) == {} and done.ticket("demo", "fetch", "done", "a.json") == before
    told = json.loads((done.root / "spool/demo/fetch/.blessed.json").read_text())["blessed"]
    assert [(one["version"], one["why"]) for one in told] == [(before["receipt"]["version"]["id"], "only a greeting")]
    edit(done, "hallo", "hullo")
    assert stale(done) == {"fetch": 3}
    done.run("rivus-stale", "bless", "demo:fetch", "--why", "the same")
    assert stale(done) == {}
    (done.root / "spool/demo/fetch/.blessed.json").write_text("{")
    assert stale(done) == {"fetch": 3}
    assert "blessed" in done.run("rivus-stale", "bless", "demo:fetch", "--why", "x", code=78).err


def test_what_a_person_dropped_is_never_stale_and_has_no_output(done: House) -> None:
    edit(done, "hello", "hallo")
    done.run("rivus-stale", "reset", "demo:fetch")
    done.run("rivus-move", "drop", "demo/a", "demo/b", "demo/c")
    assert "output" not in done.ticket("demo", "fetch", "done", "a.json")
    assert stale(done) == {"extract": 3, "score": 3}


def test_changed_data_of_an_item_makes_its_results_stale(done: House) -> None:
    path = done.root / "spool/demo/discover/done/a.json"
    birth = json.loads(path.read_text())
    birth["data"]["title"] = "new"
    path.unlink()
    path.write_text(json.dumps(birth))
    assert stale(done) == {"fetch": 1, "extract": 1, "score": 1}


def test_a_new_stage_gets_every_item_and_a_removed_one_is_told(done: House) -> None:
    edit(done, "  extract:", "  size: {handler: my.size, needs: [fetch]}\n  extract:", "demo.yaml")
    edit(done, "def extract", "def size(item, ctx):\n    return {'size': len(item['raw'])}\n\ndef extract")
    assert done.run("rivus-sweep", "--json").lines[0]["added"] == 3
    assert done.run("rivus-sweep", "--json").lines[0]["added"] == 0
    assert done.box("demo", "size", "ready") == ["a.json", "b.json", "c.json"]
    done.run("rivus-run", "demo")
    edit(done, "  size: {handler: my.size, needs: [fetch]}\n", "", "demo.yaml")
    assert {**rows(done)["size"], "job": ""} == {"job": "", "stage": "size", "removed": True, "results": 3}


def test_a_new_stage_begins_with_the_first_start_of_its_worker(done: House) -> None:
    edit(done, "  extract:", "  size: {handler: my.size, needs: [fetch]}\n  extract:", "demo.yaml")
    edit(done, "def extract", "def size(item, ctx):\n    return {'size': len(item['raw'])}\n\ndef extract")
    assert len(done.run("rivus-stage", "demo:size", "--no-stdin").lines) == 3


def test_the_difference_to_what_made_the_stale_results_is_shown(done: House) -> None:
    edit(done, "hello", "hallo")
    out = done.run("rivus-stale", "--diff", "demo:fetch").out
    assert "-    return {'raw': 'hello ' + item['title']}" in out and "+    return {'raw': 'hallo '" in out
    edit(done, "weight: 2", "weight: 3", "demo.yaml")
    assert '+  "weight": 3' in done.run("rivus-stale", "--diff", "demo:score").out


@pytest.mark.parametrize(
    "argv", [["reset"], ["reset", "demo"], ["bless", "demo:fetch"], ["demo:fetch", "--limit", "1"], ["demo:nope"],
             ["reset", "demo:fetch", "--where", "x"], ["reset", "demo:fetch", "--diff"]]
)  # fmt: skip
def test_what_is_not_clear_is_a_usage_error_and_changes_nothing(done: House, argv: list[str]) -> None:
    edit(done, "hello", "hallo")
    done.run("rivus-stale", *argv, code=2)
    assert done.box("demo", "fetch", "ready") == []


def model(house: House, answer: str) -> None:
    """A model that is a program, and says this whatever it is asked."""
    program = house.root / "jobs.d/model.sh"
    program.write_text(f"#!/bin/sh\ncat >asked.json\necho '{answer}'\n")
    program.chmod(0o755)
    (house.root / "jobs.d/doctor.yaml").write_text("llm: {command: [./model.sh]}\n")


def test_a_model_says_whether_a_change_is_cosmetic_and_blesses_where_it_may(done: House) -> None:
    edit(done, ".upper()", ".upper().strip()")
    edit(done, "my.extract}", "my.extract, auto_bless: cosmetic}", "demo.yaml")
    assert "no model is set up" in done.run("rivus-stale", "judge", "demo:extract").out
    model(done, '{"verdict": "cosmetic", "why": "the same text"}')
    told = done.run("rivus-stale", "judge", "demo:extract", "demo:score").out
    assert "3 stale: cosmetic (command model.sh): the same text\n    they count as current now" in told
    assert "by the word of command model.sh" in done.run("rivus-stale", "demo:extract").out
    assert stale(done) == {}


def test_the_doctor_has_the_model_judge_what_it_may_bless(done: House) -> None:
    model(done, '{"verdict": "cosmetic", "why": "the same text"}')
    edit(done, "my.extract}", "my.extract, auto_bless: cosmetic}", "demo.yaml")
    edit(done, "hello", "hallo")
    edit(done, ".upper()", ".upper().strip()")
    (line,) = done.run("rivus-doctor", "diagnose").lines
    assert (line["stage"], line["verdict"], line["blessed"]) == ("extract", "cosmetic", True)
    assert stale(done) == {"fetch": 3} and done.run("rivus-doctor", "diagnose").out == ""


def test_a_handler_that_cannot_be_read_is_told_and_makes_nothing_stale(done: House) -> None:
    (done.root / "jobs.d/my.py").write_text("def fetch(:")
    told = done.run("rivus-stale", "--json")
    assert [row["stale"] for row in told.lines] == [0, 0, 0] and "cannot be read" in told.lines[0]["fault"]
    done.run("rivus-stale", "bless", "demo:fetch", "--why", "x", code=1)
