"""What was asked and what it cost is written down before it happens; a ledger that makes no sense is closed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rivus.tell.ledger import AskedAlready, Ledger, Spent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.json"


def calls(path: Path) -> Any:
    return json.loads(path.read_text())["calls"]


def test_a_call_stands_in_the_ledger_before_it_is_made(path: Path) -> None:
    Ledger(path, 5, 1.0).reserve("a" * 16, 0.25)
    (call,) = calls(path)
    assert (call["fingerprint"], call["state"], call["usd"], call["at_most"]) == ("a" * 16, "asked", None, 0.25)


def test_a_call_of_a_killed_process_counts_with_the_most_it_can_cost(path: Path) -> None:
    Ledger(path, 5, 1.0).reserve("a", 0.6)
    after = Ledger(path, 5, 1.0)
    assert after.spent == 0.6
    with pytest.raises(AskedAlready):
        after.reserve("a", 0.1)
    with pytest.raises(Spent, match="could exceed the day's 1 USD"):
        after.reserve("b", 0.5)


def test_a_settled_call_counts_with_what_it_cost_and_an_unknown_cost_stays_unknown(path: Path) -> None:
    ledger = Ledger(path, 5, 1.0)
    ledger.reserve("a", 0.6)
    ledger.settle(True, 0.1)
    ledger.reserve("b", 0.6)
    ledger.settle(True, None)
    assert [call["usd"] for call in calls(path)] == [0.1, None]
    assert Ledger(path, 5, 1.0).spent == pytest.approx(0.7)


def test_calls_are_capped_whatever_they_cost(path: Path) -> None:
    for name in ("a", "b"):
        Ledger(path, 2, None).reserve(name, None)
    with pytest.raises(Spent, match="2 calls are used up"):
        Ledger(path, 2, None).reserve("c", None)
    assert len(calls(path)) == 2


def test_what_got_no_answer_may_be_asked_again_but_was_a_call(path: Path) -> None:
    ledger = Ledger(path, 2, None)
    ledger.reserve("a", None)
    ledger.settle(False, None)
    ledger.reserve("a", None)
    with pytest.raises(Spent):
        ledger.reserve("b", None)


def test_a_new_day_begins_a_new_page_and_a_clock_set_back_does_not(path: Path) -> None:
    call = {"at": "", "fingerprint": "a", "state": "asked", "usd": None, "at_most": None}
    path.write_text(json.dumps({"day": "2001-01-01", "calls": [call]}))
    Ledger(path, 1, None).reserve("a", None)
    path.write_text(json.dumps({"day": "9999-01-01", "calls": [call]}))
    with pytest.raises(Spent):
        Ledger(path, 1, None).reserve("b", None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"day": "2001-01-01"}',
        '{"day": "today", "calls": []}',
        '{"day": "2001-01-01", "calls": {"a": 1}}',
        '{"day": "2001-01-01", "calls": [7]}',
        '{"day": "2001-01-01", "calls": [{"fingerprint": "a", "state": "free", "usd": 0, "at_most": 0}]}',
        '{"day": "2001-01-01", "calls": [{"fingerprint": "a", "state": "asked", "usd": -5, "at_most": 0}]}',
        '{"day": "2001-01-01", "calls": [{"fingerprint": "a", "state": "asked", "usd": "0", "at_most": 0}]}',
        '{"day": "2001-01-01", "calls": [], "calls": []}',
    ],
)
def test_a_ledger_that_cannot_be_understood_is_closed_and_left_alone(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(Spent, match="cannot be read"):
        Ledger(path, 5, None)
    assert path.read_text() == text


def test_a_ledger_that_is_no_file_or_cannot_be_written_is_closed(path: Path) -> None:
    with pytest.raises(Spent, match="cannot be written"):
        Ledger(path.parent / "nowhere" / "ledger.json", 5, None).reserve("a", None)
    path.mkdir()
    with pytest.raises(Spent, match="cannot be read"):
        Ledger(path, 5, None)
