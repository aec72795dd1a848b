"""Handing the items on standard input to the stage of the job that each belongs to."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rivus.commands.items import Asked, Lines
from rivus.model.item import Ticket, file_name
from rivus.model.times import utc
from rivus.talk import say

if TYPE_CHECKING:
    from rivus.config.schema import Job
    from rivus.work.crew import Crew


class Route:
    """Reads what is asked for in a thread of its own and gives each job's stage the names of its tickets.

    An item that is not known is published first, if its data came along.
    """

    def __init__(self, crew: Crew, jobs: Mapping[str, Job], asked: Iterator[Asked], lines: Lines | None) -> None:
        self._crew, self._jobs, self._asked, self._lines = crew, jobs, asked, lines
        self._queues: dict[str, queue.SimpleQueue[str | None]] = {name: queue.SimpleQueue() for name in jobs}

    def start(self) -> None:
        """Begins to read; the stages that are asked, and with them their directories, must be there."""
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def names(self, job: str) -> Iterator[str]:
        """The names of the job's tickets, as they are asked for."""
        while (name := self._queues[job].get()) is not None:
            yield name
        self._queues[job].put(None)

    def _read(self) -> None:
        try:
            for one in self._asked:
                self._hand_on(one)
        except BaseException as error:  # noqa: BLE001 - the thread that drains raises it
            self._crew.fault = self._crew.fault or error
        finally:
            for waiting in self._queues.values():
                waiting.put(None)

    def _hand_on(self, one: Asked) -> None:
        job = self._jobs.get(one.job)
        if job is None:
            self._refuse(one, "no such job, or it has no such stage")
            return
        try:
            self._publish(job, one)
        except ValueError as error:
            self._refuse(one, str(error))
            return
        self._queues[one.job].put(file_name(one.key))

    def _publish(self, job: Job, one: Asked) -> None:
        from rivus.spool.publish import publish

        data = one.line.get("data")
        if isinstance(data, dict) and not self._crew.spool.known(job.name, file_name(one.key)):
            meta = one.line.get("meta")
            ticket = Ticket(job.name, one.key, data, meta if isinstance(meta, dict) else {})
            ticket.meta = {"discovered": utc(time.time()), "strategy": "stdin"} | ticket.meta
            publish(self._crew.spool, job.plan, [ticket], self._crew.owner)

    def _refuse(self, one: Asked, why: str) -> None:
        if self._lines:
            self._lines.refuse(f"{one.job}/{one.key}", why)
        else:
            say(f"{one.job}/{one.key}: {why}")
