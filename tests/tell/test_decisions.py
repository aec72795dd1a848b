"""Decisions about groups: what is recorded can be judged again, and a verdict is kept for what comes next."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.config.verdicts import Verdict, read_verdict
from rivus.doctor.consult import consult, facts
from rivus.errors import BadInput
from rivus.model.diagnosis import Action, FailureClass
from rivus.model.states import GIVE_UP, HOLD, RETRY, Box
from rivus.spool.layout import Spool, names
from rivus.tell.decisions import ask_about_unknown, changes, decide_about, explanation, judged, write_verdict
from rivus.tell.failures import groups
from tests.spool.crash import fresh_spool
from tests.tell.test_failures import attempt, put

ERRORS = [
    ZeroDivisionError("oh"), ConnectionError("HTTP 502 for https://example.org/1"), OSError(28, "No space left"),
    TimeoutError("took longer than 5 s"), ValueError("something odd"), PermissionError(13, "denied"),
]  # fmt: skip


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


def recorded(error: BaseException, **more: Any) -> dict[str, Any]:
    told = consult(error, "steps.fetch", time.time())
    return attempt(error, facts=facts(told.failure), **more)


def verdict(spool: Spool, fingerprint: str) -> Verdict | None:
    return read_verdict(spool.verdicts, fingerprint, time.time())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_recorded_failure_is_judged_as_it_was(spool: Spool, error: BaseException) -> None:
    record = recorded(error)
    found = judged(spool, record, time.time())
    assert (found.cls, found.action, found.rule) == (record["class"], record["action"], record["rule"])


def test_where_rules_agree_with_what_was_decided_nothing_changes(spool: Spool) -> None:
    for n, error in enumerate(ERRORS):
        put(spool, f"i{n}", recorded(error))
    assert list(changes(spool)) == []


def test_a_verdict_changes_what_would_be_decided_once_per_kind(spool: Spool) -> None:
    record = recorded(ZeroDivisionError("oh"))
    for key in "abc":
        put(spool, key, record, box=Box.HELD)
    write_verdict(spool, record["fingerprint"], Verdict(cls=FailureClass.AUTH, action=Action.FAIL_ITEM))
    [line] = changes(spool)
    assert line == {
        "group": record["fingerprint"], "class": "handler_bug", "action": "needs_human", "class_now": "auth",
        "action_now": "fail_item", "rule_now": "verdict by person", "count": 3,
    }  # fmt: skip


def test_a_decision_moves_what_it_can_and_leaves_no_verdict(spool: Spool) -> None:
    record = recorded(ValueError("odd"))
    put(spool, "a", record, box=Box.FAILED)
    put(spool, "b", record, box=Box.LATER)
    [group] = groups(spool)
    assert decide_about(spool, group, GIVE_UP, "", "") == 1
    assert sorted(names(spool.box("job", "fetch", Box.FAILED))) == ["a.json", "b.json"]
    assert list(names(spool.verdicts)) == []
    [group] = groups(spool)
    assert decide_about(spool, group, RETRY, "mended", "") == 2
    assert groups(spool) == []


def test_a_decision_for_good_is_kept_with_its_example(spool: Spool) -> None:
    record = recorded(ValueError("odd"))
    put(spool, "a", record)
    [group] = groups(spool)
    assert decide_about(spool, group, HOLD, "to be looked at", "needs_human") == 1
    kept = verdict(spool, group.fingerprint)
    assert kept is not None
    assert (kept.action, kept.why, kept.example, kept.seen) == (Action.NEEDS_HUMAN, "to be looked at", "odd", 1)
    assert (kept.by, kept.handler, kept.expires) == ("person", "steps.fetch", None)


@pytest.mark.parametrize("hostile", ["sick", None, 7])
def test_a_ticket_with_a_class_that_is_none_can_be_held_for_good(spool: Spool, hostile: Any) -> None:
    put(spool, "a", recorded(ValueError("odd")) | {"class": hostile})
    [group] = groups(spool)
    assert decide_about(spool, group, HOLD, "", "needs_human") == 1
    kept = verdict(spool, group.fingerprint)
    assert kept is not None
    assert kept.cls is FailureClass.UNKNOWN


def test_a_hostile_fingerprint_names_no_file(spool: Spool) -> None:
    put(spool, "a", recorded(ValueError("odd")) | {"fingerprint": "../../x"})
    [group] = groups(spool)
    with pytest.raises(BadInput):
        decide_about(spool, group, HOLD, "", "needs_human")
    assert decide_about(spool, group, HOLD, "", "") == 1
    list(changes(spool))
    assert not list(Path(spool.root).parent.glob("x*"))
    assert not list(Path(spool.root).rglob("*.yaml"))


@pytest.mark.parametrize(
    "record",
    [
        {"reason": None, "facts": 7, "handler": [], "type": {}, "fingerprint": "x"},
        {"reason": "x", "facts": {"kinds": "no", "status": "many", "retry_after": "soon", "until": [], "errno": True}},
        {"reason": "x" * 100_000, "facts": {"kinds": [None, 7, {}], "exit_code": 1e300}},
    ],
)
def test_whatever_a_record_holds_is_judged(spool: Spool, record: dict[str, Any]) -> None:
    put(spool, "a", record)
    judged(spool, json.loads(json.dumps(record)), time.time())
    assert len(list(changes(spool))) == 1
    assert any("today:" in line for line in explanation(spool, "job", "a"))


def test_every_failed_try_is_explained_in_order(spool: Spool) -> None:
    put(spool, "a", recorded(ValueError("first")), recorded(ZeroDivisionError("second")))
    text = "\n".join(explanation(spool, "job", "a"))
    assert text.index("ValueError: first") < text.index("ZeroDivisionError: second")
    assert text.count("decided:") == text.count("today:") == 2
    with pytest.raises(BadInput):
        list(explanation(spool, "job", "b"))


def test_without_a_model_nothing_is_asked_and_nothing_written(spool: Spool, tmp_path: Path) -> None:
    put(spool, "a", recorded(ValueError("something odd")))
    assert [line for line in ask_about_unknown(spool, tmp_path) if line["answered"]] == []
    assert list(names(spool.verdicts)) == []
