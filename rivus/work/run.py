"""The one loop that every stage uses: claim, limit, handler, outcome, decision, move, release.

A worker takes the limit first and the ticket second, so that an item which waits for a limit is nobody's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Container
from typing import TYPE_CHECKING

from rivus.limits import Permit, Postponed
from rivus.model.children import parent_of
from rivus.model.decide import DONE, FOREVER, SKIPPED, Decision
from rivus.model.outcome import Halt, ItemFailed, Json, Outcome, Skip
from rivus.model.times import utc
from rivus.net.record import Recorder
from rivus.spool import streak
from rivus.spool.backfill import follow_plan
from rivus.spool.desk import Claim, Desk, Young
from rivus.spool.pause import paused
from rivus.spool.recover import YOUNG, recover, release_all
from rivus.spool.versions import keep_version
from rivus.talk import about, say
from rivus.work import attempt as attempts
from rivus.work.budget import Till
from rivus.work.context import ItemContext, with_files
from rivus.work.crew import Active, Crew
from rivus.work.emit import ChildRuns, Emitted, Plans
from rivus.work.failing import reopened, settle, wait_for_child
from rivus.work.recording import keep_record
from rivus.work.supply import Supply

if TYPE_CHECKING:
    from rivus.config.schema import Job, Stage

GRACE = 1.0
"""Seconds by which a handler may outlive its timeout before it counts as hung."""


class StageRun:
    """One stage of one job in a crew, working on what is in `ready`. Its directories are made, and what dead workers
    left in it is recovered, before it begins. others: names of tickets that are not its business."""

    def __init__(self, crew: Crew, job: Job, stage: Stage, others: Container[str] = ()) -> None:
        self.crew, self.job, self.stage, self.others = crew, job, stage, others
        self.desk = Desk(crew.spool, job.plan, stage.name, crew.owner, crew.nudge)
        self._plans = Plans(job.plan, job.folder)
        self.till = Till(crew.spool, job, stage.name)
        self.workers, self.nudged = 0, False
        self.supply = Supply(self)
        self._next = threading.Lock()
        self._calling = threading.Lock()
        self._call: attempts.Call | None = None
        self.version: Json = {}
        crew.spool.prepare(job.plan)
        if follow_plan(crew.spool, job.plan, crew.owner) is not None:
            release_all(crew.spool, job.plan)
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
            self.workers, self.nudged = self.workers + 1, False
        thread.start()

    def _work(self) -> None:
        try:
            with about(job=self.job.name, stage=self.stage.name, run=self.crew.owner.name):
                while (name := self._take()) is not None:
                    self._serve(name)
        except BaseException as error:  # noqa: BLE001 - the thread that drains raises it
            self.crew.fault = self.crew.fault or error
            self.crew.stop()
        finally:
            with self.crew.turn:
                self.workers -= 1
                if self.nudged and not self.workers and not self.crew.stopping:
                    self.add_worker()
                self.crew.turn.notify_all()

    def nudge(self) -> None:
        """There may be something in `ready` that came from another stage or job of this crew: the stage looks again,
        even if it had ended. Call it with the crew's turn held."""
        self.nudged = True
        if not self.workers:
            self.add_worker()

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
        if closed := self.till.closed():
            return self.postpone(name, closed)
        permit = self.crew.limits.acquire(self.stage.limit, stop=self.crew.stopped, patience=self.crew.linger)
        if isinstance(permit, Postponed):
            return self.postpone(name, permit)
        claim = None
        try:
            if closed := self.till.closed():  # it may have waited for its limit while others spent
                return self.postpone(name, closed)
            if self.crew.enter():
                try:
                    if claim := self.desk.claim(name):
                        with about(key=claim.ticket.key):
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
        with about(key=claim.ticket.key):
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
            charge=self.till.charge, old=with_files(ticket),
            state=self.crew.spool.state(self.job.name, self.stage.name), tape=Recorder() if self.crew.record else None,
            emitted=Emitted(ticket, self.stage.name, self._plans),
        )  # fmt: skip
        active.cost = ctx.costs
        try:
            result = self._call_handler(self._gather(claim), ctx)
            booked = self.crew.book(active)
            if booked and isinstance(ctx.tape, Recorder):
                keep_record(self.crew, claim.ticket, self.stage.name, ctx.tape, result)
            good = booked and self._settle(claim, result)
            ctx.keep(new=good)
            if good and result.error is None and permit.succeeded():
                reopened(self)
        except OSError:
            self.desk.give_back(claim, dict(active.cost))
            raise
        finally:
            self.crew.close(active)

    def _gather(self, claim: Claim, children: bool = True) -> attempts.Gathered | Outcome:
        try:
            return attempts.gather(self.crew.spool, self.job.plan, self.stage.name, claim.ticket, children)
        except Outcome as outcome:
            return outcome

    def _call_handler(self, given: attempts.Gathered | Outcome, ctx: ItemContext) -> attempts.Result:
        now = time.time()
        if isinstance(given, Outcome):
            return attempts.Result(given, None, "", now, now)
        try:
            with self._calling:
                self.version = self.version or self._version()
                self._call = self._call or attempts.caller(self.job, self.stage)
        except Halt as halt:
            return attempts.Result(halt, None, "", now, now)
        return attempts.run_once(self._call, given, ctx, self.stage.expect)

    def _version(self) -> Json:
        """The stage's version; its text is kept when it is new. Raises Halt."""
        found = attempts.version_of_stage(self.job, self.stage)
        keep_version(self.crew.spool, self.job.name, self.stage.name, found.id, found.text, self.crew.owner)
        return found.parts

    def _settle(self, claim: Claim, result: attempts.Result) -> bool:
        """Does what follows from a result. True if it is good."""
        error = result.error
        if error is None or isinstance(error, Skip):
            try:
                self._finish(claim, result)
                return True
            except ValueError as refused:
                error = attempts.BadOutput(str(refused))
            except Outcome as outcome:  # its children cannot be published
                error = outcome
            except ChildRuns as why:
                wait_for_child(self, claim, result, why)
                return False
        try:
            settle(self, claim, result, error)
        except ValueError as refused:  # what is known of the failure cannot be written down
            settle(self, claim, result, ItemFailed(f"its failure cannot be recorded: {refused}"))
        return False

    def _finish(self, claim: Claim, result: attempts.Result) -> None:
        tries = claim.ticket.tries() + 1
        decision = SKIPPED if result.error else DONE
        receipt = attempts.receipt_of(result, self.stage, self.version, self.crew.owner.name, tries)
        entry = self.entry(decision, tries, result)
        if result.emitted:
            receipt |= self._publish_children(claim, result, receipt, entry)
        if not self.desk.finish(claim, result.output, receipt, entry):
            say(f"{self.label} {claim.ticket.key}: was taken away while it ran; the result is void")
            return
        self.crew.done += 1
        say(f"{self.label} {claim.ticket.key}: {decision.outcome} in {result.ended - result.started:.1f} s", 1)
        streak.succeeded(self.crew.spool, self.job.name, self.stage.name)
        self.print(claim, decision.outcome, result.output)

    def _publish_children(self, claim: Claim, result: attempts.Result, receipt: Json, entry: Json) -> Json:
        """Publishes what a good try has emitted, unless its result cannot be written down. Gives what its receipt says
        of them. Raises ValueError, and as `Emitted.publish`."""
        emitted = result.emitted
        if emitted is None or not self.desk.check(claim, result.output, receipt | emitted.receipt(), entry):
            return {}
        told = emitted.publish(self.crew.spool, self.crew.owner)
        for job in {job for job, _ in list(emitted.tickets)}:
            self.crew.nudge(job)
        return told

    def time_out(self, active: Active) -> None:
        """Records an item whose handler does not come back."""
        error = TimeoutError(f"took longer than {self.stage.timeout:g} s and could not be ended")
        result = attempts.Result(error, None, "", active.started, time.time(), dict(active.cost))
        with about(job=self.job.name, stage=self.stage.name, run=self.crew.owner.name, key=active.claim.ticket.key):
            self._settle(active.claim, result)

    def entry(self, decision: Decision, tries: int, result: attempts.Result) -> Json:
        """The record of an attempt: which one, by whom, when, how it ended, at what cost."""
        entry: Json = {"n": tries, "outcome": decision.outcome, "owner": self.crew.owner.name}
        if result.cost:
            entry["cost"] = result.cost
        return {**entry, "started": utc(result.started), "ended": utc(result.ended), "charged": decision.charged}

    def print(self, claim: Claim, state: str, output: Json | None = None, **more: str) -> None:
        """Hands on the line of an item that ended: its data, the outputs so far, and this one."""
        given = self._gather(claim, children=False)
        data = {**(claim.ticket.data if isinstance(given, Outcome) else given.item), **(output or {})}
        line = {"job": self.job.name, "key": claim.ticket.key, "stage": self.stage.name, "state": state}
        parent = parent_of(claim.ticket.meta)
        self.show({**line, **({"parent": parent.to_json()} if parent else {}), "data": data, **more})

    def show(self, line: Json) -> None:
        """Hands one line to whoever reads the crew's output."""
        with self.crew.printing:
            self.crew.emit(line)
        self.crew.news()
