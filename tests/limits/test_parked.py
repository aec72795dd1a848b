"""A source that must rest."""

from __future__ import annotations

import json
import os
from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivus.limits.parked import (
    LONGEST_AGAIN,
    PERSON,
    SHORTEST_AGAIN,
    Parked,
    forget,
    next_rest,
    park,
    present_rest,
    resume,
)
from rivus.limits.state import LimitUnreadable
from rivus.spool import atomic
from tests.limits.people import Person

NOW = 1_800_000_000.0


def rest(until: float | None, why: str = "429") -> Parked:
    return Parked(until, NOW, why, "fetch")


def trip(at: float, seconds: float, by: str = "fetch") -> Parked:
    return Parked(at + seconds, at, "429", by)


def test_a_parked_source_rests_until_its_time_is_over(tmp_path: Path) -> None:
    assert present_rest(tmp_path) is None
    assert park(tmp_path, rest(NOW + 10)) == rest(NOW + 10)
    assert rest(NOW + 10).lasts(NOW + 9.9) and not rest(NOW + 10).lasts(NOW + 10)


def test_a_rest_that_is_over_stays_known(tmp_path: Path) -> None:
    park(tmp_path, rest(NOW + 10))
    assert present_rest(tmp_path) == rest(NOW + 10)


def test_the_longest_rest_wins(tmp_path: Path) -> None:
    lasting = [park(tmp_path, rest(until)).until for until in (NOW + 10, NOW + 30, NOW + 20)]
    assert lasting == [NOW + 10, NOW + 30, NOW + 30]
    park(tmp_path, rest(None))
    assert park(tmp_path, rest(NOW + 99)) == present_rest(tmp_path) == rest(None)


def test_what_fails_while_the_source_rests_is_no_further_trip(tmp_path: Path) -> None:
    park(tmp_path, trip(NOW, 100))
    assert park(tmp_path, trip(NOW + 50, 100)).trips == 1
    assert park(tmp_path, trip(NOW + 60, 10)) == trip(NOW + 50, 100)


def test_a_probe_that_fails_is_a_trip_and_doubles_the_rest(tmp_path: Path) -> None:
    at, lengths = NOW, []
    for _ in range(12):
        now = park(tmp_path, trip(at, 100))
        lengths.append(now.end - at)
        at = now.end
    assert lengths == [100 * 2**n for n in range(10)] + [LONGEST_AGAIN] * 2
    assert (present_rest(tmp_path) or pytest.fail()).trips == 12


def test_a_source_that_asks_for_more_gets_it(tmp_path: Path) -> None:
    park(tmp_path, trip(NOW, 10))
    assert park(tmp_path, trip(NOW + 10, 3 * LONGEST_AGAIN)).end == NOW + 10 + 3 * LONGEST_AGAIN
    park(tmp_path, rest(None))
    assert (present_rest(tmp_path) or pytest.fail()).until is None


def test_a_source_that_asks_for_no_rest_at_all_gets_a_short_one_the_second_time(tmp_path: Path) -> None:
    assert park(tmp_path, trip(NOW, 0)).end == NOW
    assert park(tmp_path, trip(NOW, -5)).end == NOW + SHORTEST_AGAIN


def test_a_person_gets_the_rest_they_ask_for_and_trips_are_still_known(tmp_path: Path) -> None:
    assert park(tmp_path, trip(NOW, 10, PERSON)).trips == 0
    assert park(tmp_path, trip(NOW + 10, 100)) == Parked(NOW + 110, NOW + 10, "429", "fetch", 1)
    assert park(tmp_path, trip(NOW + 110, 7, PERSON)) == Parked(NOW + 117, NOW + 110, "429", PERSON, 1)
    assert park(tmp_path, trip(NOW + 117, 80)) == Parked(NOW + 197, NOW + 117, "429", "fetch", 2)


@given(
    asks=st.lists(
        st.tuples(st.floats(-10, 4 * LONGEST_AGAIN), st.floats(0, 1e6), st.booleans()), min_size=1, max_size=30
    )
)
def test_each_rest_is_at_least_twice_the_last_and_as_long_as_asked(asks: list[tuple[float, float, bool]]) -> None:
    last: Parked | None = None
    at, tripped = NOW, 0
    for seconds, later, by_hand in asks:
        last, before = next_rest(last, trip(at, seconds, PERSON if by_hand else "fetch")), last
        tripped += not by_hand
        assert last.trips == tripped and last.end >= at + seconds
        length = last.end - last.since
        if by_hand or before is None:
            assert last.end == at + seconds
        else:
            base = 0.0 if before.by == PERSON else before.end - before.since
            least = min(LONGEST_AGAIN, max(SHORTEST_AGAIN, 2 * base))
            assert least - 1e-3 <= length <= max(least, seconds) + 1e-3
        at = max(last.end, at) + later


