"""The limits as the rest of the program sees them: a permit, or when to come again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rivus.errors import BadConfig, TryAgain
from rivus.limits import Limits, LimitUnreadable, Permit, Postponed, state
from rivus.limits.bucket import Bucket
from rivus.locks import is_held, queue
from rivus.model.quantity import Rate
from tests.limits.people import Person, deadline, until


@dataclass(frozen=True)
class Limit:
    slots: int | None = None
    rate: Rate | None = None
    burst: int = 1


HOUR = 3600.0


def never() -> bool:
    return False


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    definitions = {
        "one": Limit(slots=1),
        "two": Limit(slots=2),
        "slow": Limit(slots=1, rate=Rate(1, HOUR), burst=2),
        "quick": Limit(slots=1, rate=Rate(2, 1.0), burst=1),
        "rate_only": Limit(rate=Rate(1, HOUR), burst=3),
        "open": Limit(),
        "shut": Limit(slots=0),
        "dry": Limit(rate=Rate(1, 1.0), burst=0),
        "../up": Limit(slots=1),
    }
    return Limits(tmp_path / "_limits", definitions)


def permit(limits: Limits, name: str | None, patience: float = 0.0) -> Permit:
    answer = limits.acquire(name, stop=deadline(), patience=patience)
    assert isinstance(answer, Permit), answer
    return answer


def refusal(
    limits: Limits, name: str, stop: Callable[[], bool] = never, patience: float = 0.0
) -> tuple[float | None, str]:
    answer = limits.acquire(name, stop=stop, patience=patience)
    assert isinstance(answer, Postponed)
    return answer.until, answer.why


def test_no_limit_gives_a_permit_that_holds_nothing_and_makes_nothing(limits: Limits, tmp_path: Path) -> None:
    with permit(limits, None) as free:
        assert free.fds == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["youtub", "", "../up", "two/../two", "_two", "Two", "shut", "dry"])
def test_a_limit_that_is_unknown_or_can_never_let_anything_run_is_an_error(name: str, limits: Limits) -> None:
    for call in (
        lambda: limits.acquire(name, stop=never, patience=0),
        lambda: limits.park(name, None, "", "", 0),
        lambda: limits.parked(name, 0),
        lambda: limits.resume(name),
        lambda: limits.reset(name),
        lambda: limits.status(name),
    ):
        with pytest.raises(BadConfig):
            call()


def test_a_limit_of_nothing_lets_everything_run(limits: Limits) -> None:
    assert permit(limits, "open").fds == ()


def test_a_permit_has_a_slot_until_it_is_released(limits: Limits) -> None:
    first, second = permit(limits, "two"), permit(limits, "two")
    assert limits.status("two").held == {"slot.0": [os.getpid()], "slot.1": [os.getpid()]}
    assert refusal(limits, "two", stop=deadline(0.01))[1] == "stopping"
    for _ in range(2):
        first.release()
    assert first.fds == ()
    with permit(limits, "two"):
        assert len(limits.status("two").held) == 2
    second.release()
    assert limits.status("two").held == {}


def test_a_slot_is_handed_to_who_waits_in_another_process(limits: Limits, tmp_path: Path) -> None:
    script = """
import sys; from pathlib import Path; from rivus.limits import Limits
from types import SimpleNamespace as Limit
limits = Limits(Path(sys.argv[1]), {"two": Limit(slots=2, rate=None, burst=1)})
with limits.acquire("two", stop=lambda: False, patience=0) as permit:
    print("in", flush=True); sys.stdin.readline()
"""
    mine = [permit(limits, "two") for _ in range(2)]
    with Person(script, tmp_path / "_limits") as other:
        until(lambda: is_held(tmp_path / "_limits" / "two" / "turn"))
        mine[0].release()
        assert other.hear() == "in"
        assert sorted(limits.status("two").held.values()) == sorted([[other.pid], [os.getpid()]])
    mine[1].release()


def test_a_child_that_inherits_the_permit_keeps_the_slot_when_its_parent_is_killed(
    limits: Limits, tmp_path: Path
) -> None:
    child = "import sys; print('up', flush=True); sys.stdin.readline()"
    parent = f"""
