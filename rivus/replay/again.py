"""One stage of one item again: from its recorded input, with the present code, beside production.

Nothing in the spool is changed and nothing is journalled. What a handler pays (`ctx.cost`) has been paid and is
counted; a stage's limit is taken as a worker takes it, and its budget asked. Without the network (`offline`) the
answers come from the item's record, and what is not in it fails the try, whatever the handler makes of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rivus.errors import BadConfig, TryAgain
from rivus.limits import Limits, Permit, Postponed
from rivus.model.compare import Change, changes
from rivus.model.decide import describe
from rivus.model.document import parse_object
from rivus.model.outcome import Halt, Json, Outcome, Skip, SourceBlocked
from rivus.net.record import LARGEST, NotRecorded, Player, read_record
from rivus.replay.past import Past, files_of, own_children
from rivus.replay.scratch import ReplayContext, Scratch
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, dump, read_bytes
from rivus.talk import scrubbed
from rivus.work import attempt as attempts
from rivus.work.budget import Till
from rivus.work.emit import Emitted, Plans

if TYPE_CHECKING:
    from rivus.config.schema import Job, Stage

PATIENCE = 30.0
"""Seconds that a replay waits for a limit's tokens."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay ended. before, after: what is on record and what came now, in the form of `rivus.replay.past`.
    reason: of a skip or a failure; cls, group: the failure's class and fingerprint. last: nothing more should begin,
    because the source must rest or the handler hangs."""

    key: str
    outcome: Literal["done", "skipped", "failed"]
    before: Json
    after: Json
    seconds: float
    reason: str = ""
    cls: str = ""
    group: str = ""
    notes: tuple[str, ...] = ()
    last: bool = False

    @property
    def changes(self) -> list[Change]:
        return changes(self.before, self.after)

    @property
    def same(self) -> bool:
        return not self.changes


class Replay:
    """A stage with its present code. Raises BadConfig if its handler cannot be used."""

    def __init__(self, spool: Spool, job: Job, stage: Stage, scratch: Scratch, *, offline: bool) -> None:
        self.spool, self.job, self.stage, self.offline = spool, job, stage, offline
        self._scratch = scratch
        self._till = Till(spool, job, stage.name)
        self._plans = Plans(job.plan, job.folder)
        self._limits = Limits(Path(spool.limits), job.limits)
        try:
            self._call = attempts.caller(job, stage)
        except Halt as halt:
            raise BadConfig(f"{job.name}:{stage.name}: {halt}") from None

    def permit(self, stop: Callable[[], bool]) -> Permit:
        """The right to run once; a replay offline needs none. Raises TryAgain, BadConfig, OSError."""
        if self.offline:
            return Permit()
        self._ask_till()
        permit = self._limits.acquire(self.stage.limit, stop=stop, patience=PATIENCE)
        if isinstance(permit, Postponed):
            raise TryAgain(f"{self.job.name}:{self.stage.name}: {permit.why}")
        try:
            self._ask_till()
        except BaseException:
            permit.release(unused=True)
            raise
        return permit

    def run(self, past: Past, permit: Permit) -> Replayed:
        """Runs the stage once. Raises BadConfig when the handler says that the job is broken; OSError."""
        tape, notes = self._player(past) if self.offline else (None, [])
        folder = self._scratch.files(past.ticket.name, self.job.plan.ancestors(self.stage.name))
        try:
            ctx = self._context(past, folder, permit, tape)
            result = self._try(past, ctx)
            if past.receipt.get("input") not in (None, result.input_digest):
                notes.append("the recorded result was made from another input than there is now")
            if past.gone:
                notes.append(f"files of the recorded result are not there any more: {', '.join(past.gone)}")
            if tape and tape.missed and not isinstance(result.error, Halt):
                result.error = NotRecorded(tape.missed)
            return self._replayed(past, result, folder, notes)
        finally:
            self._scratch.drop(folder)

    def _ask_till(self) -> None:
        if closed := self._till.closed():
            raise TryAgain(f"{self.job.name}:{self.stage.name}: {closed.why}")

    def _context(self, past: Past, folder: str, permit: Permit, tape: Player | None) -> ReplayContext:
        return ReplayContext(
            self._scratch, files=folder, job=self.job.name, stage=self.stage.name, key=past.ticket.key,
            attempt=1, timeout=self.stage.timeout, params=self.stage.with_, folder=self.job.folder,
            private_hosts=tuple(self.job.allow_private_hosts), slot_fds=permit.fds, charge=self._till.charge, tape=tape,
            emitted=Emitted(past.ticket, self.stage.name, self._plans),
        )  # fmt: skip

    def _try(self, past: Past, ctx: ReplayContext) -> attempts.Result:
        try:
            given = attempts.gather(self.spool, self.job.plan, self.stage.name, past.ticket)
        except Outcome as outcome:
            now = time.time()
            return attempts.Result(outcome, None, "", now, now)
        return attempts.run_once(self._call, given, ctx, self.stage.expect)

    def _replayed(self, past: Past, result: attempts.Result, folder: str, notes: list[str]) -> Replayed:
        took = result.ended - result.started
        key, before = past.ticket.key, past.shown
        if result.error is None:
            try:
                after = self._output(past, result, folder)
                return Replayed(key, "done", before, after, took, notes=tuple(notes))
            except ValueError as refused:
                result.error = attempts.BadOutput(str(refused))
        if isinstance(result.error, Skip):
            reason = scrubbed(str(result.error))
            return Replayed(key, "skipped", before, {"skipped": reason}, took, reason, notes=tuple(notes))
        if isinstance(result.error, Halt):
            raise BadConfig(f"{self.job.name}:{self.stage.name} {key}: {result.error}")
        last = isinstance(result.error, SourceBlocked)
        return self.failed(past, result.error, took, tuple(notes), last)

    def failed(
        self, past: Past, error: BaseException, seconds: float, notes: tuple[str, ...] = (), last: bool = False
    ) -> Replayed:
        """The replay that ended with this error, as the doctor sees it."""
        from rivus.doctor.consult import consult

        told = consult(error, self.stage.handler or (self.stage.command or ["?"])[0], time.time())
        reason = describe(error, scrubbed)[1]
        cls = "not_recorded" if isinstance(error, NotRecorded) else str(told.diagnosis.cls)
        after = {"error": {"class": cls, "reason": reason}}
        return Replayed(
            past.ticket.key, "failed", past.shown, after, seconds, reason, cls, told.fingerprint, notes, last
        )  # fmt: skip

    def _output(self, past: Past, result: attempts.Result, folder: str) -> Json:
        """Raises ValueError for an output that JSON cannot hold."""
        shown = parse_object(dump({"output": result.output}))
        files, _ = files_of(folder, [one["file"] for one in result.files if one["file"] not in past.gone])
        children = own_children(self.spool, past.ticket, result.emitted.tickets.values() if result.emitted else ())
        return shown | ({"files": files} if files else {}) | ({"emitted": children} if children else {})

    def _player(self, past: Past) -> tuple[Player, list[str]]:
        path = self.spool.record(self.job.name, self.stage.name, past.ticket.name)
        try:
            header, exchanges = read_record(read_bytes(path, 2 * LARGEST)[0])
        except FileNotFoundError:
            return Player([], "was asked for, and there is no record of this item (see --record)"), []
        except (Unreadable, ValueError) as error:
            return Player([], f"was asked for, and the record cannot be read: {error}"), []
        if header.get("too_large"):
            return Player([], "was asked for, and what the network said was too large to be recorded"), []
        started = past.receipt.get("started")
        other = started is not None and header.get("started") != started
        notes = ["the record is of another try than the recorded result"] if other else []
        return Player(exchanges, "is not in the record"), notes
