"""rivus-sweep: whatever a crash, a reboot or a person has left is mended by running it once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from rivus.config import load_job
from rivus.spool.desk import Desk
from rivus.spool.layout import open_spool
from rivus.spool.owners import Owner
from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import inject, tree
from tests.conftest import House

COUNTS = ["recovered", "woken", "completed", "added", "released", "buried"]


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def box(house: House, stage: str, which: str, job: str = "demo") -> Path:
    return house.root / "spool" / job / stage / which


def wreck(house: House) -> None:
    """One thing of each kind to mend: a dead worker's claim, a due ticket, half a publication, a missed release."""
    inject(house, *({"id": name} for name in ("claimed", "due", "half", "free")))
    spool, plan = open_spool(str(house.root / "spool")), load_job(house.root / "jobs.d", "demo").plan
    with Owner(spool) as dead:
        Desk(spool, plan, "fetch", dead).claim("claimed.json")
    Path(spool.owners, f"{dead.name}.lock").touch()
    os.rename(box(house, "fetch", "ready") / "due.json", box(house, "fetch", "later") / "due.json")
    (box(house, "discover", "done") / "half.json").unlink()
    (box(house, "fetch", "ready") / "half.json").unlink()
    os.rename(box(house, "fetch", "ready") / "free.json", box(house, "fetch", "done") / "free.json")


def test_everything_is_mended_at_once_and_counted(chain: House) -> None:
    wreck(chain)
    [counts] = chain.run("rivus-sweep", "--json").lines
    assert counts == dict.fromkeys(COUNTS, 1) | {"added": 0}
    assert list(counts) == COUNTS
    assert chain.box("demo", "fetch", "ready") == ["claimed.json", "due.json", "half.json"]
    assert chain.box("demo", "extract", "ready") == ["free.json"]
    assert chain.ticket("demo", "fetch", "ready", "claimed.json")["attempts"][0]["outcome"] == "interrupted"
    assert os.listdir(chain.root / "spool/_owners") == os.listdir(box(chain, "fetch", "running")) == []
    assert chain.run("rivus-sweep", "--json").lines == [dict.fromkeys(COUNTS, 0)]


def test_it_is_silent_and_with_v_says_what_it_did(chain: House) -> None:
    wreck(chain)
    assert chain.run("rivus-sweep", "-v").err == "sweep: 1 recovered, 1 woken, 1 completed, 1 released, 1 buried\n"
    assert chain.run("rivus-sweep", "-v").err == "sweep: nothing to mend\n"
    done = chain.run("rivus-sweep")
    assert (done.out, done.err) == ("", "")


