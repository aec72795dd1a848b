"""The one loop that every stage uses: claim, limit, handler, outcome, decision, move, release.

A worker takes the limit first and the ticket second, so that an item which waits for a limit is nobody's.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from rivus import attempt as attempts
from rivus.context import ItemContext
from rivus.crew import Active, Crew
from rivus.limits import Permit, Postponed
from rivus.model.decide import FOREVER, Decision, decide, describe
from rivus.model.outcome import Halt, Json, Skip
from rivus.model.states import DEFER, FAIL, FINISH
from rivus.model.times import utc
from rivus.spool.desk import YOUNG, Claim, Desk, Young
from rivus.spool.pause import pause, paused
from rivus.spool.recover import recover
from rivus.supply import Supply
from rivus.talk import say, scrubbed

if TYPE_CHECKING:
    from rivus.config.schema import Job, Stage

GRACE = 1.0
"""Seconds by which a handler may outlive its timeout before it counts as hung."""


class StageRun:
    """One stage of one job in a crew, working on what is in `ready`. Its directories are made, and what dead workers
    left in it is recovered, before it begins."""

    def __init__(self, crew: Crew, job: Job, stage: Stage) -> None:
        self.crew, self.job, self.stage = crew, job, stage
        self.desk = Desk(crew.spool, job.plan, stage.name, crew.owner)
        self.workers = 0
        self.supply = Supply(self)
        self._next = threading.Lock()
        self._calling = threading.Lock()
        self._call: attempts.Call | None = None
        crew.spool.prepare(job.plan)
        recover(crew.spool, job.name, stage.name, crew.owner, job.plan, stage.interruptions)
        crew.runs.append(self)

    @property
    def alive(self) -> bool:
        return self.workers > 0

    @property
    def label(self) -> str:
        return f"{self.job.name}:{self.stage.name}"

    def add_worker(self) -> None:
        thread = threading.Thread(target=self._work, name=self.label, daemon=True)
        with self.crew.turn:
            self.workers += 1
        thread.start()

    def _work(self) -> None:
        try:
            while (name := self._take()) is not None:
                self._serve(name)
        except BaseException as error:  # noqa: BLE001 - the thread that drains raises it
            self.crew.fault = self.crew.fault or error
            self.crew.stop()
        finally:
            with self.crew.turn:
                self.workers -= 1
                self.crew.turn.notify_all()

    def _take(self) -> str | None:
        with self._next:
            if self.crew.stopping or not self.crew.reserve():
                return None
            name = self.next_name()
        if name is None:
            self.crew.unreserve()
        elif self.workers < self.stage.concurrency:
            self.add_worker()
        return name

    def next_name(self) -> str | None:
        """The name of the next ticket to serve; None when there is none."""
        return next(self.supply, None)

    def serve(self, name: str) -> bool:
        """Runs one ticket that is in `ready`, or puts it off if it cannot run now. False if somebody else had it,
        or if it was rejected."""
        if why := paused(self.crew.spool, self.job.name):
            return self.postpone(name, Postponed(None, f"the job is paused: {why.get('why')}"))
        permit = self.crew.limits.acquire(self.stage.limit, stop=self.crew.stopped, patience=self.crew.linger)
        if isinstance(permit, Postponed):
            return self.postpone(name, permit)
        claim = None
        try:
            if self.crew.enter():
                try:
                    if claim := self.desk.claim(name):
                        self._try(claim, permit)
                finally:
                    self.crew.exit()
        finally:
            permit.release(unused=claim is None)
        return claim is not None

    def _serve(self, name: str) -> None:
        again = 0.0
        try:
            if not self.serve(name):
                self.crew.unreserve()
        except Young:
            again = time.time() + YOUNG / 10
            self.crew.unreserve()
        finally:
            self.supply.settled(name, again)

    def postpone(self, name: str, why: Postponed) -> bool:
        """Moves the ticket to `later`, so that `ready` holds only what can run. Raises Young."""
        if not self.crew.enter():
            return False
        try:
            claim = self.desk.claim(name)
            if claim is None or not self.desk.defer(claim, FOREVER if why.until is None else why.until):
                return False
        finally:
            self.crew.exit()
        self.crew.put_off += 1
        say(f"{self.label} {claim.ticket.key}: {why.why}", 1)
        return True

    def _try(self, claim: Claim, permit: Permit) -> None:
        ticket, now = claim.ticket, time.monotonic()
        active = Active(self, claim, now + self.stage.timeout + GRACE, time.time())
        with self.crew.turn:
            self.crew.active.append(active)
        ctx = ItemContext(
            files=self.crew.spool.files(self.job.name, ticket.name), job=self.job.name, stage=self.stage.name,
            key=ticket.key, attempt=ticket.tries() + 1, timeout=self.stage.timeout, params=self.stage.with_,
            folder=self.job.folder, private_hosts=tuple(self.job.allow_private_hosts), slot_fds=permit.fds,
        )  # fmt: skip
        try:
            result = self._call_handler(item := self._input(claim), ctx)
            if self.crew.book(active):
                self._settle(claim, result, item if isinstance(item, dict) else {})
        finally:
            self.crew.close(active)

    def _input(self, claim: Claim) -> Json | BaseException:
        try:
            return attempts.build_input(self.crew.spool, self.job.plan, self.stage.name, claim.ticket)
        except Skip as skip:
            return skip

    def _call_handler(self, item: Json | BaseException, ctx: ItemContext) -> attempts.Result:
        now = time.time()
        if isinstance(item, BaseException):
            return attempts.Result(item, None, "", now, now)
        try:
            with self._calling:
                self._call = self._call or attempts.caller(self.job, self.stage)
        except Halt as halt:
            return attempts.Result(halt, None, "", now, now)
        return attempts.run_once(self._call, item, ctx, self.stage.expect)

    def _settle(self, claim: Claim, result: attempts.Result, item: Json) -> None:
        tries = claim.ticket.tries() + 1
        decision = decide(result.error, tries, self.stage.retry, time.time(), random.random())
        if decision.move is FINISH:
            try:
                self._finish(claim, result, decision, tries, item)
                return
            except ValueError as error:
                result.error = attempts.BadOutput(str(error))
                decision = decide(result.error, tries, self.stage.retry, time.time(), random.random())
        self._give_up(claim, result, decision, tries)

    def _finish(self, claim: Claim, result: attempts.Result, decision: Decision, tries: int, item: Json) -> None:
        receipt = attempts.receipt_of(result, self.stage, self.crew.owner.name, tries)
        entry = self._entry(decision, tries, result.started, result.ended)
        if not self.desk.finish(claim, result.output, receipt, entry):
            say(f"{self.label} {claim.ticket.key}: was taken away while it ran; the result is void")
            return
        self.crew.done += 1
        self._print(claim, decision.outcome, {**item, **(result.output or {})})

    def _give_up(self, claim: Claim, result: attempts.Result, decision: Decision, tries: int) -> None:
        error = result.error or TimeoutError("no result")
        kind, reason = self._describe(error)
        shown = reason if attempts.is_expected(error) else f"{kind}: {reason}"
        entry = self._entry(decision, tries, result.started, result.ended) | {"type": kind, "reason": reason}
        if decision.pause:
            pause(self.crew.spool, self.job.name, reason, f"{self.label} {claim.ticket.key}", self.crew.owner)
        if decision.park_until is not None and self.stage.limit:
            limit, key = self.stage.limit, claim.ticket.key
            self.crew.limits.park(limit, decision.park_until, reason, f"{self.label} {key}", time.time())
        if decision.move is FAIL:
            self.crew.failed += 1
            self.desk.fail(claim, {"type": kind, "reason": reason, "at": utc(time.time())}, entry)
            say(f"{self.label} {claim.ticket.key}: failed: {shown}")
            self._print(claim, "failed", claim.ticket.data, error=reason)
        elif decision.move is DEFER:
            self.crew.put_off += 1
            self.desk.defer(claim, decision.due, entry)
            when = "when the job is resumed" if decision.due == FOREVER else f"at {utc(decision.due)}"
            say(f"{self.label} {claim.ticket.key}: {shown}; again {when}", 0 if decision.pause else 1)
        self.crew.news()

    def _describe(self, error: BaseException) -> tuple[str, str]:
        if not attempts.is_expected(error):
            import traceback

            say("".join(traceback.format_exception(error)).replace("\n", " | "), 2)
        kind, reason = describe(error)
        return kind, scrubbed(reason)

    def time_out(self, active: Active) -> None:
        """Records an item whose handler does not come back."""
        error = TimeoutError(f"took longer than {self.stage.timeout:g} s and could not be ended")
        result = attempts.Result(error, None, "", active.started, time.time())
        self._settle(active.claim, result, {})

    def _entry(self, decision: Decision, tries: int, started: float, ended: float) -> Json:
        entry: Json = {"n": tries, "outcome": decision.outcome, "owner": self.crew.owner.name}
        return {**entry, "started": utc(started), "ended": utc(ended), "charged": decision.charged}

    def _print(self, claim: Claim, state: str, data: Json, **more: str) -> None:
        ticket = claim.ticket
        self.show(
            {"job": ticket.job, "key": ticket.key, "stage": self.stage.name, "state": state, "data": data, **more}
        )

    def show(self, line: Json) -> None:
        """Hands one line to whoever reads the crew's output."""
        with self.crew.printing:
            self.crew.emit(line)
        self.crew.news()
