"""Which items of a test spool a test leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.model.item import Ticket, file_name
from rivus.model.outcome import Json
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.strangers import Strangers
from tests.spool.crash import PLAN, fresh_spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


def make(spool: Spool, key: str, parent: str = "") -> None:
    meta: Json = {"parent": {"job": "job", "key": parent}} if parent else {}
    with Owner(spool) as owner:
        publish(spool, PLAN, [Ticket("job", key, {}, meta)], owner)


def test_what_was_there_before_is_a_stranger_but_for_the_cast_and_all_that_comes_of_it(spool: Spool) -> None:
    make(spool, "mine")
    make(spool, "other")
    make(spool, "child/of mine", "mine")
    make(spool, "grandchild", "child/of mine")
    make(spool, "child of other", "other")
    strangers = Strangers(spool, "job", {"job": {"mine.json"}})
    keys = ["mine", "other", "child/of mine", "grandchild", "child of other"]
    assert [key for key in keys if file_name(key) in strangers] == ["other", "child of other"]


def test_what_comes_later_is_none(spool: Spool) -> None:
    strangers = Strangers(spool, "job", {})
    make(spool, "new")
    assert "new.json" not in strangers


def test_a_circle_of_parents_and_what_cannot_be_read_are_strangers(spool: Spool) -> None:
    make(spool, "a", "b")
    make(spool, "b", "a")
    Path(spool.births("job"), "bad.json").write_text("{")
    strangers = Strangers(spool, "job", {"job": {"mine.json"}})
    assert all(name in strangers for name in ("a.json", "b.json", "bad.json"))
