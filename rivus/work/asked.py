"""A stage that serves exactly the items it is asked for, in the order of asking, wherever they are now.

What is done already is printed, what another worker holds is waited for and printed too, what is due within the
crew's `linger` is waited for; what cannot run now is left alone with a word on stderr.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rivus.model.decide import FOREVER
from rivus.model.item import file_name, ticket_of
from rivus.model.outcome import Json, Outcome
from rivus.model.states import WAKE, Box
from rivus.model.times import utc
from rivus.spool import atomic
from rivus.spool.desk import Young
from rivus.spool.journal import record
from rivus.spool.publish import ARCHIVED
from rivus.spool.reader import Unreadable, read_document
from rivus.spool.recover import recover
from rivus.spool.release import release
from rivus.talk import say
from rivus.work.attempt import build_input
from rivus.work.crew import Crew
from rivus.work.run import StageRun

if TYPE_CHECKING:
    from rivus.config.schema import Job, Stage

LOOK = 0.02


class AskedRun(StageRun):
    """A stage of a crew that serves the items in `names` (names of ticket files) and no others."""

    def __init__(self, crew: Crew, job: Job, stage: Stage, names: Iterator[str]) -> None:
        super().__init__(crew, job, stage)
        self._asked = names
        self._shown: set[str] = set()

    def next_name(self) -> str | None:
        return next(self._asked, None)

    def _serve(self, name: str) -> None:
        while not self.crew.stopping and not self._settle_one(name):
            with self.crew.turn:
                self.crew.turn.wait(LOOK)

    def _settle_one(self, name: str) -> bool:
        """One look at where the ticket is, and what follows. True when there is no more to do about it."""
        found = self.crew.spool.where(self.job.name, self.stage.name, name)
        if found is None:
            archived = self.crew.spool.archived(self.job.name, name)
            return self._leave(name, ARCHIVED if archived else "is not an item of this job")
        box, path = found
        if box is Box.READY:
            return self._run(name)
        if box is Box.RUNNING:
            limit = self.stage.interruptions
            recover(self.crew.spool, self.job.name, self.stage.name, self.crew.owner, self.job.plan, limit)
            return False
        if box is Box.LATER:
            return self._wait_for(name, path)
        if box is Box.WAIT:
            if release(self.crew.spool, self.job.plan, self.stage.name, name, name.removesuffix(".json")):
                return False
            awaited = (f"its children in {job}:{stage}" for job, stage in self.stage.awaits)
            return self._leave(name, f"waits for {' and '.join([*self.stage.plain_needs, *awaited])}")
        return self._show(name, box, path)

    def _run(self, name: str) -> bool:
        try:
            self.serve(name)
        except Young:
            return False
        return name in self._shown

    def show(self, line: Json) -> None:
        super().show(line)
        self._shown.add(file_name(line["key"]))

    def _wait_for(self, name: str, path: str) -> bool:
        try:
            due = os.lstat(path).st_mtime
        except FileNotFoundError:
            return False
        if due - time.time() > self.crew.linger:
            when = "a person resumes it" if due >= FOREVER else utc(due)
            return self._leave(name, f"is put off until {when}")
        if due <= time.time() and atomic.rename(
            path, self.crew.spool.ticket(self.job.name, self.stage.name, Box.READY, name)
        ):
            record(self.crew.spool, WAKE, self.job.name, self.stage.name, name.removesuffix(".json"))
        return False

    def _show(self, name: str, box: Box, path: str) -> bool:
        try:
            document = read_document(path)
            ticket = ticket_of(document, self.job.name)
        except FileNotFoundError:
            return False
        except (Unreadable, ValueError, KeyError) as error:
            return self._leave(name, f"cannot be read: {error}")
        try:
            data: Json = build_input(self.crew.spool, self.job.plan, self.stage.name, ticket)
        except Outcome:
            data = dict(ticket.data)
        state = "skipped" if "skipped" in (ticket.receipt or {}) else str(box)
        line = {"job": ticket.job, "key": ticket.key, "stage": self.stage.name, "state": state}
        fault = {"error": ticket.error.get("reason")} if ticket.error else {}
        self.show({**line, "data": {**data, **(ticket.output or {})}, **fault})
        return True

    def _leave(self, name: str, why: str) -> bool:
        say(f"{self.label} {name.removesuffix('.json')}: {why}")
        return True
