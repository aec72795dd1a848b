"""A test's results against production's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.tell.comparison import compared, summary
from tests.spool.crash import fresh_spool


@pytest.fixture
def production(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "production")


@pytest.fixture
def test(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "test")


def put(spool: Spool, box: Box, key: str = "a", stage: str = "fetch", **fields: Any) -> None:
    document = {"job": "job", "key": key, "data": {}, "meta": {}, **fields}
    Path(spool.ticket("job", stage, box, f"{key}.json")).write_text(json.dumps(document))


def done(spool: Spool, output: Json, key: str = "a") -> None:
    put(spool, Box.DONE, key, output=output, receipt={"input": "1"})


def line(test: Spool, production: Spool, key: str = "a") -> Json:
    [one] = compared(test, production, "job", ["fetch"], f"{key}.json")
    return one


def write(spool: Spool, text: str) -> None:
    folder = Path(spool.files("job", "a.json"), "fetch")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "body").write_text(text)


def test_an_equal_output_is_the_same(test: Spool, production: Spool) -> None:
    done(production, {"a": 1, "b": 2})
    done(test, {"b": 2, "a": 1})
    assert line(test, production) == {
        "job": "job", "key": "a", "stage": "fetch", "state": "done", "production": "done", "same": True, "changed": [],
    }  # fmt: skip


def test_each_field_that_changed_is_named(test: Spool, production: Spool) -> None:
    done(production, {"a": {"x": 1, "y": 2}, "gone": 1})
    done(test, {"a": {"x": 1, "y": 3}, "new": 1})
    found = line(test, production)
    assert found["same"] is False and found["changed"] == ["a.y", "gone", "new"]


def test_what_was_written_beside_the_output_counts_byte_by_byte(test: Spool, production: Spool) -> None:
    for spool, text in ((test, "one"), (production, "two")):
        done(spool, {"file": "fetch/body"})
        write(spool, text)
    found = line(test, production)
    assert found["same"] is False and found["changed"] == ["files.body"]
    write(test, "two")
    assert line(test, production)["same"] is True


def test_a_failure_here_says_why_and_what_production_did(test: Spool, production: Spool) -> None:
    done(production, {"a": 1})
    put(test, Box.FAILED, error={"reason": "bad page", "class": "bad_input"})
    found = line(test, production)
    assert (found["state"], found["production"], found["same"]) == ("failed", "done", False)
    assert found["changed"] == [] and found["error"] == "bad page"


def test_two_failures_are_the_same_if_their_class_is(test: Spool, production: Spool) -> None:
    put(production, Box.FAILED, error={"reason": "HTTP 404 of x", "class": "gone"})
    put(test, Box.FAILED, error={"reason": "HTTP 404 of y", "class": "gone"})
    assert line(test, production)["same"] is True
    put(test, Box.FAILED, error={"reason": "HTTP 500", "class": "outage"})
    assert line(test, production)["changed"] == ["error.class"]


def test_skipped_is_not_done(test: Spool, production: Spool) -> None:
    done(production, {"a": 1})
    put(test, Box.DONE, receipt={"skipped": "nothing here"})
    assert line(test, production)["state"] == "skipped"
    put(production, Box.DONE, receipt={"skipped": "nothing there"})
    assert line(test, production)["same"] is True


def test_a_result_that_production_is_about_to_make_anew_counts(test: Spool, production: Spool) -> None:
    put(production, Box.READY, output={"a": 1}, receipt={"input": "1"})
    done(test, {"a": 1})
    assert line(test, production)["production"] == "done" and line(test, production)["same"] is True


def test_what_waits_says_for_what(test: Spool, production: Spool) -> None:
    done(production, {"a": 1})
    put(test, Box.LATER, attempts=[{"outcome": "retry", "reason": "503"}])
    found = line(test, production)
    assert (found["state"], found["error"]) == ("later", "503")


def test_a_stage_that_production_does_not_have_is_absent_there(test: Spool, production: Spool) -> None:
    done(test, {"a": 1})
    assert line(test, production)["production"] == "absent"


@pytest.mark.parametrize("text", ["{", '{"output": 5, "receipt": "x", "key": 3}', '{"attempts": [1], "error": "x"}'])
def test_whatever_somebody_wrote_into_a_ticket_harms_nothing(test: Spool, production: Spool, text: str) -> None:
    done(production, {"a": 1})
    for box in (Box.DONE, Box.FAILED):
        Path(test.ticket("job", "fetch", box, "a.json")).write_text(text)
        assert line(test, production)["same"] is False
        Path(test.ticket("job", "fetch", box, "a.json")).unlink()


def test_the_summary_counts_each_stage_and_names_the_first_of_what_differs(test: Spool, production: Spool) -> None:
    for key in "abcdefg":
        done(production, {"value": 1, "why": "x"}, key)
        done(test, {"value": 1 if key == "a" else 2, "why": "x"}, key)
    put(production, Box.FAILED, "g", error={"class": "gone"})
    Path(production.ticket("job", "fetch", Box.DONE, "g.json")).unlink()
    lines = [line(test, production, key) for key in "abcdefg"]
    assert list(summary(lines)) == [
        "job:fetch: 1 same; 5 different (b: value, c: value, d: value, …); 1 done here but failed in production (g)"
    ]
