"""What the look of a job notes beside its items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rivus.config.load import load_job
from rivus.limits import Limits
from rivus.spool.layout import open_spool
from rivus.spool.owners import Owner
from rivus.tell.story import story
from rivus.work.discover import Discovery
from tests.conftest import House

OWN = """
from rivus.model.context import Found

def names(look, *, since: str | None = None, until: str | None = None):
    there = (look.folder / "there").read_text().split()
    for key in there:
        yield Found(key, {})
    for key in look.cursor.get("was", []):
        if key not in there:
            look.vanished(key)
    look.vanished("never an item")
    look.cursor["was"] = there
"""


@pytest.fixture
def own(house: House) -> House:
    house.job("demo", "discover: {strategy: own.names}\nstages: {fetch: {command: [cat]}}\n", own=OWN)
    return house


def look(house: House, there: str, **more: Any) -> None:
    (house.root / "jobs.d/there").write_text(there)
    job = load_job(house.root / "jobs.d", "demo")
    with Owner(open_spool(str(house.root / "spool"))) as owner:
        Discovery(
            owner.spool, job, owner, Limits(Path(owner.spool.limits), job.limits), lambda item: None, **more
        ).run()


def vanished(house: House) -> list[str]:
    lines = [line for file in (house.root / "spool/_journal").iterdir() for line in file.read_text().splitlines()]
    return [entry["key"] for entry in map(json.loads, lines) if entry["move"] == "vanished"]


def test_an_item_that_is_no_longer_at_the_source_is_noted_once_and_kept(own: House) -> None:
    look(own, "a b c")
    for there in ("a c", "a c"):
        look(own, there)
        assert vanished(own) == ["b"]
    assert own.box("demo", "fetch", "ready") == ["a.json", "b.json", "c.json"]
    rows = story(open_spool(str(own.root / "spool")), "demo", ["fetch"], "b", None)
    assert rows[-1]["what"] == "no longer at the source"


@pytest.mark.parametrize("how", [{"dry": True}, {"most": 1}, {"window": ("2024-01-01", "2024-02-01")}])
def test_a_look_whose_cursor_is_not_kept_notes_nothing(own: House, how: dict[str, Any]) -> None:
    look(own, "a b")
    look(own, "a x y", **how)
    assert vanished(own) == []
    look(own, "a x y")
    assert vanished(own) == ["b"]
