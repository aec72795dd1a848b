"""rivus-doctor, as a person uses it: groups, decisions about them, reasons, replays, the check-up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.commands.samples import STEPS
from tests.conftest import House

JOB = "stages: {fetch: {handler: steps.fetch, concurrency: 1, retry: [1h], breaker: 0}}"
ROOM = ("are free where the spool is", "without bytecode")
"""What the machine that runs the tests may be short of."""


@pytest.fixture
def demo(house: House) -> House:
    house.job("demo", JOB, steps=STEPS)
    return house


@pytest.fixture
def ill(demo: House) -> House:
    """Three items with a bug, one at fault itself."""
    work(demo, a="crash", b="crash", c="crash", bad="fail")
    return demo


def work(house: House, **items: str) -> None:
    house.run("rivus-inject", "demo", stdin="\n".join(json.dumps({"id": key, "do": do}) for key, do in items.items()))
    house.run("rivus-stage", "demo:fetch")


def listed(house: House, *more: str) -> list[dict[str, Any]]:
    return house.run("rivus-doctor", "failures", "--json", *more).lines


def forge(house: House, key: str, **fields: Any) -> None:
    """A failed ticket as anybody may have written it."""
    attempt = {"n": 1, "reason": "forged", "ended": "2026-07-01T00:00:00Z", **fields}
    path = house.root / "spool/demo/fetch/failed" / f"{key}.json"
    path.write_text(json.dumps({"key": key, "data": {}, "attempts": [attempt]}))


def findings(house: House, *more: str) -> list[dict[str, Any]]:
    """What the check-up finds in the house itself. Its exit code tells whether it found anything."""
    process = house.start("rivus-doctor", "--json", *more)
    out, err = process.communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == bool(lines), err
    return [line for line in lines if not any(words in line["what"] for words in ROOM)]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_failures_are_listed_in_groups_the_largest_first(ill: House) -> None:
    bug, bad = listed(ill)
    assert (bug["count"], bug["class"], bug["action"]) == (3, "handler_bug", "needs_human")
    assert sorted(bug["items"]) == ["demo/a", "demo/b", "demo/c"]
    assert (bug["boxes"], bug["example"], bug["handler"]) == ({"held": 3}, "oh", "steps.fetch")
    assert "ZeroDivisionError" in bug["type"]
    assert bug["first"] <= bug["last"]
    assert (bad["count"], bad["items"], bad["boxes"]) == (1, ["demo/bad"], {"failed": 1})
    assert {"group", "rule"} <= bad.keys()
    text = ill.run("rivus-doctor", "failures", "demo").out
    assert f"{bug['group']}  3 x handler_bug -> needs_human" in text
    assert "this one is bad" in text
    assert len(text.splitlines()) == 6


def test_long_groups_are_cut_in_text(demo: House) -> None:
    work(demo, **{f"i{n}": "fail" for n in range(8)})
    assert "and 5 more" in demo.run("rivus-doctor", "failures").out


def test_a_group_is_retried_by_how_its_name_begins(ill: House) -> None:
    bug = listed(ill)[0]["group"]
    assert "3 of 3 items" in ill.run("rivus-doctor", "retry", bug[:8], "--why", "mended").err
    assert ill.box("demo", "fetch", "ready") == ["a.json", "b.json", "c.json"]
    assert ill.box("demo", "fetch", "failed") == ["bad.json"]
    assert "mended" in "".join(path.read_text() for path in (ill.root / "spool/_journal").iterdir())


def test_a_group_is_held_and_given_up(ill: House) -> None:
    bug, bad = (line["group"] for line in listed(ill))
    ill.run("rivus-doctor", "hold", bad)
    assert ill.box("demo", "fetch", "held") == ["a.json", "b.json", "bad.json", "c.json"]
    ill.run("rivus-doctor", "fail", bug)
    assert ill.box("demo", "fetch", "failed") == ["a.json", "b.json", "c.json"]
    assert list((ill.root / "spool/_verdicts").iterdir()) == []


@pytest.mark.parametrize("verb", ["retry", "hold", "fail"])
def test_a_beginning_that_names_no_group_or_several_moves_nothing(demo: House, verb: str) -> None:
    work(demo, a="fail")
    forge(demo, "x", fingerprint="abc0000000000000")
    forge(demo, "y", fingerprint="abd0000000000000")
    assert "several groups" in demo.run("rivus-doctor", verb, "ab", code=65).err
    assert "no such group" in demo.run("rivus-doctor", verb, "xyz", code=65).err
    assert demo.box("demo", "fetch", "failed") == ["a.json", "x.json", "y.json"]


def test_hold_always_holds_the_next_one_too(demo: House) -> None:
    work(demo, a="fail")
    group = listed(demo)[0]["group"]
    demo.run("rivus-doctor", "hold", group[:6], "--always", "--why", "to be looked at")
    assert "to be looked at" in (demo.root / f"spool/_verdicts/{group}.yaml").read_text()
    work(demo, b="fail")
    assert demo.box("demo", "fetch", "held") == ["a.json", "b.json"]
    attempt = demo.ticket("demo", "fetch", "held", "b.json")["attempts"][-1]
    assert (attempt["action"], attempt["rule"]) == ("needs_human", "verdict by person")


def test_fail_always_fails_the_next_one_too(demo: House) -> None:
    work(demo, a="crash")
    demo.run("rivus-doctor", "fail", listed(demo)[0]["group"], "--always")
    work(demo, b="crash")
    assert demo.box("demo", "fetch", "failed") == ["a.json", "b.json"]


def test_explain_tells_what_was_decided_and_what_would_be(ill: House) -> None:
    text = ill.run("rivus-doctor", "explain", "demo/a").out
    group = listed(ill)[0]["group"]
    assert "demo:fetch (held) attempt 1" in text
    assert f"group {group}, handler steps.fetch" in text
    assert "decided: handler_bug -> needs_human" in text
    assert "today: handler_bug -> needs_human" in text
    assert "no failure is recorded" in ill.run("rivus-doctor", "explain", "demo/nobody", code=65).err
    ill.run("rivus-doctor", "explain", "no-address", code=65)


def test_classify_adds_its_judgement_to_each_line_and_reports_the_bad_ones(house: House) -> None:
    rows = [
        '{"handler": "fetch", "error_type": "ConnectionError", "message": "connection refused", "mine": 1}',
        "no json", '{"message": "429 Too Many Requests", "status": 429}', "[1]", '{"message": 7, "status": "x"}',
    ]  # fmt: skip
    done = house.run("rivus-doctor", "classify", stdin="\n".join(rows), code=65)
    first, second, third = done.lines
    assert (first["class"], first["mine"]) == ("transient_network", 1)
    assert second["class"] == "rate_limited"
    assert all({"class", "action", "after", "rule"} <= line.keys() for line in (first, second, third))
    assert "line 2" in done.err
    assert "line 4" in done.err
    assert len(house.run("rivus-doctor", "classify", stdin=rows[0]).lines) == 1


def test_backtest_is_silent_until_rules_or_verdicts_differ(ill: House) -> None:
    assert ill.run("rivus-doctor", "backtest").out == ""
    group = listed(ill)[0]["group"]
    (ill.root / f"spool/_verdicts/{group}.yaml").write_text("class: auth\naction: fail_item\n")
    [line] = ill.run("rivus-doctor", "backtest").lines
    assert (line["group"], line["count"], line["class_now"], line["action_now"]) == (group, 3, "auth", "fail_item")
    assert ill.box("demo", "fetch", "held") == ["a.json", "b.json", "c.json"]


def test_diagnose_without_a_model_changes_nothing(demo: House) -> None:
    work(demo, a="fail")
    forge(demo, "x", type="ValueError", fingerprint="abc0000000000000")
    before = files(demo.root / "spool")
    demo.run("rivus-doctor", "diagnose")
    assert files(demo.root / "spool") == before


def test_no_name_is_not_every_group_and_no_job_is_not_a_healthy_one(ill: House) -> None:
    assert "no such group" in ill.run("rivus-doctor", "retry", "", code=65).err
    assert "no such job" in ill.run("rivus-doctor", "failures", "nowhere", code=65).err


def test_a_ticket_moves_nobodys_cursor(ill: House) -> None:
    forge(ill, "x", **{"fingerprint": "abc0000000000000", "class": "\x1b[2J", "action": "\x1b[31m", "ended": "\x1b]0;"})
    assert "\x1b" not in ill.run("rivus-doctor", "failures").out


def test_the_check_up_of_a_healthy_house_finds_nothing(demo: House) -> None:
    work(demo, a="well")
    assert findings(demo) == []
    assert findings(demo, "--fsck") == []


def test_the_check_up_finds_a_paused_job_and_how_to_mend_it(demo: House) -> None:
    work(demo, a="halt")
    found = next(line for line in findings(demo) if "demo" in line["what"] and "no credential" in line["what"])
    assert "rivus-limit unpause demo" in found["mend"]
    text = demo.run("rivus-doctor", code=1).out
    assert "no credential" in text
    assert "\n    rivus-limit unpause demo" in text


def test_fsck_finds_an_item_that_is_there_twice(demo: House) -> None:
    work(demo, a="well")
    stage = demo.root / "spool/demo/fetch"
    os.link(stage / "done/a.json", stage / "failed/a.json")
    assert not any("twice" in line["what"] or "a.json" in line["what"] for line in findings(demo))
    assert any("demo" in line["what"] for line in findings(demo, "--fsck"))


STAGE = "rivus-stage@demo:fetch.service"
FAILED = {"MONITOR_UNIT": STAGE, "MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": "78"}


def test_a_unit_that_has_failed_is_told_of_with_what_mends_it_and_noted(demo: House) -> None:
    hook = demo.root / "jobs.d/hooks.d/on-unit"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ncat >>{demo.root}/heard\n")
    hook.chmod(0o755)
    for _ in range(2):
        out = demo.run("rivus-doctor", "unit", STAGE, env=FAILED).out
        assert out.startswith(f"! the unit {STAGE} has failed: ") and "rivus-check" in out
    demo.run("rivus-doctor", "unit", STAGE, env={**FAILED, "MONITOR_EXIT_STATUS": "203"})
    heard = [json.loads(line) for line in (demo.root / "heard").read_text().splitlines()]
    assert [(one["event"], one["job"], one["stage"], one["class"]) for one in heard] == [
        ("unit", "demo", "fetch", "configuration"), ("unit", "demo", "fetch", "program"),
    ]  # fmt: skip
    [day] = (demo.root / "spool/_journal").iterdir()
    lines = [json.loads(line) for line in day.read_text().splitlines()]
    assert [(one["move"], one["unit"], one["status"]) for one in lines] == [
        ("unit", STAGE, "78"), ("unit", STAGE, "78"), ("unit", STAGE, "203"),
    ]  # fmt: skip


def test_a_unit_that_has_not_failed_is_no_news(demo: House) -> None:
    done = demo.run("rivus-doctor", "unit", STAGE, env={**FAILED, "MONITOR_SERVICE_RESULT": "success"})
    assert done.out == f"the unit {STAGE} has not failed\n"
    assert not (demo.root / "spool/_journal").exists() or not os.listdir(demo.root / "spool/_journal")


def test_what_systemd_says_moves_nobodys_cursor(demo: House) -> None:
    odd = {f"MONITOR_{name}": "\x1b[2J" for name in ("SERVICE_RESULT", "EXIT_STATUS", "INVOCATION_ID")}
    assert "\x1b" not in demo.run("rivus-doctor", "unit", STAGE, env=FAILED | odd).out


def test_a_failure_is_told_even_if_the_spool_is_what_failed(demo: House) -> None:
    argv = ("rivus-doctor", "--spool", "/proc/nowhere", "unit", STAGE)
    process = demo.start(*argv, env=FAILED)
    out, err = process.communicate(timeout=30)
    assert process.returncode != 0 and "/proc/nowhere" in err and "Traceback" not in err
    assert "has failed" in out


def test_the_name_of_a_unit_is_not_trusted(demo: House) -> None:
    for name in ("sshd.service", "rivus-$(reboot).service", "rivus-../../x"):
        assert "not the name of a unit" in demo.run("rivus-doctor", "unit", name, code=65).err
    assert "Usage" in demo.run("rivus-doctor", "unit", "--host=x", code=2).err
