"""Several replays side by side, in threads, under the stage's time limit.

A Python function that does not come back cannot be ended: its item counts as timed out, no more is begun, the others
end, and whoever called must end the process.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rivus.errors import BadConfig, BadInput, TryAgain
from rivus.limits import Permit
from rivus.model.states import Box
from rivus.net.offline import offline as offline_all
from rivus.replay.again import Replay, Replayed
from rivus.replay.past import Past, past_of
from rivus.replay.scratch import Scratch, own_folder
from rivus.spool.layout import Spool, names
from rivus.work.run import GRACE

if TYPE_CHECKING:
    from rivus.config.schema import Job, Stage

_LOOK = 0.05
MOMENT = 0.5


def done(spool: Spool, job: str, stage: str, count: int) -> list[str]:
    """`count` of what a stage has done (or all of it), evenly spread over the order of the names: the same ones each
    time. Raises BadInput if it has done nothing."""
    ordered = sorted(names(spool.box(job, stage, Box.DONE)))
    if not ordered:
        raise BadInput(f"{job}:{stage} has done nothing yet")
    number = min(count, len(ordered))
    return [ordered[index * len(ordered) // number] for index in range(number)]


@contextmanager
def replaying(spool: Spool, job: Job, stage: Stage, *, offline: bool, severed: bool = False) -> Iterator[Replay]:
    """A stage's replay with a folder of its own, which goes in the end; offline, the whole process is. severed: so are
    the programs that it starts. Raises BadConfig."""
    if offline and stage.command and not severed:
        raise BadConfig("the system gives no network namespace, so a program cannot be kept offline")
    with (
        own_folder() as folder,
        offline_all() if offline else nullcontext(),
    ):
        yield Replay(spool, job, stage, Scratch(folder, spool, job.name, stage.name), offline=offline)


class Replays:
    """The replays of the items with these names, up to `threads` at once. left: how many have not ended yet. over:
    whether it was stopped from outside."""

    def __init__(self, replay: Replay, items: Sequence[str], threads: int) -> None:
        self._replay = replay
        self._names = iter(items)
        self.left = len(items)
        self._threads = min(threads, len(items))
        self._turn = threading.Lock()
        self._ended: queue.SimpleQueue[Replayed | BaseException | None] = queue.SimpleQueue()
        self._running: dict[str, tuple[Past, float]] = {}
        self._stopping = self.over = False

    @property
    def place(self) -> tuple[str, str]:
        """The job and the stage."""
        return self._replay.job.name, self._replay.stage.name

    def stop(self) -> None:
        """Begin no more, and wait for nothing that runs: nobody wants to see it."""
        self._stopping = self.over = True

    def __iter__(self) -> Iterator[Replayed]:
        """Each as it ends. Raises what keeps replays from running (BadConfig, BadInput, TryAgain, OSError), once the
        others have ended."""
        threads = [threading.Thread(target=self._work, name="replay", daemon=True) for _ in range(self._threads)]
        for thread in threads:
            thread.start()
        alive, fault = len(threads), None
        while alive and not self.over:
            for hung in self._hung():
                alive -= 1
                self.left -= 1
                yield hung
            try:
                one = self._ended.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if one is None:
                alive -= 1
            elif isinstance(one, BaseException):
                fault = fault or one
                self._stopping = True
            else:
                self.left -= 1
                yield one
        _join(threads)
        if fault:
            raise fault

    def _work(self) -> None:
        hung = False
        try:
            while not hung and (name := self._next()) is not None:
                hung = not self._one(name)
        except BaseException as error:  # noqa: BLE001 - the thread that iterates raises it
            self._ended.put(error)
        if not hung:
            self._ended.put(None)

    def _next(self) -> str | None:
        with self._turn:
            return None if self._stopping else next(self._names, None)

    def _one(self, name: str) -> bool:
        """Replays one item. False if it took so long that it was given up meanwhile."""
        past = past_of(self._replay.spool, self._replay.job.plan, self._replay.stage.name, name)
        try:
            permit = self._replay.permit(lambda: self._stopping)
        except TryAgain:
            if self._stopping:
                return True
            raise
        with permit:
            with self._turn:
                self._running[name] = past, time.monotonic()
            ended = self._run(past, permit)
            with self._turn:
                counts = self._running.pop(name, None) is not None
        if counts:
            self._ended.put(ended)
            self._stopping = self._stopping or not isinstance(ended, Replayed) or ended.last
        return counts

    def _run(self, past: Past, permit: Permit) -> Replayed | BaseException:
        try:
            return self._replay.run(past, permit)
        except BaseException as error:  # noqa: BLE001 - if it still counts, the thread that iterates raises it
            return error

    def _hung(self) -> list[Replayed]:
        limit = self._replay.stage.timeout
        with self._turn:
            now = time.monotonic()
            late = [name for name, (_, began) in self._running.items() if now - began > limit + GRACE]
            given_up = [self._running.pop(name)[0] for name in late]
        self._stopping = self._stopping or bool(given_up)
        return [self._timed_out(past, limit) for past in given_up]

    def _timed_out(self, past: Past, limit: float) -> Replayed:
        error = TimeoutError(f"took longer than {limit:g} s and could not be ended")
        return self._replay.failed(past, error, limit, last=True)


def _join(threads: list[threading.Thread]) -> None:
    """Gives the threads a moment to end, so that they write nothing into a folder which is being removed."""
    end = time.monotonic() + MOMENT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
