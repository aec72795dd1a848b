"""The last result of a stage, wherever its ticket is.

A ticket that leaves `done` to be run again carries its output and receipt until a new result is written over them; so
the old ones can be read meanwhile, and still when the new run fails.
"""

from __future__ import annotations

from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.reader import read_document


def last_result(spool: Spool, job: str, stage: str, name: str) -> Json | None:
    """The ticket with the stage's last result, or None if it never had one. Raises Unreadable; RivusError if it is
    archived and the archive cannot be read."""
    for _ in range(2):  # a ticket may move on to `done` between the two looks
        try:
            return read_document(spool.ticket(job, stage, Box.DONE, name))
        except FileNotFoundError:
            found = spool.where(job, stage, name)
        try:
            document = read_document(found[1]) if found else _archived(spool, job, stage, name) or {}
        except FileNotFoundError:
            continue
        return document if document.get("receipt") else None
    return None


def _archived(spool: Spool, job: str, stage: str, name: str) -> Json | None:
    if not spool.archived(job, name):
        return None
    from rivus.spool.archive import archived_item

    ticket = (archived_item(spool, job, name) or {}).get("stages", {}).get(stage)
    return ticket if isinstance(ticket, dict) else None
