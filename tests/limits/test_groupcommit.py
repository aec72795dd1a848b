"""What threads want written durably at the same time is written together, and nobody goes on before theirs is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from rivus.limits.groupcommit import GroupCommit

MOST = 10.0


class Disk:
    """Takes groups. The first one is not written before `free` is called; bad: a group that holds it is refused."""

    def __init__(self, bad: int = 0) -> None:
        self.groups: list[list[int]] = []
        self.kept: set[int] = set()
        self._bad = bad
        self._begun, self._free = threading.Event(), threading.Event()

    def write(self, group: Sequence[int]) -> None:
        self._begun.set()
        assert self._free.wait(MOST)
        self.groups.append(sorted(group))
        if self._bad in group:
            raise OSError("full")
        self.kept.update(group)

    def await_first(self) -> None:
        assert self._begun.wait(MOST)

    def free(self) -> None:
        self._free.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def bring(pool: ThreadPoolExecutor, disk: Disk, numbers: Sequence[int]) -> list[Future[bool]]:
    """Brings the first of `numbers`, and the others while it is written; each tells whether it was kept by then."""
    commit = GroupCommit(disk.write)
    arrived = threading.Barrier(len(numbers))

    def add(number: int) -> bool:
        if number != numbers[0]:
            arrived.wait(MOST)
        commit.add(number)
        return number in disk.kept

    first = pool.submit(add, numbers[0])
    disk.await_first()
    others = [pool.submit(add, number) for number in numbers[1:]]
    arrived.wait(MOST)
    end = time.monotonic() + MOST
    while len(commit._open.brought) < len(others):
        assert time.monotonic() < end
    disk.free()
    return [first, *others]


def test_what_comes_while_another_one_is_written_is_written_together(pool: ThreadPoolExecutor) -> None:
    disk = Disk()
    told = bring(pool, disk, [1, 2, 3, 4])
    assert all(one.result(MOST) for one in told)
    assert disk.groups == [[1], [2, 3, 4]]


def test_a_group_that_fails_is_told_to_each_in_it_and_to_nobody_else(pool: ThreadPoolExecutor) -> None:
    disk = Disk(bad=3)
    first, *others = bring(pool, disk, [1, 2, 3])
    assert first.result(MOST)
    assert [str(one.exception(MOST)) for one in others] == ["full", "full"]


def test_one_alone_is_written_at_once() -> None:
    disk = Disk()
    disk.free()
    commit = GroupCommit(disk.write)
    commit.add(1)
    commit.add(2)
    assert disk.groups == [[1], [2]]
