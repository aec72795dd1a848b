"""How many in how long: the arithmetic, the file, and 32 processes at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivus.limits.bucket import TOKEN, Bucket, Level, refilled, seconds_until, since_boot
from rivus.limits.state import LimitUnreadable
from rivus.model.quantity import Rate
from rivus.spool import atomic
from tests.limits.people import Person

SECOND = 1_000_000_000
ONE_A_SECOND = Rate(1, 1.0)
HAMMER = """
import sys, time; from pathlib import Path; from rivus.limits.bucket import Bucket, since_boot
from rivus.model.quantity import Rate
bucket = Bucket(Path(sys.argv[1]), Rate(float(sys.argv[2]), 1.0), int(sys.argv[3]))
print("up", flush=True)
end, taken = int(sys.stdin.readline()), 0
while since_boot() < end:
    wait = bucket.take()
    if wait == 0.0:
        taken += 1
        if len(sys.argv) > 4: print("x", flush=True)
    else:
        time.sleep(min(wait, 0.01))
print(taken, flush=True)
"""


class Clock:
    """A clock and a boot that tests set."""

    def __init__(self) -> None:
        self.now, self.boot = 1000 * SECOND, "first"

    def bucket(self, folder: Path, rate: Rate = ONE_A_SECOND, burst: int = 3) -> Bucket:
        return Bucket(folder, rate, burst, clock=lambda: self.now, boot=lambda: self.boot)

    def forward(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def takes(bucket: Bucket) -> int:
    """How many tokens can be taken right now."""
    count = 0
    while bucket.take() == 0.0:
        count += 1
    return count


def test_a_new_bucket_is_full_and_then_fills_at_its_rate(tmp_path: Path, clock: Clock) -> None:
    bucket = clock.bucket(tmp_path)
    assert takes(bucket) == 3
    assert bucket.take() == 1.0
    clock.forward(0.75)
    assert bucket.take() == 0.25
    clock.forward(0.25)
    assert takes(bucket) == 1
    clock.forward(1000)
    assert takes(bucket) == 3


def test_looking_takes_nothing(tmp_path: Path, clock: Clock) -> None:
    bucket = clock.bucket(tmp_path)
    assert bucket.tokens() == 3.0 and not (tmp_path / "bucket.json").exists()
    bucket.take()
    clock.forward(0.5)
    assert [bucket.tokens(), bucket.tokens()] == [2.5, 2.5]


def test_a_token_given_back_is_there_again_but_never_above_the_burst(tmp_path: Path, clock: Clock) -> None:
    bucket = clock.bucket(tmp_path)
    assert takes(bucket) == 3
    bucket.give_back()
    assert takes(bucket) == 1
    clock.forward(2.5)
    bucket.give_back()
    assert bucket.tokens() == 3.0


def test_a_token_of_another_boot_cannot_be_given_back(tmp_path: Path, clock: Clock) -> None:
    bucket = clock.bucket(tmp_path)
    bucket.take()
    clock.boot = "second"
    bucket.give_back()
    assert takes(bucket) == 0


def test_after_another_boot_the_bucket_is_empty_and_fills_from_then(tmp_path: Path, clock: Clock) -> None:
    bucket = clock.bucket(tmp_path)
    bucket.take()
    clock.boot, clock.now = "second", 5 * SECOND
    assert bucket.take() == 1.0
    clock.forward(1)
    assert takes(bucket) == 1


def test_a_clock_that_goes_back_gives_nothing_and_neither_does_its_return(
    tmp_path: Path, clock: Clock
) -> None:
    bucket = clock.bucket(tmp_path)
    assert takes(bucket) == 3
    for _ in range(3):
        clock.forward(-100)
        assert bucket.take() == 101.0
        clock.forward(100)
        assert bucket.take() == 1.0
    clock.forward(1)
    assert takes(bucket) == 1


def test_a_changed_rate_counts_and_a_smaller_burst_caps_what_is_stored(tmp_path: Path, clock: Clock) -> None:
    assert clock.bucket(tmp_path, burst=10).take() == 0.0
    assert clock.bucket(tmp_path, burst=2).tokens() == 2.0
    assert takes(clock.bucket(tmp_path, burst=2)) == 2
    clock.forward(1)
    assert takes(clock.bucket(tmp_path, Rate(5, 1.0), burst=10)) == 5


def test_the_record_keeps_its_length_and_its_inode(tmp_path: Path, clock: Clock) -> None:
    bucket = clock.bucket(tmp_path)
    bucket.take()
    before = (tmp_path / "bucket.json").stat()
    clock.forward(1e6)
    bucket.take()
    after = (tmp_path / "bucket.json").stat()
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size) == (before.st_ino, 256)


def test_a_record_that_a_person_edited_is_understood(tmp_path: Path, clock: Clock) -> None:
    bucket = clock.bucket(tmp_path)
    bucket.take()
    file = tmp_path / "bucket.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"nanotokens": TOKEN}, indent=200))
    assert takes(bucket) == 1
    assert file.stat().st_size == 256


GOOD = {"boot": "first", "at": 1000 * SECOND, "nanotokens": 2 * TOKEN}
NONSENSE = {
    "empty": "",
    "zeros": "\0" * 256,
    "cut short": json.dumps(GOOD)[:30],
    "no JSON": "hello",
    "no object": "[1]",
    "no UTF-8": "\udcff",
    "too deep": "[" * 16_000,
    "a huge number": '{"boot": "first", "at": 1, "nanotokens": ' + "9" * 5000 + "}",
    "nothing in it": "{}",
    "no boot": json.dumps({key: GOOD[key] for key in ("at", "nanotokens")}),
    "negative": json.dumps(GOOD | {"nanotokens": -1}),
    "not a number": json.dumps(GOOD | {"nanotokens": float("nan")}),
    "infinite": json.dumps(GOOD | {"nanotokens": float("inf")}),
    "a fraction": json.dumps(GOOD | {"nanotokens": 1.5}),
    "a text": json.dumps(GOOD | {"nanotokens": "5"}),
    "a truth": json.dumps(GOOD | {"at": True}),
    "a negative time": json.dumps(GOOD | {"at": -1}),
    "the future": json.dumps(GOOD | {"at": 1000 * SECOND + 3601 * SECOND}),
    "a boot that is no text": json.dumps(GOOD | {"boot": None}),
}


@pytest.mark.parametrize("content", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_in_the_file_keeps_the_limit_closed(content: str, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "bucket.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert_closed(clock.bucket(tmp_path), tmp_path)


@pytest.mark.parametrize("kind", ["directory", "fifo", "link", "dangling link"])
def test_what_is_no_file_keeps_the_limit_closed(kind: str, tmp_path: Path, clock: Clock) -> None:
    path, other = tmp_path / "bucket.json", tmp_path / "other.json"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(other)
        if kind == "link":
            other.write_text(json.dumps(GOOD))
    assert_closed(clock.bucket(tmp_path), tmp_path)


def assert_closed(bucket: Bucket, folder: Path) -> None:
    for call in (bucket.take, bucket.give_back, bucket.tokens):
        with pytest.raises(LimitUnreadable) as error:
            call()
        assert str(folder / "bucket.json") in str(error.value)
        assert f"rivus-limit reset {folder.name}" in str(error.value)
        assert len(str(error.value)) < 500
    bucket.reset()
    assert bucket.take() == 1.0, "a reset leaves an empty bucket"
    assert len(list(folder.glob(".bucket.json.*"))) == 1, "what was there is kept"


class Crash(BaseException):
    pass


def crashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One turn for each call that changes a file, in which that call is never made, and a last one without a crash."""
    calls = 10
    for last in range(calls):
        made = 0

        def tap(*_: object, last: int = last) -> None:
            nonlocal made
            made += 1
            if made > last:
                raise Crash

        monkeypatch.setattr(atomic, "tap", tap)
        yield
        monkeypatch.setattr(atomic, "tap", None)
        if made <= last:
            return
    raise AssertionError("more calls than expected")


