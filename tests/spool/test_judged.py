"""What a model has said of a pair of versions is remembered, and only of that pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.model.plan import Plan
from rivus.spool.judged import KEPT, judged, note_judged
from rivus.spool.owners import Owner
from rivus.spool.reader import dump
from tests.spool.crash import fresh_spool

PLAN = Plan("demo", {"only": ()})
ROW = {"version": "1", "as": "2", "verdict": "cosmetic", "why": "names", "by": "model small", "diff": "d"}


def test_a_word_is_remembered_for_its_pair_and_its_difference(tmp_path: Path) -> None:
    spool = fresh_spool(tmp_path / "s", PLAN)
    with Owner(spool) as owner:
        note_judged(spool, "demo", "only", ROW, owner)
        note_judged(spool, "demo", "only", {**ROW, "verdict": "unsure"}, owner)
    found = judged(spool, "demo", "only", "1", "2", "d")
    assert found and found["verdict"] == "unsure" and found["when"].endswith("Z")
    for other in (("2", "1", "d"), ("1", "3", "d"), ("1", "2", "e")):
        assert judged(spool, "demo", "only", *other) is None


def test_only_the_last_are_kept(tmp_path: Path) -> None:
    spool = fresh_spool(tmp_path / "s", PLAN)
    rows = [{**ROW, "version": str(number), "when": "2026-01-01T00:00:00.000Z"} for number in range(KEPT)]
    Path(spool.stage("demo", "only"), ".judged.json").write_bytes(dump({"judged": rows}))
    with Owner(spool) as owner:
        note_judged(spool, "demo", "only", {**ROW, "version": "new"}, owner)
    assert judged(spool, "demo", "only", "0", "2", "d") is None
    assert judged(spool, "demo", "only", "1", "2", "d") and judged(spool, "demo", "only", "new", "2", "d")


@pytest.mark.parametrize("text", ["", "{", '{"judged": 1}', '{"judged": [1, {"version": "1", "as": "2"}]}'])
def test_a_file_that_cannot_be_read_says_nothing_and_is_written_anew(tmp_path: Path, text: str) -> None:
    spool = fresh_spool(tmp_path / "s", PLAN)
    Path(spool.stage("demo", "only"), ".judged.json").write_text(text)
    assert judged(spool, "demo", "only", "1", "2", "d") is None
    with Owner(spool) as owner:
        note_judged(spool, "demo", "only", ROW, owner)
    assert judged(spool, "demo", "only", "1", "2", "d")
