"""What anybody may mend: claims of the dead, what is due, what is parked, what waits for nothing any more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.model.decide import FOREVER
from rivus.model.states import Box
from rivus.spool import recover as module
from rivus.spool.desk import Desk
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.reader import dump, read_document
from rivus.spool.recover import INTERRUPTIONS, put_off, recover, release_all, wake, wake_parked
from tests.spool.crash import PLAN, boxes_of, bury_me, check_conserved, dies_at, fresh_spool
from tests.spool.test_crash import ATTEMPT, claimed, finish, published

NOW = 1_800_000_000.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = fresh_spool(tmp_path / "spool")
    published(spool, "a")
    return spool


@pytest.fixture
def me(spool: Spool) -> Iterator[Owner]:
    with Owner(spool) as owner:
        yield owner


def die_with(spool: Spool, *names: str) -> Owner:
    """An owner that has claimed these, and is dead."""
    owner = Owner(spool)
    for name in names or ("a",):
        claimed(spool, owner, name)
    bury_me(owner)
    return owner


def at(spool: Spool, box: Box, name: str = "a.json") -> Any:
    return read_document(spool.ticket("job", "fetch", box, name))


def later(spool: Spool, **due: float) -> None:
    """Puts each item of that name off until then."""
    with Owner(spool) as owner:
        desk = Desk(spool, PLAN, "fetch", owner)
        for key, when in due.items():
            desk.defer(claimed(spool, owner, key), when, ATTEMPT)


def box(spool: Spool, which: Box) -> list[str]:
    return sorted(os.listdir(spool.box("job", "fetch", which)))


def test_a_claim_of_a_dead_owner_is_ready_again_with_the_interruption_counted(spool: Spool, me: Owner) -> None:
    dead = die_with(spool)
    assert recover(spool, "job", "fetch", me, PLAN) == 1
    [attempt] = at(spool, Box.READY)["attempts"]
    assert attempt.pop("ended")
    assert attempt == {"outcome": "interrupted", "owner": dead.name}
    assert box(spool, Box.RUNNING) == []
    assert recover(spool, "job", "fetch", me, PLAN) == 0


def test_the_claims_of_the_living_and_ones_own_are_left_alone(spool: Spool, me: Owner) -> None:
    published(spool, "b")
    with Owner(spool) as other:
        claims = [claimed(spool, me), claimed(spool, other, "b")]
        assert recover(spool, "job", "fetch", me, PLAN) == 0
        assert all(os.path.exists(claim.path) for claim in claims)


def test_an_item_that_was_running_when_three_workers_died_has_failed(spool: Spool, me: Owner) -> None:
    for _ in range(INTERRUPTIONS):
        assert box(spool, Box.READY) == ["a.json"]
        die_with(spool)
        recover(spool, "job", "fetch", me, PLAN)
    document = at(spool, Box.FAILED)
    assert document["error"]["type"] == "Interrupted"
    assert document["error"]["reason"] == "3 workers died while they ran this item"
    assert [attempt.get("final") for attempt in document["attempts"]] == [None, None, True]


def test_a_stage_can_set_another_number(spool: Spool, me: Owner) -> None:
    die_with(spool)
    recover(spool, "job", "fetch", me, PLAN, limit=1)
    assert box(spool, Box.FAILED) == ["a.json"]


def test_interruptions_of_an_earlier_round_do_not_count(spool: Spool, me: Owner) -> None:
    for _ in range(INTERRUPTIONS):
        die_with(spool)
        recover(spool, "job", "fetch", me, PLAN)
    os.rename(spool.ticket("job", "fetch", Box.FAILED, "a.json"), spool.ticket("job", "fetch", Box.READY, "a.json"))
    die_with(spool)
    recover(spool, "job", "fetch", me, PLAN)
    assert len(at(spool, Box.READY)["attempts"]) == INTERRUPTIONS + 1


def test_an_interruption_is_counted_once_even_if_the_one_who_counts_dies(spool: Spool) -> None:
    number, died = 0, True
    while died:
        die_with(spool)
        first = Owner(spool)
        died = dies_at(number := number + 1, lambda first=first: recover(spool, "job", "fetch", first, PLAN))  # type: ignore[misc]
        bury_me(first)
        with Owner(spool) as second:
            recover(spool, "job", "fetch", second, PLAN)
        assert len(at(spool, Box.READY)["attempts"]) == 1
        ticket = at(spool, Box.READY)
        ticket["attempts"] = []
        Path(spool.ticket("job", "fetch", Box.READY, "a.json")).write_bytes(dump(ticket))
    assert number > 4


def test_what_was_finished_is_not_run_again(spool: Spool, me: Owner) -> None:
    owner = Owner(spool)
    finish(spool, owner)
    claim = f"{spool.claims('job', 'fetch', owner.name)}/a.json"
    os.link(spool.ticket("job", "extract", Box.READY, "a.json"), claim)
    os.rename(spool.ticket("job", "extract", Box.READY, "a.json"), spool.ticket("job", "extract", Box.WAIT, "a.json"))
    bury_me(owner)
    assert recover(spool, "job", "fetch", me, PLAN) == 1
    assert boxes_of(spool, "a.json") == {"fetch": Box.DONE, "extract": Box.READY, "score": Box.WAIT}
    assert not os.path.exists(claim)


def test_a_receipt_of_somebody_else_does_not_finish_a_claim(spool: Spool, me: Owner) -> None:
    finish(spool, me)
    os.rename(spool.ticket("job", "fetch", Box.DONE, "a.json"), spool.ticket("job", "fetch", Box.READY, "a.json"))
    dead = die_with(spool)
    os.link(f"{spool.claims('job', 'fetch', dead.name)}/a.json", spool.ticket("job", "fetch", Box.DONE, "a.json"))
    recover(spool, "job", "fetch", me, PLAN)
    assert box(spool, Box.READY) == ["a.json"]


def test_without_the_jobs_configuration_claims_are_recovered_all_the_same(spool: Spool, me: Owner) -> None:
    die_with(spool)
    assert recover(spool, "job", "fetch", me) == 1
    assert box(spool, Box.READY) == ["a.json"]
    assert recover(spool, "job", "nowhere", me) == recover(spool, "none", "fetch", me) == 0


@pytest.mark.parametrize(("age", "target"), [(0, "ready"), (60, "_rejected")])
def test_half_a_file_with_a_dead_owner_is_ready_while_it_is_young_and_put_aside_when_it_is_old(
    spool: Spool, me: Owner, age: float, target: str
) -> None:
    dead = die_with(spool)
    path = Path(spool.claims("job", "fetch", dead.name), "half.json")
    path.write_text("{")
    os.utime(path, (time.time() - age,) * 2)
    assert recover(spool, "job", "fetch", me, PLAN) == 2
    assert box(spool, Box.READY) == ["a.json", "half.json"][: 2 if target == "ready" else 1]
    assert os.path.exists(f"{spool.rejected}/job.fetch.half.json") == (target == "_rejected")


def test_what_was_dropped_in_and_claimed_but_no_item_yet_is_ready_as_it_was(spool: Spool, me: Owner) -> None:
    dead = die_with(spool)
    Path(spool.claims("job", "fetch", dead.name), "bare.json").write_text('{"id": "x"}')
    recover(spool, "job", "fetch", me, PLAN)
    assert Path(spool.ticket("job", "fetch", Box.READY, "bare.json")).read_text() == '{"id": "x"}'


def test_whatever_else_lies_in_running_is_handed_on(spool: Spool, me: Owner) -> None:
    running = Path(spool.box("job", "fetch", Box.RUNNING))
    (running / "file.json").write_text('{"id": "x"}')
    (running / "made-by-hand").mkdir()
    (running / "made-by-hand" / "y.json").write_text('{"id": "y"}')
    recover(spool, "job", "fetch", me, PLAN)
    assert box(spool, Box.READY) == ["a.json", "file.json", "y.json"]
    assert box(spool, Box.RUNNING) == []


def test_a_claim_that_a_person_moves_away_meanwhile_does_not_keep_the_others(
    spool: Spool, me: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(spool, "b")
    dead = die_with(spool, "a", "b")

    def moved_first(path: str, now: float | None = None) -> Any:
        if path == f"{spool.claims('job', 'fetch', dead.name)}/a.json":
            os.rename(path, spool.ticket("job", "fetch", Box.HELD, "a.json"))
        return read_document(path, now)

    monkeypatch.setattr(module, "read_document", moved_first)
    recover(spool, "job", "fetch", me, PLAN)
    assert (box(spool, Box.HELD), box(spool, Box.READY)) == (["a.json"], ["b.json"])


def test_what_is_due_wakes_and_the_rest_says_when(spool: Spool) -> None:
    published(spool, "b", "c", "d")
    later(spool, a=NOW - 1, b=NOW, c=NOW + 10, d=NOW + 5)
    assert wake(spool, "job", "fetch", NOW) == (2, NOW + 5)
    assert (box(spool, Box.READY), box(spool, Box.LATER)) == (["a.json", "b.json"], ["c.json", "d.json"])
    assert wake(spool, "job", "fetch", NOW) == (0, NOW + 5)
    assert wake(spool, "job", "score", NOW) == wake(spool, "none", "none", NOW) == (0, None)


def test_touch_makes_a_ticket_due(spool: Spool) -> None:
    later(spool, a=NOW + 1000)
    os.utime(spool.ticket("job", "fetch", Box.LATER, "a.json"), (NOW, NOW))
    assert wake(spool, "job", "fetch", NOW) == (1, None)


def test_the_end_of_a_rest_wakes_what_waited_for_it_and_nothing_else(spool: Spool) -> None:
    published(spool, "b", "c", "d")
    later(spool, a=NOW, b=NOW + 1, c=NOW - 1, d=FOREVER)
    assert wake_parked(spool, "job", "fetch", NOW) == 1
    assert box(spool, Box.READY) == ["a.json"]
    assert wake_parked(spool, "job", "fetch", FOREVER) == 1
    assert box(spool, Box.READY) == ["a.json", "d.json"]


@pytest.mark.parametrize("until", [NOW + 0.123456789, 1795234331.7899244, 1795000000.9999999])
def test_no_digit_is_lost_between_the_time_on_a_file_and_the_end_of_a_rest(spool: Spool, until: float) -> None:
    later(spool, a=until)
    assert wake_parked(spool, "job", "fetch", until) == 1


def test_a_stage_that_cannot_run_is_put_off_whole(spool: Spool, me: Owner) -> None:
    published(spool, "b")
    Path(spool.ticket("job", "fetch", Box.READY, "dropped.json")).write_text('{"id": "x"}')
    Path(spool.ticket("job", "fetch", Box.READY, ".half")).write_text("{")
    assert put_off(spool, "job", "fetch", me, NOW) == 3
    assert box(spool, Box.READY) == [".half"]
    assert box(spool, Box.LATER) == ["a.json", "b.json", "dropped.json"]
    assert {os.stat(spool.ticket("job", "fetch", Box.LATER, name)).st_mtime for name in box(spool, Box.LATER)} == {NOW}
    assert put_off(spool, "job", "fetch", me, NOW) == put_off(spool, "job", "score", me, NOW) == 0
    assert "attempts" not in at(spool, Box.LATER), "no attempt is used up"
    assert wake(spool, "job", "fetch", NOW)[0] == 3


def test_what_waits_for_nothing_any_more_is_released_once(spool: Spool, me: Owner) -> None:
    published(spool, "b")
    assert release_all(spool, PLAN) == 0
    finish(spool, me)
    os.rename(spool.ticket("job", "extract", Box.READY, "a.json"), spool.ticket("job", "extract", Box.WAIT, "a.json"))
    assert release_all(spool, PLAN) == 1
    assert release_all(spool, PLAN) == 0
    assert boxes_of(spool, "a.json") == {"fetch": Box.DONE, "extract": Box.READY, "score": Box.WAIT}
    check_conserved(spool, {"a.json", "b.json"})