@pytest.mark.parametrize("used_before", [False, True])
def test_a_crash_at_any_call_loses_at_most_the_token(
    used_before: bool, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = 0
    for turn, _ in enumerate(crashes(monkeypatch)):
        (folder := tmp_path / str(turn)).mkdir()
        bucket = clock.bucket(folder)
        if used_before:
            tap, atomic.tap = atomic.tap, None
            bucket.take()
            atomic.tap = tap
        try:
            got = bucket.take() == 0.0
        except Crash:
            got = False
        atomic.tap = None
        left = takes(bucket)
        assert 2 <= used_before + got + left <= 3
    assert turn == (1 if used_before else 5)


def test_32_processes_take_exactly_what_the_rate_allows(tmp_path: Path) -> None:
    rate, burst, seconds = 200.0, 1000, 1.5
    bucket = Bucket(tmp_path, Rate(rate, 1.0), burst)
    people = [Person(HAMMER, tmp_path, rate, burst) for _ in range(32)]
    try:
        assert {person.hear() for person in people} == {"up"}
        before = since_boot()
        assert bucket.take() == 0.0
        after = since_boot()
        taken = 1 + takes(bucket)
        for person in people:
            person.say(str(since_boot() + int(seconds * SECOND)))
        taken += sum(int(person.hear()) for person in people)
    finally:
        for person in people:
            person.__exit__()
    shortest = (since_boot() - after) / SECOND
    left = bucket.tokens()
    longest = (since_boot() - before) / SECOND
    assert left < burst, "a bucket that ran over would prove nothing"
    assert burst + rate * shortest - 1 <= taken + left <= burst + rate * longest


def test_processes_killed_at_any_moment_neither_break_the_bucket_nor_get_more(tmp_path: Path) -> None:
    rate, burst = 2000.0, 50
    people = [Person(HAMMER, tmp_path, rate, burst, "aloud") for _ in range(8)]
    try:
        assert {person.hear() for person in people} == {"up"}
        began = since_boot()
        for person in people:
            person.say(str(began + 60 * SECOND))
        for person in people:
            for _ in range(20):
                assert person.hear() == "x"
            person.kill()
        taken = 20 * len(people) + sum(person.rest().count("x") for person in people)
        elapsed = (since_boot() - began) / SECOND
    finally:
        for person in people:
            person.__exit__()
    assert taken <= burst + rate * elapsed
    assert Bucket(tmp_path, Rate(rate, 1.0), burst).tokens() >= 0


rates = st.builds(Rate, st.floats(0.01, 1e5), st.sampled_from([0.001, 1.0, 3.0, 60.0, 3600.0, 86400.0]))
steps = st.lists(st.integers(-SECOND, 100 * SECOND), max_size=60)


@settings(deadline=None)
@given(rate=rates, burst=st.integers(1, 50), steps=steps)
def test_never_more_than_burst_and_rate_allow_and_at_most_one_less(
    rate: Rate, burst: int, steps: list[int]
) -> None:
    per_ns = Fraction(rate.count) / Fraction(rate.seconds) / SECOND
    level, now, latest, taken = Level("b", 0, burst * TOKEN), 0, 0, 0
    owed = Fraction(burst)
    for step in steps:
        now = max(0, now + step)
        owed = min(Fraction(burst), owed + max(0, now - latest) * per_ns)
        latest = max(latest, now)
        level = refilled(level, now, rate, burst * TOKEN)
        while level.nanotokens >= TOKEN:
            level, taken, owed = Level("b", level.at, level.nanotokens - TOKEN), taken + 1, owed - 1
        assert taken <= burst + latest * per_ns
        assert owed >= 0, "more was taken than an exact bucket gives"
        assert owed < 1 + Fraction(len(steps), TOKEN), "less was taken than an exact bucket gives"


@settings(deadline=None)
@given(rate=rates, have=st.integers(0, TOKEN - 1))
def test_after_the_seconds_it_says_there_is_a_token_and_not_before(rate: Rate, have: int) -> None:
    level = Level("b", 0, have)
    wait = seconds_until(level, 0, rate)
    assert wait > 0
    nanoseconds = round(wait * SECOND)
    slack = 1 + nanoseconds // 10**12
    assert refilled(level, nanoseconds + slack, rate, 10 * TOKEN).nanotokens >= TOKEN
    assert refilled(level, max(0, nanoseconds - slack), rate, 10 * TOKEN).nanotokens < TOKEN


def test_the_clock_is_the_one_that_counts_through_a_suspend() -> None:
    assert abs(since_boot() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < SECOND
