"""A source whose rest is over: one probe at a time, until one ends well."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from rivus.limits import PROBED_AGAIN, Limits, LimitUnreadable, Permit, Postponed
from rivus.limits import probe as probing
from rivus.limits.parked import Parked
from rivus.limits.probe import Probe, take
from rivus.locks import is_held
from rivus.model.quantity import Rate
from tests.limits.people import Person, deadline, until

# Says `in` and what kind of permit it has, or `later`; then does what the next line says, and tries again.
WORKER = """
import sys, time; from pathlib import Path; from rivus.limits import Limits, Permit
from types import SimpleNamespace as Limit
limits = Limits(Path(sys.argv[1]), {"site": Limit(slots=8, rate=None, burst=1)})
for line in sys.stdin:
    answer = limits.acquire("site", stop=lambda: False, patience=0)
    if isinstance(answer, Permit):
        print("probe" if answer.probe else "free", flush=True)
        word = sys.stdin.readline().strip()
        if word == "good":
            answer.succeeded()
        if word == "bad":
            limits.park("site", time.time() + 1, "429", "fetch", time.time())
        answer.release()
        print("out", flush=True)
    else:
        print("later", answer.until - time.time() > 20, flush=True)
"""


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    definitions = {
        "site": SimpleNamespace(slots=8, rate=None, burst=1),
        "one": SimpleNamespace(slots=1, rate=None, burst=1),
        "slow": SimpleNamespace(slots=1, rate=Rate(1, 3600.0), burst=1),
    }
    return Limits(tmp_path / "_limits", definitions)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[Person]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Person(WORKER, tmp_path / "_limits")) for _ in range(8)]


def ask(limits: Limits, name: str = "site") -> Permit | Postponed:
    return limits.acquire(name, stop=deadline(), patience=0)


def probe(limits: Limits, name: str = "site") -> Permit:
    answer = ask(limits, name)
    assert isinstance(answer, Permit) and answer.probe, answer
    return answer


def rested(limits: Limits, name: str = "site", by: str = "fetch") -> None:
    """The source had to rest for 100 seconds, which are over."""
    now = time.time()
    limits.park(name, now - 5, "429", by, now - 105)


def asked(workers: list[Person]) -> list[str]:
    """All ask at once; what they hear."""
    for worker in workers:
        worker.say()
    return [worker.hear() for worker in workers]


def end_the_rest(file: Path) -> None:
    """As if its time were over."""
    rest = json.loads(file.read_text())
    assert rest["until"] - rest["since"] == pytest.approx(200) and rest["trips"] == 2
    file.write_text(json.dumps(rest | {"until": time.time() - 1}))


def test_after_a_rest_one_permit_is_the_probe_and_the_others_come_again_soon(limits: Limits) -> None:
    rested(limits)
    with probe(limits):
        answer = ask(limits)
        assert isinstance(answer, Postponed) and answer.why == "a probe is under way after a rest: 429"
        assert answer.until is not None and abs(answer.until - time.time() - PROBED_AGAIN) < 5
        status = limits.status("site")
        assert (status.parked, status.probers, status.trips) == (None, (os.getpid(),), 1)
        assert status.half_open is not None and status.half_open.why == "429"
        assert len(status.held) == 1


def test_a_probe_that_succeeds_opens_the_source_for_all(limits: Limits, tmp_path: Path) -> None:
    rested(limits)
    with probe(limits) as permit:
        assert permit.succeeded() and not permit.succeeded()
        free = ask(limits)
        assert isinstance(free, Permit) and not free.probe and not free.succeeded()
        free.release()
    assert not (tmp_path / "_limits" / "site" / "parked.json").exists()
    assert limits.status("site").half_open is None


def test_a_probe_that_neither_succeeds_nor_parks_leaves_it_to_the_next(limits: Limits) -> None:
    rested(limits)
    for _ in range(3):
        probe(limits).release()
    assert limits.status("site").trips == 1


def test_a_probe_that_fails_parks_for_twice_as_long(limits: Limits) -> None:
    rested(limits)
    with probe(limits):
        now = time.time()
        rest = limits.park("site", now + 1, "429", "fetch", now)
    assert rest.trips == 2 and rest.end == pytest.approx(now + 200)
    assert ask(limits) == Postponed(rest.until, "the source rests: 429")
    assert limits.parked("site", now) == rest


def test_a_success_after_the_source_was_parked_again_changes_nothing(limits: Limits) -> None:
    rested(limits)
    with probe(limits) as permit:
        limits.park("site", None, "maintenance", "person", time.time())
        assert not permit.succeeded()
    assert ask(limits) == Postponed(None, "the source rests: maintenance")


def test_a_permit_from_before_the_rest_cannot_open_the_source(limits: Limits) -> None:
    early = ask(limits)
    assert isinstance(early, Permit)
    rested(limits)
    assert not early.succeeded()
    early.release()
    probe(limits).release()


def test_a_rest_of_a_person_ends_with_a_probe_too(limits: Limits) -> None:
    rested(limits, by="person")
    with probe(limits) as permit:
        assert limits.status("site").trips == 0
        permit.succeeded()


def test_resuming_opens_the_source_while_a_probe_is_under_way(limits: Limits) -> None:
    rested(limits)
    with probe(limits) as permit:
        assert limits.resume("site")
        free = ask(limits)
        assert isinstance(free, Permit) and not free.probe
        free.release()
        assert not permit.succeeded()
    assert limits.park("site", time.time() + 9, "429", "fetch", time.time()).trips == 1


def test_a_probe_without_a_token_lets_go_of_everything(limits: Limits) -> None:
    free = ask(limits, "slow")
    assert isinstance(free, Permit)
    free.release()
    rested(limits, "slow")
    answer = ask(limits, "slow")
    assert isinstance(answer, Postponed) and answer.why.startswith("no token")
    status = limits.status("slow")
    assert (status.held, status.probers) == ({}, ())


def test_who_stands_in_line_while_the_source_trips_and_rests_becomes_the_probe(limits: Limits, tmp_path: Path) -> None:
    first, answers = ask(limits, "one"), []
    assert isinstance(first, Permit)
    waiter = threading.Thread(target=lambda: answers.append(ask(limits, "one")), daemon=True)
    waiter.start()
    until(lambda: is_held(tmp_path / "_limits" / "one" / "turn"))
    rested(limits, "one")
    first.release()
    waiter.join(20)
    (answer,) = answers
    assert isinstance(answer, Permit) and answer.probe
    answer.release()


def test_a_file_that_becomes_unreadable_frees_the_probe(
    limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested(limits)

    def spoiled(folder: Path, rest: Parked) -> Probe | None:
        (folder / "parked.json").write_text("rubbish")
        return take(folder, rest)

    monkeypatch.setattr(probing, "take", spoiled)
    with pytest.raises(LimitUnreadable):
        ask(limits)
    assert limits.status("site").probers == ()


def test_a_probe_whose_end_comes_between_look_and_lock_is_not_waited_for(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested(limits)

    def beaten(folder: Path, rest: Parked) -> None:
        limits.resume("site")

    monkeypatch.setattr(probing, "take", beaten)
    answer = ask(limits)
    assert isinstance(answer, Permit) and not answer.probe
    answer.release()


def test_of_eight_processes_one_at_a_time_gets_through_until_one_succeeds(
    limits: Limits, workers: list[Person], tmp_path: Path
) -> None:
    rested(limits)
    for word in ("neither", "bad", "good"):
        answers = asked(workers)
        assert sorted(answers) == ["later True"] * 7 + ["probe"]
        prober = workers[answers.index("probe")]
        assert limits.status("site").probers == (prober.pid,)
        prober.say(word)
        assert prober.hear() == "out"
        if word == "bad":
            assert asked(workers) == ["later True"] * 8
            end_the_rest(tmp_path / "_limits" / "site" / "parked.json")
    assert asked(workers) == ["free"] * 8


def test_when_the_prober_is_killed_another_takes_over(limits: Limits, workers: list[Person]) -> None:
    rested(limits)
    left = list(workers)
    for _ in range(3):
        answers = asked(left)
        assert answers.count("probe") == 1
        prober = left.pop(answers.index("probe"))
        prober.kill()
        prober.wait()
    assert limits.status("site").trips == 1


def test_a_child_of_a_killed_prober_is_the_probe_until_it_ends(limits: Limits, tmp_path: Path) -> None:
    child = "import sys; print('up', flush=True); sys.stdin.readline()"
    parent = f"""
