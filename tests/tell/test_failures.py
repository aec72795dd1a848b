"""One outage is one group, however many items it hit and whatever their tickets claim."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.doctor.consult import consult
from rivus.errors import BadInput
from rivus.model.states import Box
from rivus.model.times import utc
from rivus.spool.layout import Spool
from rivus.tell.failures import cases, group_of, groups
from tests.spool.crash import fresh_spool

NOW = 1_780_000_000.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


def attempt(error: BaseException, number: int = 0, **more: Any) -> dict[str, Any]:
    told = consult(error, "steps.fetch", NOW)
    found = told.diagnosis
    return {
        "n": 1, "ended": utc(NOW + number), "type": told.failure.error_type, "reason": str(error),
        "class": str(found.cls), "action": str(found.action), "rule": found.rule, "fingerprint": told.fingerprint,
        "handler": "steps.fetch", **more,
    }  # fmt: skip


def put(spool: Spool, key: str, *attempts: Any, box: Box = Box.FAILED, stage: str = "fetch") -> None:
    ticket = {"key": key, "data": {}, "attempts": list(attempts)}
    Path(spool.ticket("job", stage, box, f"{key}.json")).write_text(json.dumps(ticket))


def test_a_thousand_items_of_one_outage_are_one_group(spool: Spool) -> None:
    for n in range(1000):
        error = ConnectionError(f"HTTP 502 for https://example.org/feed/{n}?id=vid{n:04x} (item '{n * 7919}')")
        put(spool, f"i{n}", attempt(error, n), box=(Box.FAILED, Box.LATER)[n % 2], stage=("fetch", "score")[n % 2])
    started = time.process_time()
    [group] = groups(spool)
    assert time.process_time() - started < 5
    view = group.to_json()
    assert (view["count"], len(view["items"])) == (1000, 1000)
    assert view["boxes"] == {"failed": 500, "later": 500}
    assert (view["first"], view["last"]) == (utc(NOW), utc(NOW + 999))
    assert "feed/999?" in view["example"]
    assert (view["handler"], view["type"]) == ("steps.fetch", "ConnectionError")


def test_the_largest_group_comes_first(spool: Spool) -> None:
    put(spool, "a", attempt(ValueError("one")))
    for key in "bcd":
        put(spool, key, attempt(KeyError("two")), box=Box.HELD)
    assert [len(group.cases) for group in groups(spool)] == [3, 1]


def test_the_last_try_counts(spool: Spool) -> None:
    put(spool, "a", attempt(ValueError("old")), attempt(KeyError("new"), 9))
    [group] = groups(spool)
    assert group.to_json()["type"] == "KeyError"


def test_what_waits_without_a_failure_or_cannot_be_read_is_no_case(spool: Spool) -> None:
    put(spool, "a", box=Box.LATER)
    put(spool, "b", attempt(ValueError("x")), {"n": 2, "outcome": "done"}, box=Box.LATER)
    put(spool, "c", "not an object")
    put(spool, "d", attempt(ValueError("x")), box=Box.DONE)
    Path(spool.ticket("job", "fetch", Box.FAILED, "e.json")).write_text("{")
    assert list(cases(spool)) == []


def test_only_the_jobs_that_are_asked_for_are_looked_at(spool: Spool) -> None:
    put(spool, "a", attempt(ValueError("x")))
    assert groups(spool, ["other"]) == []
    assert len(groups(spool, ["job"])) == 1


@pytest.mark.parametrize("hostile", ["../../x", "", "A" * 16, "0" * 17, "0" * 16 + "\n", None, 7, ["0" * 16]])
def test_a_hostile_fingerprint_is_no_path(spool: Spool, hostile: Any) -> None:
    put(spool, "a", attempt(ValueError("x"), fingerprint=hostile))
    [group] = groups(spool)
    assert group.fingerprint == "none"
    with pytest.raises(BadInput):
        group_of(spool, "../")


def test_a_group_is_found_by_how_its_name_begins(spool: Spool) -> None:
    for key, name in {"a": "abc", "b": "abd"}.items():
        put(spool, key, attempt(ValueError("x"), fingerprint=name.ljust(16, "0")))
    assert group_of(spool, "abc").fingerprint == "abc0000000000000"
    with pytest.raises(BadInput, match="several groups"):
        group_of(spool, "ab")
    with pytest.raises(BadInput, match="no such group"):
        group_of(spool, "abc1")
