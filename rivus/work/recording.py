"""Keeping what the network said to a try beside the item: `JOB/files/KEY/.STAGE.http.gz` (`rivus.net.record`).

A record belongs to the last good result. So that of a failed try is kept only where there is no result yet. It is
written before the result: a crash in between leaves the record of a try that did not count, whose header says when it
began, beside the old result or none; the next recorded try writes over it, a replay says that it is another try's.
The file is written whole and renamed to its place; it is none of the files that a receipt names, and goes with the
item's folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rivus.model.item import Ticket
from rivus.model.outcome import Skip
from rivus.model.times import utc
from rivus.net.record import Recorder
from rivus.spool import atomic
from rivus.talk import say

if TYPE_CHECKING:
    from rivus.work.attempt import Result
    from rivus.work.crew import Crew


def keep_record(crew: Crew, ticket: Ticket, stage: str, recorder: Recorder, result: Result) -> None:
    """Makes the record of a try durable, over the one that was there. Raises OSError."""
    good = result.error is None or isinstance(result.error, Skip)
    if ticket.receipt and not good:
        return
    path = crew.spool.record(ticket.job, stage, ticket.name)
    about = {"job": ticket.job, "key": ticket.key, "stage": stage, "started": utc(result.started)}
    record = recorder.dump(about)
    if record is None:
        atomic.remove(path)
        return
    if recorder.too_large:
        say(f"{ticket.job}:{stage} {ticket.key}: what the network said is too large to be kept")
    folder = crew.spool.files(ticket.job, ticket.name)
    atomic.make_folder(folder)
    crew.owner.write(path, record)
    atomic.sync(folder)
