"""Each rule by itself: its example is met by it, and by no rule before it."""

from __future__ import annotations

import re
import time

import pytest

from rivus.doctor.classify import classify
from rivus.doctor.failure import Failure, failure_from_record
from rivus.doctor.rule import Rule
from rivus.doctor.rules import RULES
from rivus.model.diagnosis import Action, FailureClass


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_decides_about_its_example(rule: Rule) -> None:
    found = classify(failure_from_record(rule.example._asdict()), 1.8e9)
    assert (found.rule, found.cls) == (rule.name, rule.cls)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_asks_for_something(rule: Rule) -> None:
    assert not rule.fits(Failure("", "", message="all is well"))
    assert rule.kinds or rule.status or rule.errno or rule.exit_code or rule.text


def test_names_are_unique_and_stand_in_one_line() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"[a-z_]+", rule.name) and rule.why for rule in RULES)


def test_every_class_but_unknown_has_a_rule_and_every_action_is_used() -> None:
    assert {rule.cls for rule in RULES} == set(FailureClass) - {FailureClass.UNKNOWN}
    assert {rule.action for rule in RULES} == set(Action)


def test_an_item_fails_only_for_what_is_its_own_fault() -> None:
    fault = {rule.cls for rule in RULES if rule.action is Action.FAIL_ITEM}
    own = {"gone_permanently", "access_denied", "bad_input", "parser_broken"}
    assert fault <= own


def test_a_delay_stands_only_where_something_waits() -> None:
    assert all(rule.after is None for rule in RULES if rule.action in (Action.FAIL_ITEM, Action.NEEDS_HUMAN))


PARTS = ["quota ", "video ", "a ", "available ", "'", "api key ", "x" * 50, "limit exceeded", "is not ", "[a] "]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.text], ids=lambda rule: rule.name)
def test_no_text_makes_a_rule_slow(rule: Rule) -> None:
    for part in PARTS:
        failure = Failure("", "", rule.kinds[:1], message=(part * 4096)[:4096])
        rule.fits(failure)
        started = time.process_time()
        rule.fits(failure)
        assert time.process_time() - started < 2
