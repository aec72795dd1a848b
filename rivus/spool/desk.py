"""One stage of one job as one owner works on it: moves b, c, d, e and u of the state table.

What a crash leaves at each step stands in `rivus.model.states` and in ARCHITECTURE.md. Every method may meet a file
that somebody has moved meanwhile; whoever renames first has it, and the others go on without a word.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rivus.model.item import Ticket, dropped_ticket, is_ticket, ticket_of
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.model.states import CLAIM, DEFER, FAIL, FINISH, GIVE_BACK, HOLD, Box, Move
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.journal import record
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.publish import adopt, is_archived, twin
from rivus.spool.reader import MAX_BYTES, TooLarge, Unreadable, dump, read_document
from rivus.spool.recover import YOUNG
from rivus.spool.rejected import reject
from rivus.spool.release import release_after

RESERVE = 1 << 20
"""Bytes by which a ticket must be smaller than a document may be: for the records of its attempts."""


class Young(Exception):
    """The file may still be being copied: look again soon."""


class Refused(Exception):
    """What was claimed, now at `path`, cannot become an item."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path


@dataclass(slots=True)
class Claim:
    """A ticket that this owner alone holds, and where."""

    path: str
    ticket: Ticket


class Desk:
    """See the module. The job's directories must exist (`Spool.prepare`). freed: told of each job in which the last
    child of an item released a stage."""

    def __init__(
        self, spool: Spool, plan: Plan, stage: str, owner: Owner, freed: Callable[[str], object] = lambda job: None
    ) -> None:  # fmt: skip
        self.spool, self.plan, self.stage, self.owner, self.freed = spool, plan, stage, owner, freed
        self.job = plan.job
        self._ready = spool.box(self.job, stage, Box.READY)
        self._done = spool.box(self.job, stage, Box.DONE)

    def ready(self) -> Iterator[str]:
        """The names in `ready`, as the directory gives them."""
        return names(self._ready)

    def claim(self, name: str) -> Claim | None:
        """Takes a ticket from `ready`; None if somebody else has it, or if it was rejected. What was dropped in by
        hand becomes an item first. Raises Young."""
        path = f"{self.owner.claims(self.job, self.stage)}/{name}"
        if not atomic.rename(f"{self._ready}/{name}", path):
            return None
        try:
            claim = self._admit(path, name, read_document(path, time.time(), MAX_BYTES - RESERVE))
        except Unreadable as error:
            if 0 <= error.age < YOUNG:
                atomic.rename(path, f"{self._ready}/{name}")
                raise Young(str(error)) from None
            self._reject(path, str(error))
            return None
        except FileNotFoundError:
            return None
        except Refused as error:
            self._reject(error.path, str(error))
            return None
        self._record(CLAIM, claim)
        return claim

    def check(self, claim: Claim, output: Json | None, receipt: Json, attempt: Json) -> bool:
        """Whether `finish` would succeed now. Raises ValueError if not even the output can be written."""
        _finished(claim, output, receipt, attempt)
        return os.path.lexists(claim.path)

    def finish(self, claim: Claim, output: Json | None, receipt: Json, attempt: Json) -> bool:
        """Makes the result durable, releases what follows, and only then drops the claim. False if the claim was
        taken away by hand. Raises ValueError, with nothing changed, for an output that JSON cannot hold."""
        ticket, raw = _finished(claim, output, receipt, attempt)
        if not os.path.lexists(claim.path):
            return False
        self.owner.write(f"{self._done}/{ticket.name}", raw)
        atomic.sync(self._done)
        freed = release_after(self.spool, self.plan, self.stage, ticket.name, ticket.key, ticket.meta)
        atomic.remove(claim.path)
        for job in freed:
            self.freed(job)
        self._record(FINISH, claim, attempt)
        return True

    def defer(self, claim: Claim, due: float, attempt: Json | None = None) -> bool:
        """Puts the ticket off until `due` (seconds since the epoch), with what happened if it ran at all."""
        if attempt is not None:
            claim.ticket.add_attempt(attempt)
        if attempt is not None or self._shares_time(claim):
            self._rewrite(claim)
        atomic.set_time(claim.path, due)
        return self._move(DEFER, claim, Box.LATER, {**(attempt or {}), "due": utc(due)})

    def fail(self, claim: Claim, error: Json, attempt: Json) -> bool:
        """Gives the ticket up, with the error."""
        claim.ticket.error = error
        claim.ticket.add_attempt({**attempt, "final": True})
        self._rewrite(claim)
        return self._move(FAIL, claim, Box.FAILED, attempt)

    def hold(self, claim: Claim, error: Json, attempt: Json) -> bool:
        """Parks the ticket for a person, with the error."""
        claim.ticket.error = error
        claim.ticket.add_attempt({**attempt, "final": True})
        self._rewrite(claim)
        return self._move(HOLD, claim, Box.HELD, attempt)

    def give_back(self, claim: Claim, cost: Json | None = None) -> bool:
        """Returns the ticket to `ready` as if it had not been claimed. cost: what its try has cost all the same."""
        more: Json = {"ended": utc(time.time()), "cost": cost} if cost else {}
        return self._move(GIVE_BACK, claim, Box.READY, more)

    def _admit(self, path: str, name: str, document: Json) -> Claim:
        try:
            ticket = self._ticket(document, name)
            if name != ticket.name:
                path = self._rename(path, ticket)
            if not is_ticket(document) or not self.spool.born(self.job, ticket.name):
                adopt(self.spool, self.plan, self.stage, ticket, path, self.owner)
            elif other := twin(self.spool, self.job, self.stage, ticket.name, path):
                raise ValueError(f"a copy: {ticket.key!r} is in {other} already")
            elif not self.spool.born(self.job, ticket.name):  # it has just gone
                raise ValueError(is_archived(self.job, ticket.key))
        except ValueError as error:
            raise Refused(path, str(error)) from None
        self._refresh(path, ticket)
        return Claim(path, ticket)

    def _ticket(self, document: Json, name: str) -> Ticket:
        if is_ticket(document):
            return ticket_of(document, self.job)
        meta: Json = {"discovered": utc(time.time())}
        if self.plan.ancestors(self.stage):
            meta["entered"] = self.stage
        return dropped_ticket(document, self.job, name, meta)

    def _rename(self, path: str, ticket: Ticket) -> str:
        right = f"{self.owner.claims(self.job, self.stage)}/{ticket.name}"
        if os.path.lexists(right):
            raise ValueError(f"a copy: {ticket.key!r} is running already")
        atomic.rename(path, right)
        return right

    def _refresh(self, path: str, ticket: Ticket) -> None:
        """Takes the item's data from its birth record where discovery has changed it since."""
        birth = f"{self.spool.births(self.job)}/{ticket.name}"
        if not os.path.samestat(os.stat(birth), os.stat(path)):
            data = read_document(birth).get("data")
            ticket.data = data if isinstance(data, dict) else ticket.data

    def _reject(self, path: str, reason: str) -> None:
        target = reject(self.spool, self.job, self.stage, path, reason)
        record(self.spool, "reject", self.job, self.stage, os.path.basename(path), to=target, reason=reason)

    def _shares_time(self, claim: Claim) -> bool:
        """Whether another stage's ticket of this item waits for its own time on the same inode."""
        try:
            mine = os.stat(claim.path)
        except FileNotFoundError:
            return False
        others = [self.spool.ticket(self.job, stage, Box.LATER, claim.ticket.name) for stage in self.plan.needs]
        return mine.st_nlink > 1 and any(
            os.path.lexists(path) and os.path.samefile(claim.path, path) for path in others
        )

    def _rewrite(self, claim: Claim) -> None:
        if os.path.lexists(claim.path):
            self.owner.write(claim.path, dump(claim.ticket.to_json()))

    def _move(self, move: Move, claim: Claim, box: Box, more: Json) -> bool:
        moved = atomic.rename(claim.path, self.spool.ticket(self.job, self.stage, box, claim.ticket.name))
        if moved:
            self._record(move, claim, more)
        return moved

    def _record(self, move: Move, claim: Claim, more: Json | None = None) -> None:
        record(self.spool, move, self.job, self.stage, claim.ticket.key, **{"owner": self.owner.name, **(more or {})})


def _finished(claim: Claim, output: Json | None, receipt: Json, attempt: Json) -> tuple[Ticket, bytes]:
    """The ticket as it goes to `done`, and its bytes. Raises ValueError."""
    ticket = replace(claim.ticket, error=None, output=output, receipt=receipt)
    ticket.add_attempt({**attempt, "final": True})
    try:
        return ticket, dump(ticket.to_json())
    except TooLarge as error:
        raise ValueError(f"{error}: write a file into the workdir instead") from None