import subprocess, sys; from pathlib import Path; from rivus.limits import Limits
from types import SimpleNamespace as Limit
limits = Limits(Path(sys.argv[1]), {{"one": Limit(slots=1, rate=None, burst=1)}})
permit = limits.acquire("one", stop=lambda: False, patience=0)
subprocess.Popen([sys.executable, "-c", {child!r}], pass_fds=permit.fds)
sys.stdin.readline()
"""
    with Person(parent, tmp_path / "_limits") as person:
        assert person.hear() == "up"
        person.kill()
        person.wait()
        assert refusal(limits, "one", stop=deadline(0.01))[1] == "stopping"
        person.hang_up()
        permit(limits, "one").release()


def test_without_a_token_in_time_the_slot_is_free_and_the_time_is_known(limits: Limits) -> None:
    for _ in range(2):
        permit(limits, "slow").release()
    end, why = refusal(limits, "slow", patience=60)
    assert end is not None and 3590 < end - time.time() <= 3600
    assert why.startswith("no token before 20")
    assert limits.status("slow").held == {}


def test_a_token_that_comes_in_time_is_waited_for_without_a_slot(limits: Limits) -> None:
    permit(limits, "quick").release()
    seen: list[dict[str, list[int]]] = []

    def look() -> bool:
        seen.append(limits.status("quick").held)
        return False

    answer = limits.acquire("quick", stop=look, patience=5)
    assert isinstance(answer, Permit)
    assert seen and seen[-1] == {}
    answer.release()


def test_patience_is_for_all_waits_together(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def always_taken_by_somebody_else(_: Bucket) -> float:
        waits.append(0.01)
        return 0.01

    monkeypatch.setattr(Bucket, "take", always_taken_by_somebody_else)
    assert refusal(limits, "quick", patience=0.035)[1].startswith("no token")
    assert len(waits) == 4


def test_stop_ends_the_wait_for_a_token(limits: Limits) -> None:
    for _ in range(2):
        permit(limits, "slow").release()
    assert refusal(limits, "slow", stop=deadline(0.01), patience=2 * HOUR)[1] == "stopping"


def test_an_unused_permit_gives_its_token_back(limits: Limits) -> None:
    permit(limits, "rate_only").release()
    permit(limits, "rate_only").release(unused=True)
    assert limits.status("rate_only").tokens == pytest.approx(2, abs=0.01)
    used = permit(limits, "rate_only")
    used.release()
    used.release(unused=True)
    assert limits.status("rate_only").tokens == pytest.approx(1, abs=0.01)


def test_a_parked_source_postpones_and_takes_neither_slot_nor_token(limits: Limits) -> None:
    end = time.time() + HOUR
    limits.park("slow", end, "429 from the site", "fetch", time.time())
    assert refusal(limits, "slow") == (end, "the source rests: 429 from the site")
    status = limits.status("slow")
    assert status.tokens == 2.0 and status.held == {} and status.parked == limits.parked("slow", time.time())
    limits.park("slow", None, "for good", "person", time.time())
    assert refusal(limits, "slow")[0] is None
    assert limits.resume("slow")
    permit(limits, "slow").release()


def test_a_source_parked_while_somebody_waits_in_line_is_seen(limits: Limits, tmp_path: Path) -> None:
    mine, answers = permit(limits, "slow"), []
    waiter = threading.Thread(
        target=lambda: answers.append(limits.acquire("slow", stop=deadline(), patience=0)), daemon=True
    )
    waiter.start()
    until(lambda: is_held(tmp_path / "_limits" / "slow" / "turn"))
    limits.park("slow", None, "login page", "fetch", time.time())
    mine.release()
    waiter.join(20)
    assert answers == [Postponed(None, "the source rests: login page")]
    assert limits.status("slow").held == {}


@pytest.mark.parametrize("file", ["bucket.json", "parked.json"])
def test_an_unreadable_file_stops_work_until_a_person_resets(
    file: str, limits: Limits, tmp_path: Path
) -> None:
    permit(limits, "slow").release()
    (tmp_path / "_limits" / "slow" / file).write_text("rubbish")
    with pytest.raises(LimitUnreadable, match=rf"{file}.*rivus-limit reset slow"):
        limits.acquire("slow", stop=never, patience=0)
    status = limits.status("slow")
    assert status.held == {} and len(status.broken) == 1 and file in status.broken[0]
    limits.reset("slow")
    assert limits.status("slow").broken == ()
    assert refusal(limits, "slow")[1].startswith("no token")


def test_a_reset_keeps_a_parking_that_can_be_read(limits: Limits) -> None:
    limits.park("slow", None, "why", "who", time.time())
    limits.reset("slow")
    assert limits.parked("slow", time.time()) is not None


def test_looking_at_a_limit_makes_no_files(limits: Limits, tmp_path: Path) -> None:
    status = limits.status("slow")
    assert (status.slots, status.tokens, status.held, status.parked, status.broken) == (1, 2.0, {}, None, ())
    assert limits.status("two").tokens is None
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_process_in_the_way_is_named_instead_of_waited_for(
    limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    permit(limits, "rate_only").release()
    monkeypatch.setattr(state, "_LONGEST_HOLD", 0.05)
    with queue(tmp_path / "_limits" / "rate_only" / "state.lock", never) or pytest.fail():
        with pytest.raises(TryAgain, match=str(os.getpid())):
            limits.acquire("rate_only", stop=never, patience=0)
        assert "state.lock" in limits.status("rate_only").broken[0]


def test_an_error_while_taking_a_token_frees_the_slot(limits: Limits, tmp_path: Path) -> None:
    permit(limits, "slow").release()
    (tmp_path / "_limits" / "slow" / "bucket.json").write_text("rubbish")
    with pytest.raises(LimitUnreadable):
        limits.acquire("slow", stop=never, patience=0)
    assert limits.status("slow").held == {}