import subprocess, sys; from pathlib import Path; from rivus.limits import Limits
from types import SimpleNamespace as Limit
limits = Limits(Path(sys.argv[1]), {{"site": Limit(slots=8, rate=None, burst=1)}})
permit = limits.acquire("site", stop=lambda: False, patience=0)
subprocess.Popen([sys.executable, "-c", {child!r}], pass_fds=permit.fds)
sys.stdin.readline()
"""
    rested(limits)
    with Person(parent, tmp_path / "_limits") as person:
        assert person.hear() == "up"
        person.kill()
        person.wait()
        assert isinstance(ask(limits), Postponed)
        person.hang_up()
        until(lambda: not probing.probers(tmp_path / "_limits" / "site"))
        probe(limits).release()


def test_processes_that_fail_at_once_after_a_rest_are_one_trip(limits: Limits, tmp_path: Path) -> None:
    rested(limits)
    script = """
import sys, time; from pathlib import Path; from rivus.limits.parked import Parked, park
now = time.time()
print(park(Path(sys.argv[1]), Parked(now, now, "429", "fetch")).trips, flush=True)
"""
    with ExitStack() as stack:
        people = [stack.enter_context(Person(script, tmp_path / "_limits" / "site")) for _ in range(8)]
        assert [person.hear() for person in people] == ["2"] * 8
    assert limits.status("site").trips == 2
