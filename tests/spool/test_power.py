"""When the power fails: what was promised is there, and nothing is there with its bytes missing.

The disk is a model (`Disk` in crash.py): it keeps names in order, as journals do, and drops every byte and every name
that was not synced. The same tests without the syncs must find losses, or they prove nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from tests.spool.crash import PLAN, Disk, bury_me, check_conserved, empty_files, fresh_spool, tapped
from tests.spool.test_crash import defer, fail, finish, mend, ticket

Loss = AssertionError


def record(root: Path, *acts: Callable[[Spool, Owner], object]) -> tuple[Disk, list[int]]:
    """The calls of these acts, by one owner, and after how many calls each had returned."""
    spool = fresh_spool(root)
    disk, ends = Disk(str(root)), []
    with tapped(disk.tap):
        owner = Owner(spool)
        for act in acts:
            act(spool, owner)
            ends.append(len(disk.calls))
    bury_me(owner)
    return disk, ends


def check_images(
    tmp_path: Path, disk: Disk, syncs: bool, promised: Callable[[Spool, int], None]
) -> None:
    """Cuts the power after every call, and looks at what may be left."""
    for upto in range(len(disk.calls) + 1):
        for make in disk.images(upto, syncs):
            spool = fresh_spool(tmp_path / "image")
            make(spool.root)
            assert not empty_files(spool.root)
            promised(spool, upto)
            mend(spool, [])
            check_conserved(spool, set(), PLAN)


def published_items(ends: list[int]) -> Callable[[Spool, int], None]:
    def check(spool: Spool, upto: int) -> None:
        if upto >= ends[0]:
            assert {"a.json", "b.json"} <= set(os.listdir(spool.births("job")))

    return check


def publish_two(spool: Spool, owner: Owner) -> None:
    publish(spool, PLAN, [ticket("a"), ticket("b")], owner)


def finished_item(ends: list[int]) -> Callable[[Spool, int], None]:
    def check(spool: Spool, upto: int) -> None:
        if upto >= ends[1]:
            assert os.path.exists(spool.ticket("job", "fetch", Box.DONE, "a.json"))

    return check


@pytest.mark.parametrize("syncs", [True, False])
def test_what_was_published_survives_and_only_because_of_the_syncs(tmp_path: Path, syncs: bool) -> None:
    disk, ends = record(tmp_path / "spool", publish_two)
    if syncs:
        check_images(tmp_path, disk, True, published_items(ends))
    else:
        with pytest.raises(Loss):
            check_images(tmp_path, disk, False, published_items(ends))


@pytest.mark.parametrize("act", [finish, defer, fail])
@pytest.mark.parametrize("syncs", [True, False])
def test_what_a_stage_did_survives_and_only_because_of_the_syncs(
    tmp_path: Path, act: Callable[[Spool, Owner], None], syncs: bool
) -> None:
    disk, ends = record(tmp_path / "spool", lambda spool, owner: publish(spool, PLAN, [ticket("a")], owner), act)
    promised = finished_item(ends) if act is finish else lambda spool, upto: None
    if syncs:
        check_images(tmp_path, disk, True, promised)
    else:
        with pytest.raises(Loss):
            check_images(tmp_path, disk, False, promised)
