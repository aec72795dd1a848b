"""What a stage of another job is done with, for chains of jobs (the source `items`).

A name in `done` says that; when it came there says the file's time of last change (ctime), which each rename sets and
no program can choose. So one reading of the directory and a stat for each name tell what is new since a look, and
only that is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from rivus.model.context import Finished
from rivus.model.inputs import ended, input_of
from rivus.model.item import Ticket, is_ticket, ticket_of
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_document
from rivus.spool.results import last_result
from rivus.talk import say


def finished(spool: Spool, plan: Plan, stage: str, after: int, by: str | None) -> Iterator[Finished]:
    """The items that a stage is done with, the last first; what a person dropped has no result and is left out.

    after: only what came to `done` since (nanoseconds, as in `Finished.came`). by: leave out what this job knows.
    What cannot be read is said and passed over; what has moved on meanwhile is passed over.
    """
    box = spool.box(plan.job, stage, Box.DONE)
    for came, name in sorted(_came(box, after), reverse=True):
        if by is not None and spool.known(by, name):
            continue
        try:
            document = read_document(f"{box}/{name}")
            found = _finished(spool, plan, stage, document, came)
        except FileNotFoundError:
            continue
        except (Unreadable, ValueError) as error:
            say(f"{plan.job}:{stage}: {name} cannot be read and is passed over: {error}")
            continue
        if found is not None:
            yield found


def _came(box: str, after: int) -> Iterator[tuple[int, str]]:
    try:
        with os.scandir(box) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and (came := _changed(entry)) > after:
                    yield came, entry.name
    except (FileNotFoundError, NotADirectoryError):
        return


def _changed(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_ctime_ns
    except FileNotFoundError:
        return 0


def _finished(spool: Spool, plan: Plan, stage: str, document: Json, came: int) -> Finished | None:
    if not is_ticket(document):
        raise ValueError("it is no ticket")
    ticket = ticket_of(document, plan.job)
    if not ticket.receipt:
        return None
    own = ended(ticket.output, ticket.receipt)
    data = _input(spool, plan, stage, ticket)
    data.update(own.output)
    return Finished(ticket.key, data, str(ticket.receipt.get("ended", "")), came, own.skipped)


def _input(spool: Spool, plan: Plan, stage: str, ticket: Ticket) -> Json:
    results = {}
    for ancestor in plan.ancestors(stage):
        if document := last_result(spool, plan.job, ancestor, ticket.name):
            results[ancestor] = ended(document.get("output"), document.get("receipt"))
    # As if it had entered here: what was skipped before makes no difference to what is known of it.
    return input_of(plan, stage, ticket.data, stage, results)
