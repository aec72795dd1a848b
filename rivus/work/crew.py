"""What one process runs: some stages side by side, each with its own threads, watched by the thread that drains.

Threads, because concurrent fsyncs share one commit of the file system's journal, and a slow source keeps nobody else
waiting. A handler that outlives its timeout cannot be ended from outside its thread, so its item is recorded as timed
out, no more is claimed, and once the other items are safe `hung` says that only the end of the process will end it.
The same path gives back what is held when the process is told to stop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from rivus.limits import Limits
from rivus.model.outcome import Json
from rivus.spool.desk import Claim
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner

if TYPE_CHECKING:
    from rivus.work.run import StageRun

STOP_WITHIN = 8.0
Emit = Callable[[Json], None]


@dataclass
class Active:
    """An item that a thread is working on. settling: its result counts and is being written. over: the watcher has
    decided about it, and whatever the thread still brings is void. cost: what it has cost up to now."""

    run: StageRun
    claim: Claim
    deadline: float
    started: float
    settling: bool = False
    over: bool = False
    cost: Json = field(default_factory=dict)

    @property
    def open(self) -> bool:
        return not self.settling and not self.over


@dataclass
class Crew:
    """See the module.

    emit: called for every item that ended, one call at a time. linger: seconds to wait in the process for items
    that are not due yet. most: how many items may be started. until: the time.monotonic() from which none is.
    record: keep what the network says (`rivus.work.recording`).
    """

    spool: Spool
    owner: Owner
    limits: Limits
    emit: Emit
    linger: float = 30.0
    most: int | None = None
    until: float = inf
    record: bool = False
    started: int = 0
    hung: bool = False
    stopping: bool = False
    give_back_at: float | None = None
    inside: int = 0
    done: int = 0
    failed: int = 0
    put_off: int = 0
    turn: threading.Condition = field(default_factory=threading.Condition)
    active: list[Active] = field(default_factory=list)
    runs: list[StageRun] = field(default_factory=list)
    fault: BaseException | None = None
    printing: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """Claim no more, and within 8 s end or give back what is held."""
        self.stopping = True
        self.give_back_at = self.give_back_at or time.monotonic() + STOP_WITHIN

    def stopped(self) -> bool:
        return self.stopping

    def drain(self) -> None:
        """Works until nothing is left that can run. Raises what broke the machinery itself (a full disk, a limit
        that cannot be read), once the items under way are safe."""
        for run in self.runs:
            run.add_worker()
        while True:
            with self.turn:
                if not any(run.alive for run in self.runs) or (self.stopping and not self._busy()):
                    break
                self.turn.wait(0.2)
            self._end_hung()
            if time.monotonic() > self.until:
                self.stopping = True
            if self.give_back_at and time.monotonic() > self.give_back_at:
                self._give_back()
        if self.fault:
            raise self.fault

    def reserve(self) -> bool:
        """Whether one more item may be started; counts it."""
        with self.turn:
            if self.most is not None and self.started >= self.most:
                return False
            self.started += 1
        return True

    def unreserve(self) -> None:
        """The item was not started after all."""
        with self.turn:
            self.started -= 1

    def enter(self) -> bool:
        """Whether a thread may claim now; until it calls `exit`, the process does not end."""
        with self.turn:
            if self.stopping:
                return False
            self.inside += 1
        return True

    def exit(self) -> None:
        with self.turn:
            self.inside -= 1

    def _busy(self) -> bool:
        with self.turn:
            return self.inside > sum(active.over for active in self.active)

    def _end_hung(self) -> None:
        now = time.monotonic()
        with self.turn:
            late = [active for active in self.active if active.open and now > active.deadline]
            for active in late:
                active.over = True
        for active in late:
            self.hung = self.stopping = True
            active.run.time_out(active)

    def _give_back(self) -> None:
        with self.turn:
            left = [active for active in self.active if active.open]
            for active in left:
                active.over = True
        for active in left:
            active.run.desk.give_back(active.claim, dict(active.cost))
            self.hung = True

    def book(self, active: Active) -> bool:
        """Whether the thread's result still counts. From then on the watcher leaves the item alone."""
        with self.turn:
            active.settling = not active.over
        return active.settling

    def close(self, active: Active) -> None:
        """The thread is through with the item."""
        with self.turn:
            self.active.remove(active)

    def nudge(self, job: str) -> None:
        """Something of `job` may have become ready by what another stage did: its stages here look again."""
        with self.turn:
            for run in self.runs:
                if run.job.name == job and not self.stopping:
                    run.nudge()

    def news(self) -> None:
        """Something has moved: whoever waits looks again."""
        with self.turn:
            self.turn.notify_all()