def test_with_nothing_to_mend_it_changes_nothing(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b", "do": "later"})
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    before = tree(chain.root, "index")
    chain.run("rivus-sweep")
    assert tree(chain.root, "index") == before


def test_what_is_not_due_or_paused_or_held_sleeps_on(chain: House) -> None:
    chain.job("other", CHAIN)
    for job in ("demo", "other"):
        inject(chain, {"id": "due"}, {"id": "later"}, {"id": "held"}, job=job)
        for name, where, when in (("due", "later", 1.0), ("later", "later", time.time() + 999), ("held", "held", 1.0)):
            path = box(chain, "fetch", where, job) / f"{name}.json"
            path.write_bytes((box(chain, "fetch", "ready", job) / f"{name}.json").read_bytes())
            (box(chain, "fetch", "ready", job) / f"{name}.json").unlink()
            os.utime(path, (when, when))
    chain.run("rivus-limit", "pause", "other")
    assert chain.run("rivus-sweep", "--json").lines[0]["woken"] == 1
    assert chain.box("demo", "fetch", "ready") == ["due.json"]
    assert chain.box("other", "fetch", "ready") == []


def test_a_living_worker_is_left_alone(chain: House) -> None:
    inject(chain, {"id": "a", "do": "hang"})
    worker = chain.start("rivus-stage", "demo:fetch")
    chain.wait_for(lambda: bool(list(box(chain, "fetch", "running").glob("*/*.json"))), "a claim")
    assert chain.run("rivus-sweep", "--json").lines == [dict.fromkeys(COUNTS, 0)]
    assert list(box(chain, "fetch", "running").glob("*/a.json"))
    worker.kill()
    worker.communicate()


def test_what_cannot_be_an_item_in_wait_is_put_aside_and_the_others_go_on(chain: House) -> None:
    wreck(chain)
    for name, text in (("bad", "{"), ("bare", '{"id": "x"}'), ("list", "[]"), ("foreign", '{"job": "x", "key": "k"}')):
        (box(chain, "extract", "wait") / f"{name}.json").write_text(text)
    (box(chain, "extract", "wait") / "folder.json").mkdir()
    assert chain.run("rivus-sweep", "--json").lines[0]["completed"] == 1
    assert len(list((chain.root / "spool/_rejected").glob("*.reason.json"))) == 5
    assert chain.box("demo", "extract", "wait") == ["claimed.json", "due.json", "half.json"]


def test_a_job_that_cannot_be_read_is_mended_as_far_as_the_spool_tells_and_the_others_wholly(chain: House) -> None:
    wreck(chain)
    chain.job("demo", "stages: 5")
    chain.job("other", CHAIN)
    done = chain.run("rivus-sweep", "--json", code=78)
    assert done.lines == [dict.fromkeys(COUNTS, 0) | {"recovered": 1, "woken": 1, "buried": 1}]
    assert "demo.yaml:1:" in done.err
    chain.job("demo", CHAIN)
    assert chain.run("rivus-sweep", "--json").lines[0] == dict.fromkeys(COUNTS, 0) | {"completed": 1, "released": 1}


def test_a_job_that_is_gone_keeps_its_items(chain: House) -> None:
    wreck(chain)
    (chain.root / "jobs.d/demo.yaml").unlink()
    before = len(list(box(chain, "fetch", ".").rglob("*.json")))
    chain.run("rivus-sweep")
    assert len(list(box(chain, "fetch", ".").rglob("*.json"))) == before


def test_a_stage_added_later_gets_its_folders_and_nothing_is_lost(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.job("demo", CHAIN + "  extra: {handler: steps.score, needs: [fetch]}\n")
    chain.run("rivus-sweep")
    assert chain.box("demo", "extra", "ready") == [] and chain.box("demo", "fetch", "ready") == ["a.json"]


def test_two_at_once_do_no_harm(chain: House) -> None:
    wreck(chain)
    sweeps = [chain.start("rivus-sweep", "--json") for _ in range(3)]
    results = [json.loads(sweep.communicate(timeout=30)[0]) for sweep in sweeps]
    assert [sum(result[what] for result in results) for what in COUNTS[:-1]] == [1, 1, 1, 0, 1]
    assert chain.box("demo", "fetch", "ready") == ["claimed.json", "due.json", "half.json"]


def test_a_test_spool_is_swept_on_its_own(chain: House) -> None:
    wreck(chain)
    assert chain.run("rivus-sweep", "--test", "--json").lines == [dict.fromkeys(COUNTS, 0)]
    assert chain.box("demo", "fetch", "later") == ["due.json"]


def test_what_waits_for_a_rest_that_is_over_is_woken(house: House) -> None:
    house.job("limits", "outside: {slots: 1}")
    house.job("demo", "stages: {fetch: {handler: steps.fetch, limit: outside}}", steps=STEPS)
    house.job("other", "stages: {fetch: {handler: steps.fetch}}")
    for job in ("demo", "other"):
        inject(house, {"id": "a"}, job=job)
    house.run("rivus-limit", "park", "outside")
    house.run("rivus-limit", "pause", "other")
    house.run("rivus-stage", "fetch")
    for job in ("demo", "other"):
        assert house.box(job, "fetch", "later") == ["a.json"]
    assert house.run("rivus-sweep", "--json").lines[0]["woken"] == 0, "both rest still"
    # The end of a rest whose process died before it woke anybody.
    (house.root / "spool/_limits/outside/parked.json").unlink()
    assert house.run("rivus-sweep", "--json").lines[0]["woken"] == 1
    assert (house.box("demo", "fetch", "ready"), house.box("other", "fetch", "ready")) == (["a.json"], [])
    (house.root / "spool/other/paused.json").unlink()
    assert house.run("rivus-sweep", "--json").lines[0]["woken"] == 1
    assert house.box("other", "fetch", "ready") == ["a.json"]


def test_a_rest_that_cannot_be_read_wakes_nobody(house: House) -> None:
    house.job("limits", "outside: {slots: 1}")
    house.job("demo", "stages: {fetch: {handler: steps.fetch, limit: outside}}", steps=STEPS)
    inject(house, {"id": "a"})
    house.run("rivus-limit", "park", "outside")
    house.run("rivus-stage", "fetch")
    (house.root / "spool/_limits/outside/parked.json").write_text("garbage")
    assert house.run("rivus-sweep", "--json").lines[0]["woken"] == 0
    assert house.box("demo", "fetch", "later") == ["a.json"]
