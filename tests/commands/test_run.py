"""rivus-run: discovery and every stage in one process, until nothing can run."""

from __future__ import annotations

import json
import time

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import inject, tree
from tests.conftest import House

FILES = 'discover: {strategy: files, glob: "in/*", content: true}\n'
OWN = """
from rivus.model.context import Found
from rivus.model.outcome import RetryLater, SourceBlocked
import requests, time

def fails(look):
    yield Found("before", {})
    raise RetryLater("503")

def unreachable(look):
    raise requests.ConnectionError("refused")

def upper(item, ctx):
    return {"text": item.get("content", "-").upper()}
"""


@pytest.fixture
def demo(house: House) -> House:
    """A job that finds the files in jobs.d/in and writes their text in capitals."""
    house.job("demo", FILES + "stages: {read: {handler: own.upper}, again: {handler: own.upper}}", own=OWN)
    (house.root / "jobs.d/in").mkdir()
    put(house, "a", "b")
    return house


def put(house: House, *names: str) -> None:
    for name in names:
        (house.root / f"jobs.d/in/{name}").write_text(f"text {name}")


def printed(out: str) -> list[tuple[str, str, str]]:
    lines = [json.loads(line) for line in out.splitlines()]
    return sorted((line["key"], line["stage"], line["state"]) for line in lines)


def test_everything_new_goes_through_every_stage_and_each_end_is_printed(demo: House) -> None:
    done = demo.run("rivus-run", "demo")
    assert printed(done.out) == [
        ("in/a", "again", "done"), ("in/a", "read", "done"), ("in/b", "again", "done"), ("in/b", "read", "done"),
    ]  # fmt: skip
    assert done.lines[0].keys() == {"job", "key", "stage", "state", "data"}
    assert done.err == ""
    assert demo.box("demo", "again", "done") == ["in%2Fa.json", "in%2Fb.json"]
    put(demo, "c")
    assert printed(demo.run("rivus-run").out) == [("in/c", "again", "done"), ("in/c", "read", "done")]
    before = tree(demo.root, "_journal", "looks.json")
    done = demo.run("rivus-run")
    assert (done.out, done.err) == ("", "")
    assert tree(demo.root, "_journal", "looks.json") == before


def test_at_most_so_many_new_ones_of_each_job_are_found_and_what_was_there_runs_all_the_same(demo: House) -> None:
    inject(demo, {"id": "mine"})
    done = demo.run("rivus-run", "demo", "--limit", "1")
    assert {key for key, _, _ in printed(done.out)} - {"in/a", "in/b"} == {"mine"}
    assert len(demo.box("demo", "again", "done")) == 2


def test_with_v_it_says_how_many_were_found(demo: House) -> None:
    assert "demo: 2 new items\n" in demo.run("rivus-run", "-v").err


@pytest.mark.parametrize(("source", "codes"), [("fails", {75}), ("unreachable", {1, 69})])
def test_a_source_that_fails_does_not_keep_the_stages(demo: House, source: str, codes: set[int]) -> None:
    demo.job("bad", f"discover: {{strategy: own.{source}}}\nstages: {{read: {{handler: own.upper}}}}")
    inject(demo, {"id": "mine"}, job="bad")
    process = demo.start("rivus-run")
    out, err = process.communicate(timeout=30)
    assert process.returncode in codes
    assert ("mine", "read", "done") in printed(out) and ("in/a", "again", "done") in printed(out)
    assert "Traceback" not in err and err.startswith("bad: ")


