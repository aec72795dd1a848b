"""Why an item is not running: each reason in a spool that real commands have made, and each override at work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time

import pytest

from rivus.model.times import utc
from rivus.tell.why import why_all
from tests.commands.samples import CHAIN, STEPS
from tests.conftest import House
from tests.tell.asking_why import evidence, inject, kinds, obey, reasons

FORK = """
stages:
  fetch: {handler: steps.fetch, retry: [1h]}
  left: {handler: steps.extract, needs: [fetch]}
  right: {handler: steps.extract, needs: [fetch]}
  join: {handler: steps.extract, needs: [left, right]}
"""
LOST = """
from rivus.model.context import Found

def look(look):
    yield Found("x", {"n": float("nan")})
    yield Found("y", {"n": 1})
"""


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def fetch(house: House) -> None:
    house.run("rivus-stage", "fetch", "--linger", "0s")


def started(house: House, *argv: str, key: str = "a") -> subprocess.Popen[str]:
    worker = house.start(*argv)
    folder = house.root / "spool/demo/fetch/running"
    house.wait_for(lambda: bool(list(folder.glob(f"*/{key}.json"))), "a claim")
    return worker


def test_a_stage_that_waits_leads_to_the_root_cause(chain: House) -> None:
    inject(chain, {"id": "a", "do": "later"})
    fetch(chain)
    [score] = reasons(chain)
    [extract] = score.causes
    [root] = extract.causes
    assert (score.stage, score.what, extract.what) == ("score", "waits for extract", "waits for fetch")
    assert (root.stage, root.kind, root.what) == ("fetch", "later", "not before")
    assert root.why.startswith("not yet")
    assert root.until is not None and 3500 < root.until - time.time() < 4000
    assert score.roots() == [root]
    obey(chain, root)
    assert chain.box("demo", "fetch", "ready") == ["a.json"]


def test_asked_about_one_stage_it_tells_of_that_and_what_it_waits_for(chain: House) -> None:
    inject(chain, {"id": "a"})
    [extract] = reasons(chain, stage="extract")
    assert (extract.stage, [cause.stage for cause in extract.causes]) == ("extract", ["fetch"])
    [none] = reasons(chain, stage="fetsh")
    assert (none.kind, none.what) == ("no stage", "the job demo has no such stage, did you mean 'fetch'?")


def test_a_cause_of_several_stages_is_told_once(house: House) -> None:
    house.job("demo", FORK, steps=STEPS)
    inject(house, {"id": "a", "do": "fail"})
    fetch(house)
    [join] = reasons(house)
    assert join.what == "waits for left and right"
    assert [(cause.what, kinds(list(cause.causes))) for cause in join.causes] == [
        ("waits for fetch", ["failed"]), ("waits for fetch", []),
    ]  # fmt: skip
    assert [group.count for group in why_all(evidence(house))] == [1], "and counted once"


def test_what_waits_with_all_it_needs_done_is_for_the_sweep(chain: House) -> None:
    inject(chain, {"id": "a"})
    fetch(chain)
    folder = chain.root / "spool/demo/extract"
    shutil.move(folder / "ready/a.json", folder / "wait/a.json")
    [found] = reasons(chain, stage="extract")
    assert (found.kind, found.what) == ("overdue", "has all it needs, and nobody has released it yet")
    obey(chain, found)
    assert chain.box("demo", "extract", "ready") == ["a.json"]


def test_what_is_due_and_not_woken_is_for_the_sweep(chain: House) -> None:
    inject(chain, {"id": "a", "do": "later"})
    fetch(chain)
    os.utime(chain.root / "spool/demo/fetch/later/a.json")
    [found] = reasons(chain, stage="fetch")
    assert (found.kind, found.what) == ("overdue", "is due and not woken yet")
    obey(chain, found)
    assert chain.box("demo", "fetch", "ready") == ["a.json"]


def test_a_wait_that_the_last_try_did_not_ask_for_says_so(chain: House) -> None:
    inject(chain, {"id": "a", "do": "later"}, {"id": "b"})
    fetch(chain)
    folder = chain.root / "spool/demo/fetch"
    ticket = chain.ticket("demo", "fetch", "later", "a.json")
    ticket["attempts"][-1]["ended"] = utc(time.time() - 7200)
    (folder / "later/a.json").write_text(json.dumps(ticket))
    os.utime(folder / "later/a.json", (4e9, 4e9))
    assert "by a person, or while" in reasons(chain, stage="fetch")[0].why
    assert "the last try said: not yet" in reasons(chain, stage="fetch")[0].why
    chain.run("rivus-move", "hold", "demo/b", "--stage", "extract")
    shutil.move(folder.parent / "extract/held/b.json", folder.parent / "extract/later/b.json")
    os.utime(folder.parent / "extract/later/b.json", (5e9, 5e9))
    [found] = reasons(chain, "b", "extract")
    assert (found.what, found.until) == ("put off until a person resumes it", None)
    obey(chain, found)
    assert chain.box("demo", "extract", "ready") == ["b.json"]


def test_what_failed_says_why_how_often_and_when(chain: House) -> None:
    inject(chain, {"id": "a b'c", "do": "fail"})
    fetch(chain)
    [found] = reasons(chain, "a b'c", "fetch")
    assert (found.kind, found.what) == ("failed", "failed")
    assert found.detail.startswith("after 1 try, 20")
    assert found.why.startswith("this one is bad")
    assert "class" not in chain.ticket("demo", "fetch", "failed", "a%20b%27c.json")["attempts"][-1] or "[" in found.why
    obey(chain, found)
    assert chain.box("demo", "fetch", "ready") == ["a%20b%27c.json"]


def test_an_item_that_killed_its_workers_has_failed(house: House) -> None:
    house.job("demo", CHAIN.replace("retry: [1h]", "interruptions: 1"), steps=STEPS)
    inject(house, {"id": "a", "do": "die"})
    house.run("rivus-stage", "fetch", code=-9)
    house.run("rivus-sweep")
    [found] = reasons(house, stage="fetch")
    assert (found.kind, found.why) == ("failed", "1 workers died while they ran this item")


def test_what_a_person_held_says_why_and_since_when(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b"}, {"id": "c", "do": "fail"})
    fetch(chain)
    chain.run("rivus-move", "hold", "demo/a", "--stage", "extract", "--why", "first")
    chain.run("rivus-move", "release", "demo/a")
    chain.run("rivus-move", "hold", "demo/a", "--stage", "extract", "--why", "the lawyer looks")
    [found] = reasons(chain, stage="extract")
    assert (found.kind, found.why) == ("held", "the lawyer looks")
    assert found.detail.startswith("since 20")
    obey(chain, found)
    assert chain.box("demo", "extract", "ready") == ["a.json", "b.json"]
    folder = chain.root / "spool/demo/extract"
    shutil.move(folder / "ready/b.json", folder / "held/b.json")
    assert reasons(chain, "b", "extract")[0].why == "no reason was given"
    chain.run("rivus-move", "hold", "demo/c", "--stage", "fetch", "--why", "ask them")
    assert reasons(chain, "c", "fetch")[0].why.startswith("ask them; it had failed: this one is bad")


def test_what_was_held_because_of_an_error_says_which(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": "a", "do": "crash"})
    fetch(house)
    if house.box("demo", "fetch", "held") != ["a.json"]:
        pytest.skip("no rule holds this error")
    [found] = reasons(house, stage="fetch")
    assert found.kind == "held" and found.why.startswith("oh [") and found.group
    obey(house, found)
    assert house.box("demo", "fetch", "ready") == ["a.json"]


def test_what_runs_says_by_whom_since_when_and_for_how_long_at_most(chain: House) -> None:
    inject(chain, {"id": "a", "do": "hang"})
    worker = started(chain, "rivus-stage", "demo:fetch")
    [alive] = reasons(chain, stage="fetch")
    worker.kill()
    worker.communicate()
    [dead] = reasons(chain, stage="fetch")
    assert (alive.kind, alive.override) == ("running", "")
    assert f"by pid {worker.pid} (" in alive.detail and "rivus-stage demo:fetch" in alive.detail
    assert alive.until is not None and 200 < alive.until - time.time() <= 300
    assert (dead.kind, dead.what) == ("dead", "its worker died")
    assert str(worker.pid) in dead.detail
    obey(chain, dead)
    assert chain.box("demo", "fetch", "ready") == ["a.json"]


def test_what_is_ready_says_how_many_are_before_it_and_whether_anybody_works(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b"}, {"id": "c"})
    for age, key in enumerate("cab"):
        os.utime(chain.root / f"spool/demo/fetch/ready/{key}.json", (1e9 + age, 1e9 + age))
    details = [reasons(chain, key, "fetch")[0].detail for key in "cab"]
    assert details == [
        f"{place}; no worker is at this stage" for place in ("next in line", "behind 1 other", "behind 2 others")
    ]
    [found] = reasons(chain, "b", "fetch")
    obey(chain, found)
    assert chain.box("demo", "fetch", "done") == ["b.json"], "it alone"
    inject(chain, {"id": "d", "do": "hang"})
    worker = started(chain, "rivus-stage", "demo:fetch", "demo/d", key="d")
    assert reasons(chain, "a", "fetch")[0].detail == "behind 1 other; 1 run now"
    worker.kill()
    worker.communicate()


def test_what_was_dropped_in_is_ready_too(chain: House) -> None:
    inject(chain, {"id": "a"})
    (chain.root / "spool/demo/fetch/ready/x.json").write_text('{"url": "https://e.org"}')
    [found] = reasons(chain, "x")
    assert (found.stage, found.kind) == ("fetch", "ready")
    assert found.detail.endswith("; was dropped in and becomes an item when it is claimed")
    [later] = reasons(chain, "x", "extract")
    assert later.kind == "missing" and later.what.startswith("is not published there yet")


def test_a_half_written_file_is_left_alone_and_an_old_one_will_be_rejected(chain: House) -> None:
    inject(chain, {"id": "a"})
    path = chain.root / "spool/demo/fetch/ready/x.json"
    path.write_text('{"url": ')
    [young] = reasons(chain, "x")
    assert (young.kind, young.what) == ("being written", "is half-written; left alone")
    assert young.until is not None and 0 < young.until - time.time() < 6
    os.utime(path, (1e9, 1e9))
    [old] = reasons(chain, "x")
    assert (old.kind, old.what) == ("rejected", "cannot be read; who claims it moves it to _rejected")
    assert old.why.startswith("not JSON") and str(path) in old.override
    path.rename(path.with_name(".x.json"))
    [hidden] = reasons(chain, "x")
    assert (hidden.kind, hidden.what) == ("being written", "is hidden, as what is being written")
    assert hidden.override == f"mv {path.with_name('.x.json')} {path}"


def test_what_was_rejected_says_why_and_can_be_put_back(chain: House) -> None:
    inject(chain, {"id": "a"})
    path = chain.root / "spool/demo/fetch/ready/x.json"
    for text in ("[1]", "{"):
        path.write_text(text)
        os.utime(path, (1e9, 1e9))
        fetch(chain)
    [found] = reasons(chain, "x")
    assert (found.stage, found.kind, found.what) == ("fetch", "rejected", "was rejected")
    assert found.why.startswith("not JSON") and found.detail.endswith("_rejected/demo.fetch.x.json.2")
    subprocess.run(found.override, shell=True, check=True)  # noqa: S602 - the line that a person is told to type
    path.write_text('{"id": "x"}')
    fetch(chain)
    assert "x.json" in chain.box("demo", "fetch", "done")


def test_what_discovery_rejected_is_found_by_its_key(house: House) -> None:
    house.job("demo", "discover: {strategy: own.look}\n" + CHAIN, steps=STEPS, own=LOST)
    house.run("rivus-discover", "demo")
    [found] = reasons(house, "x")
    assert (found.stage, found.kind, found.what) == ("", "rejected", "was found, and rejected")
    assert "_rejected/demo.discover." in found.detail and "JSON" in found.why


def test_a_ticket_that_is_gone_can_be_put_back(chain: House) -> None:
    inject(chain, {"id": "a"})
    for stage, box in (("fetch", "ready"), ("extract", "wait")):
        (chain.root / f"spool/demo/{stage}/{box}/a.json").unlink()
    fetching, score = reasons(chain)
    [extract] = score.causes
    assert (extract.stage, extract.kind, extract.what) == ("extract", "missing", "has no file in this stage")
    for found in (extract, fetching):
        subprocess.run(found.override, shell=True, check=True)  # noqa: S602 - the line that a person is told to type
    chain.run("rivus-run")
    assert kinds(reasons(chain)) == ["done"]


def test_a_stage_that_is_newer_than_the_item_is_for_the_sweep(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.job("demo", CHAIN + "  more: {handler: steps.fetch, needs: []}\n")
    [found] = [reason for reason in reasons(chain) if reason.stage == "more"]
    assert (found.kind, found.override) == ("missing", "rivus-sweep") and "newer" in found.what
    obey(chain, found)
    assert kinds(reasons(chain, stage="more")) == ["ready"]


def test_what_was_half_published_is_for_the_sweep(chain: House) -> None:
    inject(chain, {"id": "a"})
    for path in ("fetch/ready/a.json", "score/wait/a.json", "discover/done/a.json"):
        (chain.root / "spool/demo" / path).unlink()
    [extract] = reasons(chain)
    [found] = extract.causes
    assert (found.stage, found.kind) == ("fetch", "missing")
    obey(chain, found)
    assert [reason.stage for reason in reasons(chain)[0].roots()] == ["fetch"]


def test_a_stage_that_the_job_has_no_more_keeps_its_tickets(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.job("demo", "stages: {fetch: {handler: steps.fetch}}")
    chain.run("rivus-run")
    found = reasons(chain)
    assert [(reason.stage, reason.kind) for reason in found] == [("extract", "no stage"), ("score", "no stage")]
    assert found[0].override == f"add the stage extract to {chain.root}/jobs.d/demo.yaml"


def test_what_is_done_has_nothing_to_do(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b", "do": "skip"})
    chain.run("rivus-run")
    [found] = reasons(chain)
    assert (found.kind, found.detail, found.override) == ("done", "in every stage; nothing to do", "")
    [skipped] = reasons(chain, "b", "fetch")
    assert (skipped.kind, skipped.why) == ("done", "nothing here")


def test_what_is_no_item_is_said(chain: House) -> None:
    inject(chain, {"id": "a"})
    [found] = reasons(chain, "none")
    assert (found.kind, found.what, found.why) == ("unknown", "no such item here", "")
    [found] = reasons(chain, job="dema")
    assert found.why == "there is no job dema, did you mean 'demo'?"
    assert kinds(reasons(chain, job="../demo")) == ["unknown"]


def test_all_counts_each_item_at_its_root_causes(chain: House) -> None:
    documents = [{"id": f"k{number}", "do": "fail"} for number in range(4)] + [
        {"id": "x/y", "do": "later"},
        {"id": "z"},
    ]
    inject(chain, *documents)
    fetch(chain)
    found = why_all(evidence(chain))
    told = [(group.count, group.first.stage, str(group.first.kind), group.items) for group in found]
    assert told == [
        (4, "fetch", "failed", ["demo/k0", "demo/k1", "demo/k2"]),
        (1, "extract", "ready", ["demo/z"]), (1, "fetch", "later", ["demo/x/y"]),
    ]  # fmt: skip
    assert found[0].override.startswith("rivus-doctor retry ") or found[0].override.endswith(" …")
    assert {str(group.first.kind) for group in why_all(evidence(chain), "extract")} == {"failed", "later", "ready"}
    chain.run("rivus-run")
    assert [group.count for group in why_all(evidence(chain))] == [4, 1], "what is done is not told"


def test_all_counts_a_paused_job_once_and_what_failed_for_itself(chain: House) -> None:
    inject(chain, {"id": "a", "do": "fail"})
    fetch(chain)
    inject(chain, {"id": "b"}, {"id": "c"})
    chain.run("rivus-limit", "pause", "demo")
    fetch(chain)
    told = [(group.count, str(group.first.kind), group.first.stage) for group in why_all(evidence(chain))]
    assert told == [(2, "paused", ""), (1, "failed", "fetch")]
