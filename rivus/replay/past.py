"""What is on record of an item in a stage, in the form in which it is compared: one of `output` (with `files`, if it
wrote any, and `emitted`, if it emitted children), `skipped` or `error`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rivus.errors import BadInput
from rivus.model.children import Parent, emitted, parent_of
from rivus.model.item import Ticket, file_name, ticket_of
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.spool.children import birth_of
from rivus.spool.layout import Spool
from rivus.spool.publish import ARCHIVED
from rivus.spool.reader import Unreadable, read_document

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Past:
    """ticket: as it is. shown: what came of its last try that ended. gone: files of the result that are not there any
    more."""

    ticket: Ticket
    shown: Json
    gone: tuple[str, ...] = ()

    @property
    def receipt(self) -> Json:
        return self.ticket.receipt or {}


def past_of(spool: Spool, plan: Plan, stage: str, name: str) -> Past:
    """The past of a ticket. Raises BadInput: no such item, nothing ended yet, not readable."""
    ticket = _ticket(spool, plan.job, stage, name)
    if ticket.receipt is None and ticket.error is None:
        raise BadInput(f"{plan.job}/{ticket.key}: {stage} has not ended yet, so there is nothing to compare with")
    if ticket.receipt is None:
        error = ticket.error or {}
        return Past(ticket, {"error": {name: error.get(name) for name in ("class", "reason")}})
    if "skipped" in ticket.receipt:
        return Past(ticket, {"skipped": ticket.receipt["skipped"]})
    listed = ticket.receipt.get("files")
    named = [one.get("file") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    files, gone = files_of(spool.files(plan.job, name), [file for file in named if isinstance(file, str)])
    children = {job: {key: _child(spool, job, key) for key in keys} for job, keys in emitted(ticket.receipt).items()}
    shown = {"output": ticket.output or {}, "files": files, "emitted": children}
    return Past(ticket, {part: value for part, value in shown.items() if value or part == "output"}, tuple(gone))


def _child(spool: Spool, job: str, key: str) -> Json | None:
    """The data of a child as it was published; None if that cannot be read."""
    try:
        known = birth_of(spool, job, file_name(key))
    except (Unreadable, ValueError):
        return None
    return known.get("data") if known else None


def own_children(spool: Spool, parent: Ticket, children: Iterable[Ticket]) -> Json:
    """Of the children that a try emits, the data of those that would be its own, by job and key."""
    own: Json = {}
    for ticket in children:
        try:
            known = birth_of(spool, ticket.job, ticket.name)
        except (Unreadable, ValueError):
            known = None
        if known is None or parent_of(known.get("meta")) == Parent(parent.job, parent.key):
            own.setdefault(ticket.job, {})[ticket.key] = ticket.data
    return own


def files_of(folder: str, files: Iterable[str]) -> tuple[Json, list[str]]:
    """Size and digest of each of an item's files, and the names of those that are not there."""
    found: Json = {}
    gone: list[str] = []
    root = Path(folder).resolve()
    for file in files:
        path = (root / file).resolve()
        if path.is_relative_to(root) and path.is_file():
            found[file] = {"bytes": os.path.getsize(path), "sha256": _digest(path)}
        else:
            gone.append(file)
    return found, gone


def _digest(path: Path) -> str:
    whole = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def _ticket(spool: Spool, job: str, stage: str, name: str) -> Ticket:
    said = f"{job}/{name.removesuffix('.json')}: {stage}"
    for _ in range(2):  # it may move between the two looks
        found = spool.where(job, stage, name)
        if found is None:
            raise BadInput(f"{said}: {ARCHIVED if spool.archived(job, name) else 'no such item here'}")
        try:
            return ticket_of(read_document(found[1]), job)
        except FileNotFoundError:
            continue
        except (Unreadable, ValueError, KeyError) as error:
            raise BadInput(f"{said}: {error}") from None
    raise BadInput(f"{said}: it moves just now; try again")