def test_an_items_failure_is_data_and_not_the_commands_failure(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": "a", "do": "fail"}, {"id": "b", "do": "skip"}, {"id": "c"})
    assert printed(house.run("rivus-run").out) == [
        ("a", "fetch", "failed"), ("b", "extract", "skipped"), ("b", "fetch", "skipped"), ("b", "score", "skipped"),
        ("c", "extract", "done"), ("c", "fetch", "done"), ("c", "score", "done"),
    ]  # fmt: skip
    assert house.box("demo", "extract", "wait") == ["a.json"]


def test_what_is_due_soon_is_waited_for_and_what_is_due_later_is_not(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": "soon", "do": "soon"}, {"id": "later", "do": "later"})
    started = time.monotonic()
    assert ("soon", "score", "done") in printed(house.run("rivus-run").out)
    assert time.monotonic() - started < 10
    assert house.box("demo", "fetch", "later") == ["later.json"]
    inject(house, {"id": "other", "do": "soon"})
    assert house.run("rivus-run", "--linger", "0s").out == ""


def test_jobs_that_cannot_be_read_or_are_not_there_do_not_keep_the_others(demo: House) -> None:
    demo.job("broken", "stages: 5")
    demo.job("off", "enabled: false\n" + FILES + "stages: {read: {handler: own.upper}}")
    done = demo.run("rivus-run", code=78)
    assert {line["job"] for line in done.lines} == {"demo"}
    assert "broken.yaml:1:" in done.err
    put(demo, "c")
    done = demo.run("rivus-run", "none", "demo", code=78)
    assert {line["key"] for line in done.lines} == {"in/c"} and "no job 'none'" in done.err


def test_a_test_runs_everything_anew_beside_production(demo: House) -> None:
    demo.run("rivus-run")
    production = tree(demo.root / "spool", "_")
    assert len(demo.run("rivus-run", "--test").lines) == 4
    assert tree(demo.root / "spool", "_") == production


def test_a_paused_job_rests_and_the_others_run(demo: House) -> None:
    demo.job("other", "stages: {read: {handler: own.upper}}")
    for job in ("demo", "other"):
        inject(demo, {"id": "mine"}, job=job)
    demo.run("rivus-limit", "pause", "demo")
    done = demo.run("rivus-run")
    assert {line["job"] for line in done.lines} == {"other"}
    assert demo.box("demo", "read", "later") == ["mine.json"]


def test_nothing_to_run_and_nothing_there_is_fine(house: House) -> None:
    done = house.run("rivus-run")
    assert (done.out, done.err) == ("", "")


def compared(out: str) -> list[tuple[str, str, str, bool]]:
    lines = [json.loads(line) for line in out.splitlines()]
    return sorted((line["key"], line["stage"], line["state"], line["same"]) for line in lines)


def test_productions_items_run_again_in_a_test_and_are_compared(demo: House) -> None:
    demo.run("rivus-run")
    inject(demo, {"id": "other"}, test=True)
    put(demo, "found only by looking")
    production = tree(demo.root / "spool", "_")
    (demo.root / "jobs.d/own.py").write_text(OWN.replace(".upper()", ".title()"))
    done = demo.run("rivus-run", "demo", "--test", "--from-prod", "5")
    assert compared(done.out) == [
        ("in/a", "again", "done", False), ("in/a", "read", "done", False),
        ("in/b", "again", "done", False), ("in/b", "read", "done", False),
    ]  # fmt: skip
    assert done.lines[0]["changed"] == ["text"]
    assert "demo: 2 items cloned; production has no more that are done or have failed\n" in done.err
    assert "demo:read: 2 different (in/" in done.err
    assert demo.box("_test/demo", "read", "ready") == ["other.json"], "what else is in the test spool is not touched"
    assert tree(demo.root / "spool", "_") == production


def test_a_test_may_begin_at_a_stage_with_productions_results_before_it(demo: House) -> None:
    demo.run("rivus-run")
    demo.job("demo", FILES + "stages: {read: {handler: own.none}, again: {handler: own.upper}}")
    done = demo.run("rivus-run", "demo", "--test", "--from-prod", "1", "--from-stage", "again")
    assert [(stage, same) for _, stage, _, same in compared(done.out)] == [("again", True)]
    assert done.err == "demo:again: 1 same\n"
    demo.job("plain", "stages: {read: {handler: own.none}}")
    done = demo.run("rivus-run", "--test", "--from-prod", "1", "--from-stage", "again")
    assert [line["stage"] for line in done.lines] == ["again"], "without a name, the jobs that have the stage"
    done = demo.run("rivus-run", "--test", "--from-prod", "1", "--from-stage", "none", code=2)
    assert "no job has a stage 'none'" in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from-prod", "1"], "--from-prod goes with --test"),
        (["--test", "--from-stage", "read"], "--from-stage goes with --from-prod"),
        (["--test", "--from-prod", "1", "--from-stage", "none"], "demo has no stage 'none'"),
        (["--test", "--from-prod", "1", "--limit", "1"], "--limit is for discovery"),
    ],
)
def test_options_of_a_test_that_make_no_sense_are_said(demo: House, options: list[str], words: str) -> None:
    done = demo.run("rivus-run", "demo", *options, code=2)
    assert words in done.err and done.out == ""
    assert not (demo.root / "spool/demo").exists()
