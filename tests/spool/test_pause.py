"""A job that is paused says since when, why and by whom, and nothing of it runs until that is gone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivus.model.decide import FOREVER
from rivus.model.states import Box
from rivus.model.times import epoch
from rivus.spool.desk import Desk
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.pause import pause, paused, unpause
from tests.spool.crash import PLAN, fresh_spool
from tests.spool.test_crash import ATTEMPT, claimed, published


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


@pytest.fixture
def owner(spool: Spool) -> Iterator[Owner]:
    with Owner(spool) as owner:
        yield owner


def test_a_pause_says_since_when_why_and_by_whom(spool: Spool, owner: Owner) -> None:
    assert paused(spool, "job") is None
    pause(spool, "job", "no credential", "job:fetch a", owner)
    why = paused(spool, "job")
    assert why is not None
    assert abs(epoch(why.pop("since")) - time.time()) < 60
    assert why == {"why": "no credential", "by": "job:fetch a"}
    assert paused(spool, "other") is None


def test_the_first_reason_is_kept(spool: Spool, owner: Owner) -> None:
    pause(spool, "job", "first", "a", owner)
    before = paused(spool, "job")
    pause(spool, "job", "second", "b", owner)
    assert paused(spool, "job") == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"why": NaN}', '{"why": "x", "why": "y"}'])
def test_a_file_that_cannot_be_read_pauses_as_well(spool: Spool, text: str) -> None:
    Path(spool.pause("job")).write_text(text)
    why = paused(spool, "job")
    assert why is not None and "cannot be read" in why["why"]


def test_touch_is_enough_to_pause_and_rm_to_go_on(spool: Spool) -> None:
    Path(spool.pause("job")).touch()
    assert paused(spool, "job")
    os.unlink(spool.pause("job"))
    assert paused(spool, "job") is None


def test_a_link_to_nowhere_pauses_rather_than_not(spool: Spool) -> None:
    os.symlink("/no/such/file", spool.pause("job"))
    assert paused(spool, "job")


def test_when_it_ends_what_it_put_off_is_ready_and_what_has_its_own_time_waits_on(spool: Spool, owner: Owner) -> None:
    published(spool, "a", "b", "c")
    desk = Desk(spool, PLAN, "fetch", owner)
    desk.defer(claimed(spool, owner, "a"), FOREVER)
    desk.defer(claimed(spool, owner, "b"), FOREVER, ATTEMPT)
    desk.defer(claimed(spool, owner, "c"), time.time() + 3600, ATTEMPT)
    pause(spool, "job", "w", "b", owner)
    assert unpause(spool, "job") == 2
    assert paused(spool, "job") is None
    assert sorted(os.listdir(spool.box("job", "fetch", Box.READY))) == ["a.json", "b.json"]
    assert os.listdir(spool.box("job", "fetch", Box.LATER)) == ["c.json"]


def test_a_job_that_was_not_paused_can_go_on_too(spool: Spool) -> None:
    assert unpause(spool, "job") == unpause(spool, "none") == 0
