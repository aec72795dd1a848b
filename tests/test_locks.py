"""Locks on files, between real processes."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest

from rivus import locks
from tests.limits.people import Person, deadline, until, waiting

HOLD = """
import sys; from pathlib import Path; from rivus import locks
held = locks.{call}
print("held" if held else "no", flush=True)
sys.stdin.readline()
if held: held.release()
print("released", flush=True)
sys.stdin.readline()
"""
TRY = HOLD.format(call="try_lock(Path(sys.argv[1]))")
QUEUE = HOLD.format(call="queue(Path(sys.argv[1]), lambda: False)")
KEEP = "import sys; print('up', flush=True); sys.stdin.readline()"


def never() -> bool:
    return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.lock"


def test_one_process_gets_the_lock_and_the_next_only_after_its_release(path: Path) -> None:
    with Person(TRY, path) as other:
        assert other.hear() == "held"
        assert locks.try_lock(path) is None and locks.is_held(path)
        other.say()
        assert other.hear() == "released"
        held = locks.try_lock(path)
        assert held is not None
        held.release()
    assert not locks.is_held(path)


def test_the_lock_holds_within_one_process_too(path: Path) -> None:
    with locks.try_lock(path) or pytest.fail():
        assert locks.try_lock(path) is None
        assert locks.queue(path, deadline(0)) is None
    with locks.queue(path, never) or pytest.fail():
        assert locks.try_lock(path) is None


def test_a_second_release_does_nothing_to_the_next_holder(path: Path) -> None:
    first = locks.try_lock(path) or pytest.fail()
    first.release()
    with locks.try_lock(path) or pytest.fail():
        first.release()
        assert locks.is_held(path)


def test_kill_9_frees_the_lock(path: Path) -> None:
    with Person(TRY, path) as other:
        assert other.hear() == "held"
        other.kill()
        with locks.lock(path, deadline(), poll=0.001) or pytest.fail():
            assert locks.holders(path) == [os.getpid()]


def test_waiting_ends_when_stop_turns_true_and_leaves_no_lock_behind(path: Path) -> None:
    with Person(TRY, path) as other:
        assert other.hear() == "held"
        assert locks.lock(path, deadline(0.02), poll=0.005) is None
        assert locks.queue(path, deadline(0.02)) is None
        other.say()
        assert other.hear() == "released"
        # The place that was given up may still pass through the line once.
        until(lambda: not locks.is_held(path))
        until(lambda: not any(thread.name == "rivus-queue" for thread in threading.enumerate()))
        assert not locks.is_held(path)


def test_an_error_in_stop_gives_the_place_in_line_up(path: Path) -> None:
    with locks.try_lock(path) or pytest.fail(), pytest.raises(ZeroDivisionError):
        locks.queue(path, lambda: bool(1 / 0))
    until(lambda: not locks.is_held(path))


def test_the_queue_is_first_come_first_served_across_processes(path: Path) -> None:
    held = locks.try_lock(path) or pytest.fail()
    people: list[Person] = []
    try:
        for number in range(6):
            people.append(Person(QUEUE, path))
            until(partial(waiting, path, number + 1))
        held.release()
        for person in people:
            assert person.hear() == "held"
            assert locks.holders(path) == [person.pid]
            person.say()
            assert person.hear() == "released"
    finally:
        for person in people:
            person.__exit__()


def test_who_is_killed_in_line_is_passed_over(path: Path) -> None:
    held = locks.try_lock(path) or pytest.fail()
    with Person(QUEUE, path) as first:
        until(partial(waiting, path, 1))
        with Person(QUEUE, path) as second:
            until(partial(waiting, path, 2))
            first.kill()
            until(partial(waiting, path, 1))
            held.release()
            assert second.hear() == "held"


def test_a_child_that_inherits_the_descriptor_keeps_the_lock_when_its_parent_is_killed(path: Path) -> None:
    parent = f"""
import subprocess, sys; from pathlib import Path; from rivus import locks
held = locks.try_lock(Path(sys.argv[1]))
child = subprocess.Popen([sys.executable, "-c", {KEEP!r}], pass_fds=[held.fd])
sys.stdin.readline()
"""
    with Person(parent, path) as person:
        assert person.hear() == "up"
        person.kill()
        person.wait()
        assert locks.is_held(path)
        person.hang_up()
        until(lambda: not locks.is_held(path))


def test_a_child_inherits_nothing_unless_it_is_asked_to(path: Path) -> None:
    with locks.try_lock(path) or pytest.fail() as held, Person(KEEP) as child:
        assert child.hear() == "up"
        assert not os.get_inheritable(held.fd)
        held.release()
        assert not locks.is_held(path)


def test_release_frees_the_lock_for_a_child_as_well(path: Path) -> None:
    held = locks.try_lock(path) or pytest.fail()
    with Person(KEEP, pass_fds=(held.fd,)) as child:
        assert child.hear() == "up"
        held.release()
        assert not locks.is_held(path)


def test_looking_makes_no_file_and_changes_none(path: Path) -> None:
    assert not locks.is_held(path) and locks.holders(path) == []
    assert not path.exists()
    path.write_text("kept")
    assert not locks.is_held(path) and locks.holders(path) == []
    assert path.read_text() == "kept"


def test_the_holders_are_named_and_the_waiting_are_not(path: Path) -> None:
    with locks.queue(path, never) or pytest.fail(), Person(QUEUE, path):
        until(partial(waiting, path, 1))
        assert locks.holders(path) == [os.getpid()]


def test_a_lock_on_a_file_that_was_just_replaced_is_no_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    real = os.lstat

    def replaced(name: Path) -> os.stat_result:
        path.rename(path.with_name("old"))
        path.touch()
        return real(name)

    monkeypatch.setattr(os, "lstat", replaced)
    assert locks.try_lock(path) is None
    monkeypatch.undo()
    assert not locks.is_held(path.with_name("old"))


def test_a_symbolic_link_is_not_followed(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    for take in (locks.try_lock, locks.is_held, lambda path: locks.queue(path, never)):
        with pytest.raises(OSError):
            take(path)
    assert not path.with_name("elsewhere").exists()


def test_filelock_is_imported_only_when_a_lock_is_taken() -> None:
    script = "import sys, rivus.locks, rivus.limits; print('filelock' in sys.modules)"
    with Person(script) as person:
        assert person.hear() == "False"
