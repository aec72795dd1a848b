"""How often the rules are right about real messages that people labelled; see MANIFEST.md beside them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rivus.doctor.classify import classify
from rivus.doctor.failure import failure_from_record
from rivus.model.diagnosis import Action, Diagnosis, FailureClass

Judged = list[tuple[dict[str, Any], Diagnosis]]
WORLD = {"transient_network", "rate_limited", "quota_exhausted", "auth", "config_error"}


@pytest.fixture(scope="module")
def judged(shared: Path) -> Judged:
    rows = [json.loads(line) for line in (shared / "data" / "errors.jsonl").read_text().splitlines()]
    return [(row, classify(failure_from_record(row), 1.8e9)) for row in rows]


def table(judged: Judged) -> str:
    """Labels down, answers across."""
    pairs = Counter((row["expected_class"], str(found.cls)) for row, found in judged)
    names = [str(each) for each in FailureClass]
    lines = [" " * 18 + " ".join(name[:8].rjust(8) for name in names)]
    for want in names:
        lines.append(want.ljust(18) + " ".join(str(pairs[want, got] or ".").rjust(8) for got in names))
    return "\n".join(lines)


def share(judged: Judged, what: str, lenient: bool) -> float:
    right = 0
    for row, found in judged:
        answer = str(found.cls if what == "class" else found.action)
        right += answer == row[f"expected_{what}"] or (lenient and answer in row[f"also_ok_{what}"])
    return right / len(judged)


@pytest.mark.parametrize(("what", "lenient", "least"), [("class", False, 0.85), ("class", True, 0.95),
                                                        ("action", False, 0.85), ("action", True, 0.95)])  # fmt: skip
def test_the_rules_are_mostly_right(judged: Judged, what: str, lenient: bool, least: float) -> None:
    right = share(judged, what, lenient)
    print(f"\n{table(judged)}\n{what} right, {'also_ok counted' if lenient else 'strictly'}: {right:.3f}")
    assert right >= least


def test_no_item_fails_for_the_fault_of_the_source_the_network_or_the_configuration(judged: Judged) -> None:
    def is_its_own(row: dict[str, Any]) -> bool:
        blocked = row["expected_class"] == "access_denied" and row["expected_action"] == "pause_source"
        return row["expected_action"] == "fail_item" or not (row["expected_class"] in WORLD or blocked)

    wrong = [row["id"] for row, found in judged if found.action is Action.FAIL_ITEM and not is_its_own(row)]
    assert wrong == []
