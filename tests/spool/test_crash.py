"""Whatever move is interrupted at whatever call, and its recovery too: nothing is lost, nothing is in two boxes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rivus.model.item import Ticket
from rivus.model.states import Box
from rivus.spool import hands
from rivus.spool.desk import Claim, Desk, Young
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.publish import complete, publish
from rivus.spool.recover import bury, recover, release_all, wake
from tests.spool.crash import (
    PLAN,
    bury_me,
    calls_of,
    check_conserved,
    dies_at,
    empty_files,
    fresh_spool,
)

ATTEMPT = {"n": 1, "outcome": "retry", "charged": True, "owner": "x", "started": "s", "ended": "e"}
Act = Callable[[Spool, Owner], object]


def ticket(key: str) -> Ticket:
    return Ticket("job", key, {"url": f"https://example.org/{key}"}, {"discovered": "2026-01-01T00:00:00.000Z"})


def published(spool: Spool, *keys: str) -> None:
    with Owner(spool) as owner:
        publish(spool, PLAN, [ticket(key) for key in keys], owner)


def claimed(spool: Spool, owner: Owner, key: str = "a", stage: str = "fetch") -> Claim:
    claim = Desk(spool, PLAN, stage, owner).claim(f"{key}.json")
    assert claim
    return claim


def finish(spool: Spool, owner: Owner) -> None:
    desk = Desk(spool, PLAN, "fetch", owner)
    claim = claimed(spool, owner)
    desk.finish(claim, {"text": "x"}, {"owner": owner.name}, {**ATTEMPT, "outcome": "done", "owner": owner.name})


def defer(spool: Spool, owner: Owner) -> None:
    Desk(spool, PLAN, "fetch", owner).defer(claimed(spool, owner), time.time() + 60, ATTEMPT)


def fail(spool: Spool, owner: Owner) -> None:
    Desk(spool, PLAN, "fetch", owner).fail(claimed(spool, owner), {"reason": "r"}, ATTEMPT)


def drop_in(spool: Spool, owner: Owner) -> None:
    Path(spool.box("job", "extract", Box.READY), "by hand.json").write_text('{"id": "new", "title": "t"}')
    Desk(spool, PLAN, "extract", owner).claim("by hand.json")


def after_finish(spool: Spool) -> None:
    published(spool, "a")
    with Owner(spool) as owner:
        finish(spool, owner)


def after_fail(spool: Spool) -> None:
    published(spool, "a")
    with Owner(spool) as owner:
        fail(spool, owner)


def change(spool: Spool, owner: Owner) -> None:
    new = ticket("a")
    new.data = {"url": "changed"}
    hands.change(spool, PLAN, new, owner, rerun=True)


SCENES: dict[str, tuple[Callable[[Spool], None], Act]] = {
    "publish": (lambda spool: None, lambda s, o: publish(s, PLAN, [ticket("a"), ticket("b")], o)),
    "publish into a later stage": (
        lambda spool: None,
        lambda s, o: publish(s, PLAN, [Ticket("job", "a", {"u": 1}, {"entered": "extract"})], o),
    ),
    "claim": (lambda spool: published(spool, "a"), lambda s, o: claimed(s, o)),
    "claim of a dropped file": (lambda spool: published(spool, "a"), drop_in),
    "finish": (lambda spool: published(spool, "a"), finish),
    "defer": (lambda spool: published(spool, "a"), defer),
    "fail": (lambda spool: published(spool, "a"), fail),
    "give back": (
        lambda spool: published(spool, "a"),
        lambda s, o: Desk(s, PLAN, "fetch", o).give_back(claimed(s, o)),
    ),
    "release": (after_finish, lambda s, o: release_all(s, PLAN)),
    "hold": (lambda spool: published(spool, "a"), lambda s, o: hands.hold(s, PLAN, "extract", "a.json", "w")),
    "retry": (after_fail, lambda s, o: hands.retry(s, PLAN, "fetch", "a.json", "w")),
    "drop": (after_fail, lambda s, o: hands.drop(s, PLAN, "fetch", "a.json", "w", o)),
    "change": (after_finish, change),
}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: the order of calls is tested here, not the disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    folder = memory / f"rivus-test-{os.getpid()}"
    yield folder
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def mend(spool: Spool, again: list[str]) -> None:
    """What happens after a crash: the sweep, the next discovery, and a worker that looks at what is ready."""
    with Owner(spool) as owner:
        for stage in PLAN.needs:
            recover(spool, "job", stage, owner, PLAN)
            wake(spool, "job", stage, time.time())
            for name in list(names(spool.box("job", stage, Box.WAIT))):
                complete(spool, PLAN, stage, name, owner)
        release_all(spool, PLAN)
        publish(spool, PLAN, [ticket(key) for key in again], owner)
        for stage in PLAN.needs:
            desk = Desk(spool, PLAN, stage, owner)
            for name in list(desk.ready()):
                try:
                    claim = desk.claim(name)
                except Young:
                    continue
                if claim:
                    desk.give_back(claim)
        bury(spool, owner)


def play(root: Path, scene: str, at: int, then: int | None = None) -> bool:
    """Crashes the scene at one call, its recovery at another, and checks what the next recovery makes of it. False
    when there are not so many calls."""
    prepare, act = SCENES[scene]
    spool = fresh_spool(root)
    prepare(spool)
    again = ["a", "b"] if scene == "publish" else ["a"]
    dead: list[Owner] = []

    def live(action: Callable[[Owner], object]) -> None:
        owner = Owner(spool)
        dead.append(owner)
        action(owner)

    died = dies_at(at, lambda: live(lambda owner: act(spool, owner)))
    for owner in dead:
        bury_me(owner)
    if died and then is not None and not dies_at(then, lambda: mend(spool, again)):
        return False
    mend(spool, again)
    check_conserved(spool, set(), PLAN)
    known = set(os.listdir(spool.births("job"))) - {".lock"}
    expected = {"a.json", "b.json"} if scene == "publish" else {"a.json"}
    assert expected <= known | ({"a.json"} if scene == "claim of a dropped file" else set())
    assert not empty_files(spool.root)
    assert list(names(spool.rejected)) == []
    return died


@pytest.mark.parametrize("scene", SCENES)
def test_a_crash_at_any_call_loses_nothing(scene: str, root: Path) -> None:
    at = 0
    while play(root, scene, at := at + 1):
        pass
    assert at > 3


@pytest.mark.parametrize("scene", SCENES)
def test_a_crash_during_the_recovery_from_a_crash_loses_nothing(scene: str, root: Path) -> None:
    spool = fresh_spool(root)
    SCENES[scene][0](spool)
    with Owner(spool) as owner:
        calls = calls_of(lambda: SCENES[scene][1](spool, owner)) + 5
    for at in range(1, calls + 1):
        then = 0
        while play(root, scene, at, then := then + 1):
            pass


def test_a_finished_item_is_not_run_again_when_its_worker_dies_before_it_drops_the_claim(root: Path) -> None:
    at, seen = 0, set()
    while True:
        spool = fresh_spool(root)
        published(spool, "a")
        owner = Owner(spool)
        died = dies_at(at := at + 1, lambda spool=spool, owner=owner: finish(spool, owner))  # type: ignore[misc]
        bury_me(owner)
        finished = os.path.lexists(spool.ticket("job", "fetch", Box.DONE, "a.json"))
        with Owner(spool) as other:
            recover(spool, "job", "fetch", other, PLAN)
        place = spool.where("job", "fetch", "a.json")
        assert place and place[0] is (Box.DONE if finished else Box.READY)
        seen.add(finished)
        if not died:
            break
    assert seen == {True, False}
