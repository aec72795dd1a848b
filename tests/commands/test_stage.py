"""rivus-stage: which items it runs, what it prints, and how it ends; the loop itself is in tests/test_run.py."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import inject, tree
from tests.conftest import ROOT, House
from tests.systemd_box import Box

ONE = "stages: {fetch: {handler: steps.fetch%s}}\n"


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def keys(out: str) -> list[str]:
    return sorted(json.loads(line)["key"] for line in out.splitlines())


def running(house: House) -> list[Path]:
    return list((house.root / "spool/demo/fetch/running").glob("*/*.json"))


def test_what_ends_is_printed_with_exactly_these_fields(chain: House) -> None:
    inject(
        chain,
        {"id": "a", "title": "t"},
        {"id": "b", "do": "skip"},
        {"id": "c", "do": "fail"},
        {"id": "d", "do": "later"},
    )
    done = chain.run("rivus-stage", "demo:fetch", "--linger", "0s")
    assert sorted(done.lines, key=lambda line: str(line["key"])) == [
        {"job": "demo", "key": "a", "stage": "fetch", "state": "done",
         "data": {"id": "a", "title": "t", "raw": "hello t"}},
        {"job": "demo", "key": "b", "stage": "fetch", "state": "skipped", "data": {"id": "b", "do": "skip"}},
        {"job": "demo", "key": "c", "stage": "fetch", "state": "failed", "data": {"id": "c", "do": "fail"},
         "error": "this one is bad"},
    ]  # fmt: skip
    assert done.err == "demo:fetch c: this one is bad [bad_input]: failed\n"


def test_with_v_it_says_what_was_put_off_and_until_when(chain: House) -> None:
    inject(chain, {"id": "d", "do": "later"})
    done = chain.run("rivus-stage", "demo:fetch", "-v", "--linger", "0s")
    assert re.fullmatch(r"demo:fetch d: not yet \[transient_network\]; again at \d{4}-\d\d-\d\dT[\d:.]+Z\n", done.err)


def test_without_a_job_the_stage_of_every_enabled_job_runs(chain: House) -> None:
    chain.job("other", ONE % "")
    chain.job("off", "enabled: false\n" + ONE % "")
    chain.job("without", "stages: {score: {handler: steps.score}}\n")
    for job in ("demo", "other", "off"):
        inject(chain, {"id": job}, job=job)
    assert keys(chain.run("rivus-stage", "other:fetch").out) == ["other"]
    assert keys(chain.run("rivus-stage", "fetch").out) == ["demo"]
    assert keys(chain.run("rivus-stage", "off:fetch").out) == ["off"], "who names it means it"


def test_at_most_so_many_are_started(chain: House) -> None:
    inject(chain, *({"id": f"i{number}"} for number in range(6)))
    assert len(chain.run("rivus-stage", "fetch", "--limit", "4").lines) == 4
    assert (len(chain.box("demo", "fetch", "done")), len(chain.box("demo", "fetch", "ready"))) == (4, 2)


def test_a_dry_run_prints_what_would_run_and_changes_nothing(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b/c"})
    chain.run("rivus-stage", "fetch", "--limit", "1")
    before = tree(chain.root)
    [left] = chain.box("demo", "fetch", "ready")
    key = left.removesuffix(".json").replace("%2F", "/")
    line = {"job": "demo", "key": key, "stage": "fetch", "state": "ready"}
    assert chain.run("rivus-stage", "fetch", "--dry-run").lines == [line]
    asked = chain.run("rivus-stage", "demo:score", "--dry-run", stdin=json.dumps({"job": "demo", "key": key}))
    assert asked.lines == [{**line, "stage": "score", "state": "wait"}]
    assert chain.run("rivus-stage", "demo:score", "--dry-run").out == ""
    assert tree(chain.root) == before


def test_a_test_works_beside_production_under_the_same_limits(house: House) -> None:
    house.job("limits", "outside: {slots: 1}")
    house.job("demo", ONE % ", limit: outside", steps=STEPS)
    inject(house, {"id": "a"})
    inject(house, {"id": "a"}, {"id": "b", "do": "block"}, test=True)
    production = tree(house.root / "spool", "_")
    house.run("rivus-stage", "fetch", "--test", "--linger", "0s")
    assert tree(house.root / "spool", "_") == production
    assert "PARKED" in house.run("rivus-limit").out
    assert house.run("rivus-stage", "fetch", "--linger", "0s").out == ""
    assert house.box("demo", "fetch", "later") == ["a.json"]


def test_a_job_that_cannot_be_read_stops_only_itself(chain: House) -> None:
    chain.job("broken", ONE % "")
    for job in ("demo", "broken"):
        inject(chain, {"id": "a"}, job=job)
    chain.job("broken", ONE % ", timeuot: 5min")
    done = chain.run("rivus-stage", "fetch", code=78)
    assert [line["job"] for line in done.lines] == ["demo"]
    assert "broken.yaml:1:" in done.err and "Traceback" not in done.err
    assert chain.box("broken", "fetch", "ready") == ["a.json"]


def test_what_is_ready_in_a_job_that_cannot_be_read_is_put_off_so_that_nothing_turns_in_a_circle(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.job("demo", CHAIN + "colunms: {}\n")
    done = chain.run("rivus-stage", "demo:fetch", code=78)
    assert "did you mean 'columns'" in done.err and "1 items put off for 300 s" in done.err
    assert (chain.box("demo", "fetch", "ready"), chain.box("demo", "fetch", "later")) == ([], ["a.json"])
    assert "attempts" not in chain.ticket("demo", "fetch", "later", "a.json")


def test_a_limit_that_is_not_known_stops_the_job_that_names_it(house: House) -> None:
    house.job("demo", ONE % "", steps=STEPS)
    inject(house, {"id": "a"})
    house.job("demo", ONE % ", limit: outside")
    assert "unknown limit 'outside'" in house.run("rivus-stage", "fetch", code=78).err
    house.job("limits", "outside: {slots: none}")
    assert "limits.yaml:1:" in house.run("rivus-stage", "demo:fetch", code=78).err
    assert house.box("demo", "fetch", "done") == []


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["nowhere"], 78, "rivus-stage: no job has a stage 'nowhere'\n"),
        (["demo:nowhere"], 78, "rivus-stage: demo has no stage 'nowhere'\n"),
        (["none:fetch"], 78, "no job 'none' in jobs.d\n"),
        (["../demo:fetch"], 78, "no job '../demo' in jobs.d"),
        ([], 2, "Usage: rivus-stage"),
        (["fetch", "--limit", "0"], 2, "Usage: rivus-stage"),
        (["fetch", "--linger", "soon"], 2, "Usage: rivus-stage"),
        (["fetch", "demo/.."], 65, "rivus-stage: demo/..: the key has . or .. as a part of a path\n"),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(chain: House, argv: list[str], code: int, said: str) -> None:
    done = chain.run("rivus-stage", *argv, code=code)
    assert done.out == "" and said in done.err and "Traceback" not in done.err


def test_an_odd_line_does_not_end_the_reading_of_the_others(chain: House) -> None:
    lines = [
        {"job": "demo", "key": "odd", "data": {}, "meta": {"entered": []}},
        {"job": "demo", "key": "good", "data": {"title": "t"}, "meta": {}},
    ]
    process = chain.start("rivus-stage", "demo:fetch", stdin=-1)
    out, err = process.communicate("\n".join(map(json.dumps, lines)), timeout=30)
    assert "good" in keys(out)
    assert "Traceback" not in err


def test_a_result_that_was_spoilt_by_hand_does_not_keep_the_neighbours(chain: House) -> None:
    spoilt: list[dict[str, Any]] = [{"output": [1]}, {"output": "x"}, {"receipt": 5}, {"receipt": [1]}]
    inject(chain, *({"id": f"bad{number}"} for number in range(len(spoilt))), {"id": "good"})
    chain.run("rivus-stage", "fetch")
    for number, change in enumerate(spoilt):
        path = chain.root / f"spool/demo/fetch/done/bad{number}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    process = chain.start("rivus-stage", "extract")
    out, err = process.communicate(timeout=30)
    assert "good" in keys(out)
    assert "Traceback" not in err


def test_a_time_that_makes_no_sense_does_not_end_the_worker(house: House) -> None:
    code = """
