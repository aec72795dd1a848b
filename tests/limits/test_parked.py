"""A source that must rest."""

from __future__ import annotations

import json
import os
from math import inf, nan
from pathlib import Path

import pytest

from rivus.limits.parked import Parked, park, parked, peek, resume
from rivus.limits.state import LimitUnreadable
from rivus.spool import atomic
from tests.limits.people import Person

NOW = 1_800_000_000.0


def rest(until: float | None, why: str = "429") -> Parked:
    return Parked(until, NOW, why, "fetch")


def test_a_parked_source_rests_until_its_time_is_over(tmp_path: Path) -> None:
    park(tmp_path, rest(NOW + 10))
    assert parked(tmp_path, NOW + 9.9) == rest(NOW + 10)
    assert parked(tmp_path, NOW + 10) is None
    assert list(tmp_path.glob("*.json")) == []


def test_peeking_removes_nothing(tmp_path: Path) -> None:
    park(tmp_path, rest(NOW + 10))
    assert peek(tmp_path, NOW + 10) is None and peek(tmp_path, NOW) == rest(NOW + 10)


def test_the_longest_rest_wins(tmp_path: Path) -> None:
    for until in (NOW + 10, NOW + 30, NOW + 20):
        park(tmp_path, rest(until))
    assert parked(tmp_path, NOW) == rest(NOW + 30)
    park(tmp_path, rest(None))
    park(tmp_path, rest(NOW + 99))
    assert parked(tmp_path, NOW * 1.5) == rest(None)


def test_a_rest_that_is_over_does_not_win(tmp_path: Path) -> None:
    park(tmp_path, rest(NOW + 10))
    park(tmp_path, rest(NOW + 20, "again"))
    assert parked(tmp_path, NOW + 15) == rest(NOW + 20, "again")


@pytest.mark.parametrize("until", [nan, inf, 1e300])
def test_a_time_that_makes_no_sense_means_until_a_person_resumes(until: float, tmp_path: Path) -> None:
    park(tmp_path, rest(until))
    assert parked(tmp_path, NOW) == rest(None)


def test_a_person_resumes(tmp_path: Path) -> None:
    assert not resume(tmp_path)
    park(tmp_path, rest(None))
    assert resume(tmp_path)
    assert parked(tmp_path, NOW) is None


def test_a_reason_from_outside_is_cut_and_stays_readable(tmp_path: Path) -> None:
    park(tmp_path, rest(NOW + 10, "\U0001f4a5\ud800\0" * 10_000))
    assert len((parked(tmp_path, NOW) or pytest.fail()).why) == 1000


GOOD = {"until": NOW + 10, "since": NOW, "why": "429", "by": "fetch"}
NONSENSE = ["", "null", "{}", "[", json.dumps(GOOD | {"until": nan}), json.dumps(GOOD | {"until": "soon"})]
NONSENSE += [
    json.dumps(GOOD | {"until": -1}),
    json.dumps(GOOD | {"until": True}),
    json.dumps(GOOD | {"why": 1}),
]
NONSENSE += [json.dumps({key: GOOD[key] for key in GOOD if key != missing}) for missing in GOOD]


@pytest.mark.parametrize("content", NONSENSE)
def test_nonsense_in_the_file_keeps_the_source_parked_until_a_person_resumes(
    content: str, tmp_path: Path
) -> None:
    (tmp_path / "parked.json").write_text(content)
    with pytest.raises(LimitUnreadable, match=r"parked\.json.*rivus-limit reset"):
        parked(tmp_path, NOW)
    with pytest.raises(LimitUnreadable):
        park(tmp_path, rest(NOW))
    assert resume(tmp_path)
    assert parked(tmp_path, NOW) is None


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_file_keeps_the_source_parked(make: object, tmp_path: Path) -> None:
    make(tmp_path / "parked.json")  # type: ignore[operator]
    with pytest.raises(LimitUnreadable):
        parked(tmp_path, NOW)
    assert resume(tmp_path)
    assert parked(tmp_path, NOW) is None


def test_a_crash_while_parking_leaves_the_old_rest_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        assert parked(tmp_path, NOW) == rest(NOW + 10)
    park(tmp_path, rest(NOW + 20))
    assert parked(tmp_path, NOW) == rest(NOW + 20)


def test_processes_that_park_at_once_agree_on_the_longest(tmp_path: Path) -> None:
    script = """
import sys; from pathlib import Path; from rivus.limits.parked import Parked, park
for second in range(int(sys.argv[2]), 100, 4):
    park(Path(sys.argv[1]), Parked(1.8e9 + second, 1.8e9, "429", "fetch"))
print("done", flush=True)
"""
    people = [Person(script, tmp_path, start) for start in range(4)]
    try:
        assert [person.hear() for person in people] == ["done"] * 4
    finally:
        for person in people:
            person.__exit__()
    assert parked(tmp_path, NOW) == rest(NOW + 99)
