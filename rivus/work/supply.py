"""Where a stage's workers get their items: from `ready`, oldest first, until nothing is left that can run soon.

One `Supply` serves all workers of a stage, one call at a time. It ends when `ready` is empty, nothing in `later` is
due within the crew's `linger`, no file is still being copied, and no stage before this one is at work in this
process. Asked again after its end, it looks again.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rivus.model.states import Box
from rivus.spool.recover import wake

if TYPE_CHECKING:
    from rivus.work.run import StageRun

CHUNK = 500
LOOK = 0.5


class Supply:
    """An iterator over the names of tickets to claim; several processes may get the same name."""

    def __init__(self, run: StageRun) -> None:
        self.run = run
        self._given: set[str] = set()
        self._young: dict[str, float] = {}
        self._scan: Iterator[str] = iter(())
        self._folder = run.crew.spool.box(run.job.name, run.stage.name, Box.READY)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while not self.run.crew.stopping:
            for name in self._scan:
                if name not in self._given and self._young.get(name, 0) <= time.time():
                    self._given.add(name)
                    self._young.pop(name, None)
                    return name
            upstream = self._upstream()  # before the look: what a stage that ends after it releases would be missed
            self._scan = self._chunks()
            first = next(self._scan, None)
            if first is not None:
                self._scan = itertools.chain((first,), self._scan)
            elif not self._wait(upstream):
                break
        raise StopIteration

    def settled(self, name: str, again: float = 0.0) -> None:
        """A worker is through with a name; `again`: it can be tried again from that time on."""
        self._given.discard(name)
        if again:
            self._young[name] = again

    def _chunks(self) -> Iterator[str]:
        """What is in `ready` and not given out, sorted by age in chunks, so that a million names cost no more each
        than a thousand."""
        names = (name for name in self.run.desk.ready() if self._free(name))
        while chunk := list(itertools.islice(names, CHUNK)):
            yield from sorted(chunk, key=self._age) if len(chunk) > 1 else chunk

    def _free(self, name: str) -> bool:
        return name not in self._given and name not in self.run.others and self._young.get(name, 0) <= time.time()

    def _age(self, name: str) -> tuple[float, str]:
        try:
            return os.lstat(f"{self._folder}/{name}").st_mtime, name
        except FileNotFoundError:
            return 0.0, name

    def _wait(self, upstream: bool) -> bool:
        """Waits until looking again may help. False when nothing will come. upstream: whether a stage before this one
        was at work before it was looked."""
        crew, now = self.run.crew, time.time()
        woken, due = wake(crew.spool, self.run.job.name, self.run.stage.name, now)
        if woken:
            return True
        times = [when for when in (due, *self._young.values()) if when is not None and when <= now + crew.linger]
        if not times and not upstream:
            return False
        with crew.turn:
            if not upstream or self._upstream():  # one that has ended meanwhile wakes nobody any more
                crew.turn.wait(max(0.001, min([LOOK, *(when - now for when in times)])))
        return True

    def _upstream(self) -> bool:
        before = self.run.job.plan.ancestors(self.run.stage.name)
        mine = [run for run in self.run.crew.runs if run.job.name == self.run.job.name]
        return any(run.alive for run in mine if run.stage.name in before)