from rivus.model.outcome import *

def fetch(item, ctx):
    return {"well": eval(item["do"])}

def later(after):
    raise RetryLater("odd", after=after)

def blocked(until):
    raise SourceBlocked("odd", until=until)
"""
    calls = ["later(float('nan'))", "later(float('inf'))", "later(1e18)", "later(-1e18)", "blocked(1e30)"]
    calls += ["blocked(float('nan'))", "blocked(-1e30)"]
    house.job("demo", "stages: {fetch: {handler: odd.fetch, concurrency: 1, retry: [1h]}}", odd=code)
    inject(house, *({"id": f"i{number}", "do": call} for number, call in enumerate([*calls, "1"])))
    process = house.start("rivus-stage", "demo:fetch", "--linger", "0s", "--limit", "20")
    err = process.communicate(timeout=30)[1]
    assert "Traceback" not in err
    assert house.box("demo", "fetch", "done") == [f"i{len(calls)}.json"], err
    assert running(house) == []


def test_who_waits_for_an_item_keeps_to_the_stages_number_of_interruptions(house: House) -> None:
    house.job("demo", ONE % ", interruptions: 1", steps=STEPS)
    inject(house, {"id": "a", "do": "slow"}, {"id": "b"})
    worker = house.start("rivus-stage", "demo:fetch", "demo/a")
    house.wait_for(lambda: bool(running(house)), "the worker's claim")
    waiting = house.start("rivus-stage", "demo:fetch", "demo/b", "demo/a")
    assert waiting.stdout
    assert json.loads(waiting.stdout.readline())["key"] == "b", "now it waits for the other"
    worker.kill()
    worker.communicate()
    assert [json.loads(line)["state"] for line in waiting.stdout] == ["failed"]
    waiting.communicate(timeout=30)


def test_a_handler_that_gets_the_wrong_parameters_pauses_its_job_and_says_which(house: House) -> None:
    code = "def fetch(item, ctx, *, top: int = 3):\n    return {'top': top}\n"
    house.job("demo", "stages: {fetch: {handler: own.fetch, with: {top: many}}}", own=code)
    inject(house, {"id": "a"})
    done = house.run("rivus-stage", "fetch")
    assert "with.top: expected a whole number" in done.err
    assert house.box("demo", "fetch", "later") == ["a.json"]


def test_a_command_is_a_handler_too(house: House) -> None:
    house.job("demo", """stages: {fetch: {command: [sh, -c, 'printf "{\\"job\\": \\"%s\\"}" "$RIVUS_JOB"']}}""")
    inject(house, {"id": "a"})
    assert house.run("rivus-stage", "fetch").lines[0]["data"] == {"id": "a", "job": "demo"}


def test_the_folders_can_be_named_by_options_and_by_the_environment(chain: House, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    inject(chain, {"id": "a"}, {"id": "b"})
    folders = {"RIVUS_JOBS": str(chain.root / "jobs.d"), "RIVUS_SPOOL": str(chain.root / "spool")}
    assert len(House(away).run("rivus-stage", "fetch", "--limit", "1", env=folders).lines) == 1
    wrong = {"RIVUS_JOBS": "/no/such", "RIVUS_SPOOL": "/no/such"}
    options = ["--jobs", str(chain.root / "jobs.d"), "--spool", str(chain.root / "spool")]
    assert len(House(away).run("rivus-stage", "fetch", *options, env=wrong).lines) == 1
    assert list(away.iterdir()) == []


MOMENT = """
import time
def fetch(item, ctx):
    time.sleep(0.02)
    return {"ok": 1}
