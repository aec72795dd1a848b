"""How many at once, between real processes."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from rivus.limits import slots
from rivus.locks import Held, holders
from tests.limits.people import Person, deadline, until, waiting

TAKE = """
import sys; from pathlib import Path; from rivus.limits import slots
slot = slots.take(Path(sys.argv[1]), int(sys.argv[2]), lambda: False)
print("in", flush=True)
sys.stdin.readline()
slot.release()
print("out", flush=True)
sys.stdin.readline()
"""
WITNESSED = """
import os, sys, time; from pathlib import Path; from rivus.limits import slots
folder, count, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
book = os.open(folder / "book", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def most():
    now = best = 0
    for sign in (folder / "book").read_text():
        now += 1 if sign == "+" else -1
        best = max(best, now)
    return best
end = time.monotonic() + 10
for _ in range(rounds):
    with slots.take(folder, count, lambda: False):
        os.write(book, b"+")
        while most() < count and time.monotonic() < end:
            time.sleep(0.001)
        os.write(book, b"-")
print("done", flush=True)
"""


def take(folder: Path, count: int) -> Held:
    return slots.take(folder, count, deadline()) or pytest.fail("no slot came free")


def at_once(book: Path) -> list[int]:
    """How many were in after each entry of the witness's book: `+` after a take, `-` before its release."""
    counts, now = [], 0
    for sign in book.read_text():
        now += 1 if sign == "+" else -1
        counts.append(now)
    return counts


def test_eight_processes_on_four_slots_are_never_more_than_four_and_do_reach_four(tmp_path: Path) -> None:
    people = [Person(WITNESSED, tmp_path, 4, 10) for _ in range(8)]
    try:
        assert [person.hear() for person in people] == ["done"] * 8
    finally:
        for person in people:
            person.__exit__()
    counts = at_once(tmp_path / "book")
    assert len(counts) == 160 and max(counts) == 4 and counts[-1] == 0


def test_slots_are_given_in_the_order_of_asking(tmp_path: Path) -> None:
    mine = take(tmp_path, 1)
    people: list[Person] = []
    try:
        people.append(Person(TAKE, tmp_path, 1))
        until(lambda: holders(tmp_path / "turn") == [people[0].pid])
        for number in range(1, 5):
            people.append(Person(TAKE, tmp_path, 1))
            until(partial(waiting, tmp_path / "turn", number))
        mine.release()
        for person in people:
            assert person.hear() == "in"
            assert slots.held(tmp_path) == {"slot.0": [person.pid]}
            person.say()
            assert person.hear() == "out"
    finally:
        for person in people:
            person.__exit__()


def test_kill_9_of_a_holder_frees_its_slot_for_the_next(tmp_path: Path) -> None:
    with Person(TAKE, tmp_path, 1) as holder:
        assert holder.hear() == "in"
        assert slots.take(tmp_path, 1, deadline(0)) is None
        holder.kill()
        with take(tmp_path, 1):
            assert slots.held(tmp_path) == {"slot.0": [os.getpid()]}


def test_kill_9_of_who_has_the_turn_hands_the_turn_on(tmp_path: Path) -> None:
    mine = take(tmp_path, 1)
    (tmp_path / "turn").touch()
    with Person(TAKE, tmp_path, 1) as first:
        until(lambda: holders(tmp_path / "turn") == [first.pid])
        with Person(TAKE, tmp_path, 1) as second:
            until(partial(waiting, tmp_path / "turn", 1))
            first.kill()
            mine.release()
            assert second.hear() == "in"


def test_who_stops_waiting_leaves_slot_and_turn_to_others(tmp_path: Path) -> None:
    with take(tmp_path, 1):
        assert slots.take(tmp_path, 1, deadline(0.02)) is None
    with take(tmp_path, 1):
        pass
    assert slots.held(tmp_path) == {}


def test_fewer_slots_are_never_exceeded_once_the_old_holders_are_gone(tmp_path: Path) -> None:
    old = [take(tmp_path, 4) for _ in range(4)]
    assert slots.take(tmp_path, 2, deadline(0)) is None
    old[3].release()
    old[2].release()
    assert slots.take(tmp_path, 2, deadline(0)) is None, "slots 0 and 1 are still held"
    old[0].release()
    new = take(tmp_path, 2)
    assert slots.take(tmp_path, 2, deadline(0)) is None
    for slot in (new, old[1]):
        slot.release()
    assert [take(tmp_path, 2).fd > 0 for _ in range(2)] == [True, True]


def test_more_slots_count_at_once_and_the_old_ones_with_them(tmp_path: Path) -> None:
    held = [take(tmp_path, 1)]
    assert slots.take(tmp_path, 1, deadline(0)) is None
    held.append(take(tmp_path, 2))
    assert slots.take(tmp_path, 2, deadline(0)) is None
    assert sorted(slots.held(tmp_path)) == ["slot.0", "slot.1"]
