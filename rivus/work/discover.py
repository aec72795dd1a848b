"""From a source to published items: the one way in which discovery happens.

The source yields; what is new is published in batches, durably, and only then printed; the source's cursor is written
last of all. A crash leaves the old cursor: the source yields the same again, and what is known is passed over.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rivus.errors import BadConfig, RivusError, TryAgain, Unavailable
from rivus.limits import Limits, Postponed
from rivus.model.context import Found, Source
from rivus.model.decide import BLOCKED_FOR, describe
from rivus.model.item import Ticket, check_key
from rivus.model.outcome import Halt, Json, Outcome, RetryLater, SourceBlocked
from rivus.model.states import Box
from rivus.model.times import utc
from rivus.spool.hands import change
from rivus.spool.journal import record
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.pause import paused
from rivus.spool.publish import publish
from rivus.spool.reader import TooLarge, Unreadable, dump
from rivus.spool.rejected import reject_found
from rivus.talk import about, say, scrubbed
from rivus.work.look import JobLook

if TYPE_CHECKING:
    from rivus.config.schema import Discover, Job

BATCH = 64
PATIENCE = 30.0


@dataclass
class Discovery:
    """One look of one job at its source.

    emit: gets each new item once it is durable. most: how many new items at the most; a look that is cut short does
    not move the cursor. dry: publish nothing, emit what would be new. window: since and until, for a source that can be
    asked for a span of time; such a look begins without a cursor, leaves the job's own alone and is no sign of what is
    usual. Afterwards, seen: how many things the source showed; whole: whether it was heard to its end.
    """

    spool: Spool
    job: Job
    owner: Owner
    limits: Limits
    emit: Callable[[Json], None]
    most: int | None = None
    dry: bool = False
    stop: Callable[[], bool] = lambda: False
    window: tuple[str, str] | None = None
    seen: int = 0
    whole: bool = False

    def run(self) -> int:
        """Gives the number of new items. Raises TryAgain, Unavailable, BadConfig for what the source says."""
        with about(job=self.job.name, stage="discover", run=self.owner.name):
            return self._run()

    def _run(self) -> int:
        discover = self.job.discover
        if discover is None:
            return 0
        if not self.dry:
            self.spool.prepare(self.job.plan)
        if why := self._not_now(discover):
            say(f"{self.job.name}: not looked: {why}")
            return 0
        permit = self.limits.acquire(discover.limit, stop=self.stop, patience=PATIENCE)
        if isinstance(permit, Postponed):
            raise TryAgain(f"{self.job.name}: {permit.why}")
        with permit:
            count = self._look(discover)
            if not self.stop():
                permit.succeeded()
            return count

    def _not_now(self, discover: Discover) -> str:
        if pause := paused(self.spool, self.job.name):
            return f"the job is paused: {pause.get('why')}"
        if discover.max_backlog is None:
            return ""
        boxes = (self.spool.box(self.job.name, root, box) for root in self.job.roots for box in (Box.READY, Box.LATER))
        behind = sum(1 for box in boxes for _ in names(box))
        return (
            f"{behind} items wait already (max_backlog {discover.max_backlog})"
            if behind >= discover.max_backlog
            else ""
        )

    def _look(self, discover: Discover) -> int:
        from rivus.config.problem import dotted
        from rivus.plugins import bind, find

        source = find("source", discover.strategy, self.job.folder)
        span = dict(zip(("since", "until"), self.window or (), strict=False))
        given, problems = bind(source, {**discover.params, **span}, "source")
        if problems:
            raise BadConfig("; ".join(f"{dotted(('discover', *path))}: {message}" for path, message in problems))
        look = JobLook(self.spool, self.job, {} if self.window else None)
        before = dump(look.cursor)
        count, more = 0, True
        tickets = self._tickets(source, look, given, discover)
        while more and (room := self._room(count, discover.max_new)):
            batch, more, error = _gather(tickets, room)
            count += self._publish(batch)
            if error:
                raise self._translate(error, discover) from error
        moved = dump(look.cursor) != before
        self.whole = not more and not self.stop()
        if self.whole and not self.dry and not self.window:
            self._note(look.gone)
            self._remember(look.cursor, moved, count)
        return count

    def _note(self, gone: list[str]) -> None:
        """Tells the journal what the source no longer has: before the cursor is written, or it might never be told."""
        for key in gone:
            record(self.spool, "vanished", self.job.name, "discover", key)
        if gone:
            say(f"{self.job.name}: {len(gone):,} items are no longer at the source: {', '.join(gone[:3])[:200]} …", 1)

    def _remember(self, cursor: Json, moved: bool, new: int) -> None:
        """Writes the cursor, and a line about this look unless the source said that nothing has changed."""
        if moved:
            self.owner.write(self.spool.cursor(self.job.name), dump(cursor))
        if self.seen or moved or "validators" not in cursor:
            from rivus.spool.looks import note_look

            row = {"t": utc(time.time()), "seen": self.seen, "new": new}
            note_look(self.spool, self.job.name, self.owner, row)

    def _room(self, count: int, max_new: int | None) -> int:
        return max(0, min([BATCH, *(most - count for most in (self.most, max_new) if most is not None)]))

    def _tickets(self, source: Source, look: JobLook, given: Mapping[str, Any], discover: Discover) -> Iterator[Ticket]:
        seen: set[str] = set()
        for one in source(look, **given):
            if self.stop():
                return
            self.seen += 1
            ticket = self._ticket(one, discover)
            if ticket is None or ticket.name in seen:
                continue
            seen.add(ticket.name)
            if not self.spool.known(self.job.name, ticket.name):
                yield ticket
            elif discover.on_change != "ignore" and not self.dry:
                self._change(ticket, rerun=discover.on_change == "rerun")

    def _ticket(self, one: Found, discover: Discover) -> Ticket | None:
        try:
            if not isinstance(one.data, dict) or not isinstance(one.meta, dict):
                raise ValueError("its data or meta is not an object")
            meta: Json = {**one.meta, "discovered": utc(time.time()), "strategy": discover.strategy}
            if self.window:
                meta["backfill"] = "/".join(self.window)
            ticket = Ticket(self.job.name, check_key(one.key), one.data, meta)
            dump(ticket.to_json())
        except ValueError as error:
            less = ": have the strategy give less of a row" if isinstance(error, TooLarge) else ""
            say(f"{self.job.name}: cannot be an item: {error}{less}: {scrubbed(str(one.key))[:80]!r}")
            if not self.dry:
                reject_found(self.spool, self.job.name, {"key": one.key, "data": one.data}, str(error))
            return None
        return ticket

    def _change(self, ticket: Ticket, rerun: bool) -> None:
        with about(key=ticket.key):
            self._change_one(ticket, rerun)

    def _change_one(self, ticket: Ticket, rerun: bool) -> None:
        try:
            changed = change(self.spool, self.job.plan, ticket, self.owner, rerun)
        except (Unreadable, FileNotFoundError) as error:
            say(f"{self.job.name} {ticket.key}: its record cannot be read: {error}")
            return
        if changed:
            say(f"{self.job.name} {ticket.key}: has changed{', runs again' if rerun else ''}", 1)
            if rerun:
                self.emit(ticket.public())

    def _publish(self, batch: list[Ticket]) -> int:
        fresh = batch if self.dry else publish(self.spool, self.job.plan, batch, self.owner)
        for ticket in fresh:
            self.emit(ticket.public())
        return len(fresh)

    def _translate(self, error: BaseException, discover: Discover) -> BaseException:
        if isinstance(error, RivusError):
            return error
        kind, reason = describe(error, scrubbed)
        text = f"{self.job.name}: {discover.strategy}: {reason}"
        if isinstance(error, SourceBlocked):
            until = error.until if error.until is not None else time.time() + BLOCKED_FOR
            if discover.limit:
                self.limits.park(discover.limit, until, reason, f"{self.job.name}:discover", time.time())
            return TryAgain(f"{text}; the source rests until {utc(until)}")
        if isinstance(error, RetryLater):
            return TryAgain(text)
        if isinstance(error, Halt):
            return BadConfig(text)
        return Unavailable(text) if isinstance(error, Outcome) else RivusError(f"{text} ({kind})")


def _gather(tickets: Iterator[Ticket], room: int) -> tuple[list[Ticket], bool, BaseException | None]:
    """Up to `room` tickets, whether there may be more, and what the source raised after these."""
    batch: list[Ticket] = []
    try:
        batch.extend(itertools.islice(tickets, room))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is raised again once the batch is published
        return batch, False, error
    return batch, len(batch) == room, None