"""


def test_after_its_time_it_starts_nothing_and_ends_well_with_what_ran_finished(house: House) -> None:
    house.job("demo", ONE.replace("steps", "moment") % ", concurrency: 2", moment=MOMENT)
    inject(house, *({"id": f"i{number}"} for number in range(800)))
    printed = keys(house.run("rivus-stage", "demo:fetch", "--for", "500ms").out)
    done, ready = house.box("demo", "fetch", "done"), house.box("demo", "fetch", "ready")
    assert printed == [name.removesuffix(".json") for name in done]
    assert ready and len(done) + len(ready) == 800 and running(house) == []
    assert not any("attempts" in house.ticket("demo", "fetch", "ready", name) for name in ready[:20])


def test_a_time_that_is_longer_than_the_work_changes_nothing(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b", "do": "soon"})
    assert keys(chain.run("rivus-stage", "demo:fetch", "--for", "1h").out) == ["a", "b"]


def test_with_a_time_of_its_own_it_does_not_stay_for_what_is_due_later(chain: House) -> None:
    inject(chain, {"id": "a", "do": "later"})
    chain.run("rivus-stage", "demo:fetch", "--linger", "2h", "--for", "300ms")
    assert chain.box("demo", "fetch", "later") == ["a.json"]


def test_with_a_time_of_its_own_a_handler_that_hangs_ends_it_instead_of_beginning_anew(house: House) -> None:
    house.job("demo", ONE % ", timeout: 200ms, concurrency: 1", steps=STEPS)
    inject(house, {"id": "a", "do": "hang"})
    house.run("rivus-stage", "demo:fetch", "--for", "1h", "--linger", "0s")
    assert house.box("demo", "fetch", "ready") == running(house) == []
    assert house.ticket("demo", "fetch", "later", "a.json")["attempts"][0]["outcome"] == "timeout"


def claimed(house: House, *argv: str, **more: Any) -> subprocess.Popen[str]:
    """A worker that has claimed an item."""
    worker = house.start("rivus-stage", "--no-stdin", *argv, **more)
    house.wait_for(lambda: bool(running(house)), "a claim")
    return worker


def test_a_worker_that_waits_for_an_item_that_is_not_due_ends_at_once_when_it_is_told_to(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b", "do": "later"})
    worker = chain.start("rivus-stage", "demo:fetch", "--linger", "2h")
    chain.wait_for(lambda: (chain.root / "spool/demo/fetch/later/b.json").exists(), "the ticket that is put off")
    worker.terminate()
    worker.communicate(timeout=8)
    assert worker.returncode == 130
    assert chain.box("demo", "fetch", "later") == ["b.json"]
    assert os.listdir(chain.root / "spool/_owners") == []


def test_a_terminal_that_goes_away_ends_it_as_the_other_signals_do(chain: House) -> None:
    inject(chain, {"id": "a", "do": "slow"})
    worker = claimed(chain, "demo:fetch", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
    worker.send_signal(signal.SIGHUP)
    worker.communicate(timeout=15)
    assert worker.returncode == 130
    assert chain.box("demo", "fetch", "done") == ["a.json"] and running(chain) == []


def test_under_nohup_it_outlives_its_terminal(chain: House) -> None:
    inject(chain, {"id": "a", "do": "slow"})
    worker = claimed(chain, "demo:fetch", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    worker.send_signal(signal.SIGHUP)
    worker.communicate(timeout=15)
    assert (worker.returncode, chain.box("demo", "fetch", "done")) == (0, ["a.json"])


@pytest.mark.parametrize("closing", [">/dev/null", ">&-", "<&- >&- 2>&-"])
def test_nobody_has_to_listen(chain: House, closing: str) -> None:
    inject(chain, {"id": "a"}, {"id": "b", "do": "fail"})
    assert chain.shell(f"rivus-stage --no-stdin demo:fetch --linger 0s {closing}").returncode == 0
    assert (chain.box("demo", "fetch", "done"), chain.box("demo", "fetch", "failed")) == (["a.json"], ["b.json"])
    ticket = chain.ticket("demo", "fetch", "done", "a.json")
    assert ticket["output"] == {"raw": "hello "}


def under_systemd(box: Box, do: str) -> str:
    """Runs the stage as a unit on an item, stops the unit once the item is claimed; gives its result and exit code."""
    box.write("/srv/jobs.d/demo.yaml", ONE % "")
    box.write("/srv/jobs.d/steps.py", STEPS)
    box.write("/srv/spool/demo/fetch/ready/a.json", json.dumps({"id": "a", "do": do}))
    properties = ["Type=oneshot", "KillMode=mixed", "SuccessExitStatus=130", "StandardOutput=null"]
    properties += ["Environment=PYTHONDONTWRITEBYTECODE=1", f"Environment=RIVUS_PYTHON={ROOT}/.venv/bin/python"]
    argv = [f"{ROOT}/bin/rivus-stage", "--no-stdin", "--jobs", "/srv/jobs.d", "--spool", "/srv/spool", "demo:fetch"]
    options = [f"--property={one}" for one in properties]
    box.run("systemd-run", "--unit=rivus-t", "--no-block", "--remain-after-exit", *options, *argv)
    running = "/srv/spool/demo/fetch/running"
    box.wait_for(lambda: any(box.names(f"{running}/{owner}") for owner in box.names(running)), "a claim")
    box.run("systemctl", "stop", "rivus-t.service")
    left = [name for owner in box.names(running) for name in box.names(f"{running}/{owner}")]
    assert left == [] and box.names("/srv/spool/_owners") == []
    return box.journal("--unit=rivus-t.service")


def test_a_unit_that_is_stopped_finishes_what_it_can(box: Box) -> None:
    said = under_systemd(box, "slow")
    assert box.names("/srv/spool/demo/fetch/done") == ["a.json"]
    assert "Failed" not in said and "SIGKILL" not in said


@pytest.mark.torture
def test_a_unit_that_is_stopped_gives_back_what_it_cannot_finish(box: Box) -> None:
    said = under_systemd(box, "hang")
    assert box.names("/srv/spool/demo/fetch/ready") == ["a.json"]
    assert "attempts" not in json.loads(box.read("/srv/spool/demo/fetch/ready/a.json"))
    assert "Failed" not in said and "SIGKILL" not in said