def test_a_success_ends_only_the_rest_it_was_a_probe_of(tmp_path: Path) -> None:
    first = park(tmp_path, trip(NOW, 10))
    second = park(tmp_path, trip(NOW + 10, 10))
    assert not forget(tmp_path, first) and present_rest(tmp_path) == second
    assert forget(tmp_path, second) and present_rest(tmp_path) is None
    assert not forget(tmp_path, second)
    assert park(tmp_path, trip(NOW + 99, 10)).trips == 1


@pytest.mark.parametrize("until", [nan, inf, 1e300])
def test_a_time_that_makes_no_sense_means_until_a_person_resumes(until: float, tmp_path: Path) -> None:
    assert park(tmp_path, rest(until)) == present_rest(tmp_path) == rest(None)


def test_a_person_resumes(tmp_path: Path) -> None:
    assert not resume(tmp_path)
    park(tmp_path, rest(None))
    assert resume(tmp_path)
    assert present_rest(tmp_path) is None


def test_a_reason_from_outside_is_cut_and_stays_readable(tmp_path: Path) -> None:
    park(tmp_path, rest(NOW + 10, "\U0001f4a5\ud800\0" * 10_000))
    assert len((present_rest(tmp_path) or pytest.fail()).why) == 1000


GOOD = {"until": NOW + 10, "since": NOW, "why": "429", "by": "fetch"}
NONSENSE = ["", "null", "{}", "[", json.dumps(GOOD | {"until": nan}), json.dumps(GOOD | {"until": "soon"})]
NONSENSE += [
    json.dumps(GOOD | {"until": -1}),
    json.dumps(GOOD | {"until": True}),
    json.dumps(GOOD | {"why": 1}),
    json.dumps(GOOD | {"trips": True}),
    json.dumps(GOOD | {"trips": 1.5}),
    json.dumps(GOOD | {"trips": -1}),
]
NONSENSE += [json.dumps({key: GOOD[key] for key in GOOD if key != missing}) for missing in GOOD]


@pytest.mark.parametrize("content", NONSENSE)
def test_nonsense_in_the_file_keeps_the_source_parked_until_a_person_resumes(content: str, tmp_path: Path) -> None:
    (tmp_path / "parked.json").write_text(content)
    with pytest.raises(LimitUnreadable, match=r"parked\.json.*rivus-limit reset"):
        present_rest(tmp_path)
    with pytest.raises(LimitUnreadable):
        park(tmp_path, rest(NOW))
    assert resume(tmp_path)
    assert present_rest(tmp_path) is None


def test_a_person_may_write_the_file_without_trips(tmp_path: Path) -> None:
    (tmp_path / "parked.json").write_text(json.dumps(GOOD))
    assert present_rest(tmp_path) == rest(NOW + 10)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_file_keeps_the_source_parked(make: object, tmp_path: Path) -> None:
    make(tmp_path / "parked.json")  # type: ignore[operator]
    with pytest.raises(LimitUnreadable):
        present_rest(tmp_path)
    assert resume(tmp_path)
    assert present_rest(tmp_path) is None


def test_a_crash_while_parking_leaves_the_old_rest_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(BaseException):
        pass

    def tap(call: str, *_: object) -> None:
        if call == calls[0]:
            raise Crash

    calls = [""]
    for calls[0] in ("create", "write", "fsync", "rename"):
        park(tmp_path, rest(NOW + 10))
        monkeypatch.setattr(atomic, "tap", tap)
        with pytest.raises(Crash):
            park(tmp_path, rest(NOW + 20))
        monkeypatch.setattr(atomic, "tap", None)
        assert present_rest(tmp_path) == rest(NOW + 10)
    park(tmp_path, rest(NOW + 20))
    assert present_rest(tmp_path) == rest(NOW + 20)


def test_processes_that_park_at_once_agree_on_the_longest(tmp_path: Path) -> None:
    script = """
import sys; from pathlib import Path; from rivus.limits.parked import Parked, park
for second in range(1 + int(sys.argv[2]), 100, 4):
    park(Path(sys.argv[1]), Parked(1.8e9 + second, 1.8e9, "429", "fetch"))
print("done", flush=True)
"""
    people = [Person(script, tmp_path, start) for start in range(4)]
    try:
        assert [person.hear() for person in people] == ["done"] * 4
    finally:
        for person in people:
            person.__exit__()
    assert present_rest(tmp_path) == rest(NOW + 99)
