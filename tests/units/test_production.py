"""The promise under a real systemd: what a user installs in the morning works through the night."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from typing import Any

from tests.systemd_box import Box

JOBS, SPOOL = "/etc/rivus/jobs.d", "/var/lib/rivus/spool"
TICKS = """
title: Ticks
discover: {strategy: files, glob: "inbox/*.txt", content: true, every: 2s}
stages:
  fetch: {handler: ticks.fetch, sandbox: {network: false}, retry: [1s]}
  score: {handler: ticks.score}
"""
HANDLERS = '''
"""Handlers of the tests."""
import os, time
NETWORK = False

def fetch(item, ctx):
    name = item.get("name", "")
    if "slow" in name:
        time.sleep(600 if os.path.exists(f"{ctx.folder}/stuck") else 0.2)
    return {"text": item.get("content") or name or "x", "seen": time.time()}

def score(item, ctx):
    return {"value": len(item["text"])}
'''


def job(box: Box, yaml: str = TICKS, handlers: str = HANDLERS, name: str = "ticks") -> None:
    box.write(f"{JOBS}/{name}.py", handlers)
    box.write(f"{JOBS}/{name}.yaml", yaml)


def install(box: Box) -> None:
    box.run("rivus-units", "install")


def boxes(box: Box, stage: str, *which: str, job: str = "ticks") -> list[str]:
    return [name for each in which for name in box.names(f"{SPOOL}/{job}/{stage}/{each}")]


def ticket(box: Box, path: str) -> Any:
    return json.loads(box.read(f"{SPOOL}/{path}"))


def drop(box: Box, names: Iterable[str], stage: str = "ticks/fetch") -> None:
    """Files that a person drops into a stage: written aside, then moved there."""
    line = 'cd "$1" && while read -r n; do echo "{\\"name\\": \\"$n\\"}" >".$n"; mv ".$n" "$n.json"; done'
    box.run("sh", "-c", line, "sh", f"{SPOOL}/{stage}/ready", input="".join(f"{name}\n" for name in names))


def active(box: Box, unit: str) -> str:
    return box.run("systemctl", "is-active", unit, check=False).stdout.strip()


def rivus_processes(box: Box) -> list[str]:
    lines = box.run("ps", "-eo", "args").stdout.splitlines()
    return [line for line in lines if re.search(r"\brivus-(stage|discover|run|sweep|doctor|dash|index)\b", line)]


def starts(box: Box, unit: str) -> int:
    return box.journal("-u", unit, "-o", "json", "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5").count("\n")


def test_a_timer_finds_items_and_path_units_take_them_through_all_stages(house_box: Box) -> None:
    job(house_box)
    house_box.write(f"{JOBS}/inbox/a.txt", "twelve chars")
    install(house_box)
    house_box.wait_for(lambda: boxes(house_box, "score", "done"), "the item in done")
    (name,) = boxes(house_box, "score", "done")
    assert ticket(house_box, f"ticks/score/done/{name}")["output"] == {"value": 12}
    house_box.write(f"{JOBS}/inbox/b.txt", "more")
    house_box.wait_for(lambda: len(boxes(house_box, "score", "done")) == 2, "the next item, by the next tick")
    listed = house_box.run("systemctl", "list-timers", "--all", "rivus-*").stdout
    assert "rivus-discover@ticks.timer" in listed and "rivus-sweep.timer" in listed
    house_box.wait_for(lambda: not rivus_processes(house_box), "the end of all processes")
    assert not house_box.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "rivus-*").stdout


def test_verify_finds_nothing_wrong_with_what_was_installed(house_box: Box) -> None:
    job(house_box)
    install(house_box)
    assert house_box.run("rivus-units", "verify").stdout == ""
    assert house_box.run("rivus-units", "diff").stdout == ""


def test_a_hundred_drops_in_a_burst_leave_the_path_unit_alive(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h"))
    install(house_box)
    begun = time.monotonic()
    for first in range(0, 100, 10):
        drop(house_box, (f"n{number}" for number in range(first, first + 10)))
        house_box.wait_for(lambda since=first / 20: time.monotonic() - begun > since, "the next half second")
    house_box.wait_for(lambda: len(boxes(house_box, "score", "done")) == 100, "a hundred items", 60)
    for stage in ("fetch", "score"):
        assert active(house_box, f"rivus-stage@ticks:{stage}.path") == "active"
    drop(house_box, ["last"])
    house_box.wait_for(lambda: len(boxes(house_box, "score", "done")) == 101, "one more")


def test_arrivals_at_a_parked_source_do_not_spin(house_box: Box) -> None:
    yaml = TICKS.replace("every: 2s", "every: 1h").replace("retry: [1s]", "retry: [1s], limit: site")
    job(house_box, yaml)
    house_box.write(f"{JOBS}/limits.yaml", "site: {slots: 2}\n")
    install(house_box)
    house_box.run("setpriv", "--reuid", "rivus", "--regid", "rivus", "--clear-groups",
                  "rivus-limit", "park", "site", "--for", "1h", "--why", "a rest")  # fmt: skip
    for number in range(3):
        drop(house_box, [f"n{number}"])
        house_box.wait_for(lambda n=number: len(boxes(house_box, "fetch", "later")) == n + 1, "the item in later")
    house_box.wait_for(lambda: active(house_box, "rivus-stage@ticks:fetch.service") == "inactive", "the end")
    before = starts(house_box, "rivus-stage@ticks:fetch.service")
    assert before <= 6
    ended = time.monotonic() + 2
    house_box.wait_for(lambda: time.monotonic() > ended, "two quiet seconds")
    assert starts(house_box, "rivus-stage@ticks:fetch.service") == before


def test_a_stage_over_its_budget_puts_its_items_off_and_does_not_spin(house_box: Box) -> None:
    yaml = TICKS.replace("every: 2s", "every: 1h").replace("retry: [1s]", "concurrency: 1, budget: {calls: 1}")
    job(house_box, yaml, HANDLERS.replace("    name =", "    ctx.cost(calls=1)\n    name ="))
    install(house_box)
    drop(house_box, ["paid", "unpaid"])
    house_box.wait_for(lambda: len(boxes(house_box, "fetch", "done", "later")) == 2, "an item in done, one in later")
    drop(house_box, ["late"])
    house_box.wait_for(lambda: len(boxes(house_box, "fetch", "later")) == 2, "the next one in later")
    house_box.wait_for(lambda: active(house_box, "rivus-stage@ticks:fetch.service") == "inactive", "the end")
    assert (len(boxes(house_box, "fetch", "done")), boxes(house_box, "fetch", "ready")) == (1, [])
    assert starts(house_box, "rivus-stage@ticks:fetch.service") <= 4
    assert active(house_box, "rivus-stage@ticks:fetch.path") == "active"


def test_a_stage_that_cannot_start_is_tried_slowly_and_told_of(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h"))
    install(house_box)
    house_box.run("systemctl", "stop", "rivus-units.path")
    house_box.write(f"{JOBS}/ticks.yaml", "stages: [")
    drop(house_box, ["a"])
    unit = "rivus-stage@ticks:fetch.service"
    house_box.wait_for(lambda: starts(house_box, unit) >= 1, "the first start")
    ended = time.monotonic() + 3
    house_box.wait_for(lambda: time.monotonic() > ended, "three seconds")
    assert starts(house_box, unit) <= 1
    house_box.write(f"{JOBS}/ticks.yaml", TICKS)
    house_box.run("systemctl", "kill", "--kill-who=control", unit, check=False)
    house_box.wait_for(lambda: boxes(house_box, "score", "done"), "the item, once the file is right", 60)


def test_what_a_stage_and_a_discovery_say_is_in_the_journal(house_box: Box) -> None:
    broken = HANDLERS.replace('return {"text"', 'raise ValueError("so it was said")\n    return {"text"')
    job(house_box, TICKS.replace("every: 2s", "every: 1h"), broken)
    deaf = "discover: {strategy: command, command: [sh, -c, 'exit 7'], every: 1s}\nstages: {a: {command: [cat]}}\n"
    job(house_box, deaf, name="deaf")
    install(house_box)
    drop(house_box, ["a"])
    at = ("RIVUS_JOB=ticks", "RIVUS_STAGE=fetch", "RIVUS_KEY=a")
    house_box.wait_for(lambda: "so it was said" in house_box.journal(*at), "the stage's line")
    said = ("-u", "rivus-discover@deaf.service", "SYSLOG_IDENTIFIER=rivus-discover")
    house_box.wait_for(lambda: house_box.journal(*said), "the discovery's line")


def test_a_stage_killed_at_work_is_mended_without_a_person(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h"))
    install(house_box)
    unit = "rivus-stage@ticks:fetch.service"
    # The pause after a failure is shorter than in life: that there is one is tested in test_hardening.
    pause = """ExecStopPost=/bin/sh -c '[ "$$SERVICE_RESULT" = success ] || exec sleep 2'"""
    house_box.write(f"/etc/systemd/system/{unit}.d/pause.conf", f"[Service]\nExecStopPost=\n{pause}\n")
    house_box.run("systemctl", "daemon-reload")
    house_box.write(f"{JOBS}/stuck", "")
    drop(house_box, ["slow"])
    house_box.wait_for(lambda: active(house_box, unit) == "activating", "the stage at work")
    running = f"{SPOOL}/ticks/fetch/running"
    house_box.wait_for(lambda: house_box.run("find", running, "-name", "*.json").stdout, "the claim")
    house_box.run("rm", f"{JOBS}/stuck")
    house_box.run("systemctl", "kill", "--signal=KILL", unit)
    begun = time.monotonic()
    house_box.wait_for(lambda: boxes(house_box, "score", "done"), "the item", 60)
    assert time.monotonic() - begun < 60
    attempts = ticket(house_box, "ticks/fetch/done/slow.json")["attempts"]
    assert [one["outcome"] for one in attempts] == ["interrupted", "done"]


def test_systemctl_stop_gives_the_items_back_uncounted(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h"))
    install(house_box)
    house_box.write(f"{JOBS}/stuck", "")
    drop(house_box, ["slow"])
    unit = "rivus-stage@ticks:fetch"
    running = f"{SPOOL}/ticks/fetch/running"
    house_box.wait_for(lambda: house_box.run("find", running, "-name", "*.json").stdout, "the claim")
    house_box.run("systemctl", "stop", f"{unit}.path", f"{unit}.service")
    assert boxes(house_box, "fetch", "ready") == ["slow.json"]
    assert "attempts" not in ticket(house_box, "ticks/fetch/ready/slow.json")
    assert not house_box.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "rivus-*").stdout


def test_pulling_the_plug_in_mid_work_loses_nothing(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h"))
    install(house_box)
    names = sorted(f"slow{number}" for number in range(60))
    drop(house_box, names)
    house_box.wait_for(lambda: len(boxes(house_box, "fetch", "done")) > 8, "some of them done")
    house_box.kill()
    house_box.boot()
    house_box.wait_for(lambda: len(boxes(house_box, "score", "done")) == 60, "all of them, after the boot", 90)
    assert boxes(house_box, "fetch", "done") == boxes(house_box, "score", "done") == [f"{name}.json" for name in names]


def test_a_credential_reaches_the_handler_and_nothing_else(house_box: Box) -> None:
    check = 'assert len(ctx.secret("token")) == 15, "no"'
    handlers = HANDLERS.replace('return {"value"', f'{check}\n    return {{"value"')
    handlers += '\ndef boast(item, ctx):\n    raise ValueError("the token is " + ctx.secret("token"))\n'
    yaml = TICKS.replace("every: 2s", "every: 1h") + "  boast: {handler: ticks.boast, retry: []}\nsecrets: [token]\n"
    job(house_box, yaml, handlers)
    house_box.write("/etc/rivus/credentials/token", "hunter2-hunter2\n", "600")
    install(house_box)
    drop(house_box, ["a"])
    house_box.wait_for(lambda: boxes(house_box, "boast", "held"), "the boast")
    assert "[secret token]" in house_box.read(f"{SPOOL}/ticks/boast/held/a.json")
    assert house_box.run("grep", "-rl", "hunter2", SPOOL, check=False).stdout == ""
    assert "hunter2" not in house_box.run("journalctl", "--no-pager", "-o", "export").stdout
    assert "hunter2" not in house_box.run("systemctl", "show", "rivus-stage@ticks:boast.service").stdout


def test_a_credential_that_is_missing_does_not_break_the_unit(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h") + "secrets: [token]\n")
    install(house_box)
    drop(house_box, ["a"])
    house_box.wait_for(lambda: boxes(house_box, "score", "done"), "the item")


def test_a_stage_writes_and_reaches_nothing_that_is_not_its_own(house_box: Box) -> None:
    handlers = '''
import socket, pathlib
def tried(what):
    try:
        what()
        return "allowed"
    except BaseException as error:
        return type(error).__name__
def fetch(item, ctx):
    return {
        "jobs": tried(lambda: pathlib.Path("/etc/rivus/jobs.d/x").write_text("x")),
        "var": tried(lambda: pathlib.Path("/var/lib/x").write_text("x")),
        "units": tried(lambda: pathlib.Path("/etc/systemd/system/x").write_text("x")),
        "credentials": tried(lambda: pathlib.Path("/etc/rivus/credentials/token").read_text()),
        "private": tried(lambda: socket.create_connection(("127.0.0.1", 9), 2)),
        "metadata": tried(lambda: socket.create_connection(("169.254.169.254", 80), 2)),
        "own": tried(lambda: (ctx.workdir / "x").write_text("x")),
    }
def score(item, ctx):
    return {"socket": tried(lambda: socket.socket())}
NETWORK = True
'''
    yaml = TICKS.replace("every: 2s", "every: 1h").replace(", sandbox: {network: false}", "")
    closed = "{handler: ticks.score, sandbox: {network: false}}"
    job(house_box, yaml.replace("{handler: ticks.score}", closed), handlers)
    house_box.write("/etc/rivus/credentials/token", "hunter2-hunter2\n", "600")
    install(house_box)
    drop(house_box, ["a"])
    house_box.wait_for(lambda: boxes(house_box, "score", "done"), "the item")
    output = ticket(house_box, "ticks/fetch/done/a.json")["output"]
    assert output.pop("own") == "allowed"
    assert "allowed" not in output.values(), output
    assert ticket(house_box, "ticks/score/done/a.json")["output"]["socket"] != "allowed"


def test_the_timers_follow_an_edit_and_a_broken_file_changes_nothing(house_box: Box) -> None:
    job(house_box)
    install(house_box)
    timer = "/etc/systemd/system/rivus-discover@ticks.timer"
    before = house_box.read(timer)
    house_box.write(f"{JOBS}/ticks.yaml", TICKS.replace("every: 2s", "every: 7min"))
    house_box.wait_for(lambda: "=420s" in house_box.read(timer), "the timer")
    house_box.wait_for(lambda: active(house_box, "rivus-units.service") == "inactive", "the end of the rendering")
    edited = house_box.read(timer)
    assert edited != before
    house_box.write(f"{JOBS}/ticks.yaml", "stages: [")
    said = "ticks.yaml:2:1: not YAML"
    house_box.wait_for(lambda: said in house_box.journal("-u", "rivus-units.service"), "the report")
    assert house_box.read(timer) == edited
    assert active(house_box, "rivus-discover@ticks.timer") == "active"
    told = "rivus-failure@rivus-units.service.service"
    house_box.wait_for(lambda: "has failed" in house_box.journal("-u", told), "the report of the failed unit")
    house_box.wait_for(lambda: active(house_box, told) not in ("active", "activating"), "its end")
    assert active(house_box, told) == "inactive", "a report does not fail of what it reports"


def test_a_story_is_told_across_stages_and_processes(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h"))
    install(house_box)
    drop(house_box, ["a"])
    house_box.wait_for(lambda: boxes(house_box, "score", "done"), "the item")
    lines = [json.loads(line) for line in house_box.run("rivus-log", "--json", "ticks/a").stdout.splitlines()]
    assert {"fetch", "score"} <= {line.get("stage") for line in lines}


def test_what_root_does_by_hand_is_done_as_the_account(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h"))
    install(house_box)
    house_box.run("systemctl", "stop", "rivus-stage@ticks:fetch.path", "rivus-sweep.timer")
    house_box.run("rivus-inject", "ticks", input='{"key": "b", "name": "b"}\n')
    house_box.run("rivus-stage", "--no-stdin", "ticks:fetch")
    house_box.run("rivus-sweep")
    assert boxes(house_box, "fetch", "done") == ["b.json"]
    assert house_box.run("find", SPOOL, "-uid", "0").stdout == ""
    secret = "/root/secret"
    house_box.run("sh", "-c", f"mkdir {secret} && rm -rf {SPOOL}/_journal && ln -s {secret} {SPOOL}/_journal")
    assert house_box.run("rivus-inject", "ticks", check=False, input='{"key": "c"}\n').returncode == 1
    assert house_box.names(secret) == []
