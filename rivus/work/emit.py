"""The children that a try emits: collected while it runs, published once its output is known to be good.

They are durable before the receipt that names them. A crash in between leaves children without that receipt: the
parent runs again, emits the same keys, and these are known. Every item has the one parent of its first emission
(`rivus.model.children`): a key that is an item of somebody else already is counted as known and not waited for.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rivus.model.children import MAX_CHILDREN, MAX_DEPTH, Parent, depth_of, parent_of
from rivus.model.document import parse_object
from rivus.model.item import NAME, Ticket, check_key, digest
from rivus.model.outcome import Halt, ItemFailed, Json
from rivus.model.plan import Plan
from rivus.model.times import utc
from rivus.spool.children import birth_of
from rivus.spool.desk import RESERVE
from rivus.spool.hands import change
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.reader import MAX_BYTES, Unreadable, dump, read_bytes
from rivus.talk import scrubbed

BATCH = 500
MOST_BYTES = 64 << 20
"""How much the children of one try may hold, as JSON."""
PATIENCE = 5.0
"""Seconds that a parent waits for children to end for which it has other data, before it is put off."""
_LOOK = 0.05


class ChildRuns(Exception):
    """An own child runs just now, and so cannot be given other data. Nobody is at fault."""


class Plans:
    """The plans of the jobs to which children may go: the parent's own, and others, read again when their files
    change. A disabled job takes children all the same: they wait there."""

    def __init__(self, own: Plan, folder: Path) -> None:
        self._own, self._folder = own, folder
        self._read: dict[str, tuple[tuple[int, int, int], Plan]] = {}

    def __call__(self, job: str | None) -> Plan:
        """Raises Halt for a job that is not there or is broken."""
        if job is None or job == self._own.job:
            return self._own
        stamp = self._stamp(job)
        if job not in self._read or self._read[job][0] != stamp:
            self._read[job] = stamp, self._load(job)
        return self._read[job][1]

    def _stamp(self, job: str) -> tuple[int, int, int]:
        try:
            status = os.stat(self._folder / f"{job}.yaml")
        except OSError:
            return 0, 0, 0
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _load(self, job: str) -> Plan:
        from rivus.config.load import load_job
        from rivus.errors import BadConfig

        try:
            return load_job(self._folder, job).plan
        except BadConfig as error:
            raise Halt(f"children for the job {job}: {error}") from None


class Emitted:
    """What one try of `parent` in `stage` has emitted, in order. Nothing is in the spool before `publish`."""

    def __init__(self, parent: Ticket, stage: str, plans: Callable[[str | None], Plan]) -> None:
        self._parent, self._stage, self._plans = Parent(parent.job, parent.key), stage, plans
        self._depth = depth_of(parent.meta) + 1
        self._plan: dict[str, Plan] = {}
        self._bytes, self._until = 0, 0.0
        self.tickets: dict[tuple[str, str], Ticket] = {}

    def __len__(self) -> int:
        return len(self.tickets)

    def add(self, key: str, data: Json, job: str | None = None) -> None:
        """Takes a child; the first of a key counts. Raises ItemFailed for what cannot be an item, for more than 10,000
        children or 64 MiB of them, and for children of children 8 deep; Halt for a job that cannot take it."""
        ticket = self._ticket(key, data, job)
        if (ticket.job, ticket.key) in self.tickets:
            return
        if self._depth > MAX_DEPTH:
            raise ItemFailed(f"its children would be more than {MAX_DEPTH} deep: do they emit one another?")
        if len(self.tickets) >= MAX_CHILDREN:
            raise ItemFailed(f"it emits more than {MAX_CHILDREN} children")
        self._plan[ticket.job] = self._plans(job)
        self.tickets[ticket.job, ticket.key] = ticket

    def _ticket(self, key: str, data: Json, job: str | None) -> Ticket:
        """The child as it will be read again: later changes of `data` do not change it."""
        name = self._parent.job if job is None else job
        meta: Json = {"discovered": utc(time.time()), "strategy": f"emit:{self._stage}"}
        meta |= {"parent": self._parent.to_json(), "depth": self._depth}
        try:
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise ValueError("its job is not the name of one")
            if not isinstance(data, dict):
                raise ValueError("its data is not an object")
            raw = dump(Ticket(name, check_key(key), data, meta).to_json())
        except ValueError as error:
            raise ItemFailed(f"the child {scrubbed(str(key))[:80]!r} cannot be an item: {error}") from None
        self._bytes += len(raw)
        if len(raw) > MAX_BYTES - RESERVE or self._bytes > MOST_BYTES:
            raise ItemFailed(f"the child {scrubbed(key)[:80]!r} is too large, or all of its children are")
        return Ticket(name, key, parse_object(raw)["data"], meta)

    def add_lines(self, path: Path) -> None:
        """Takes the children that a program has written to a file: JSON Lines of `key`, `data` and perhaps `job`.
        Raises ValueError for any other line, and as `add`."""
        try:
            raw, _ = read_bytes(str(path), MOST_BYTES)
        except FileNotFoundError:
            return
        except Unreadable as error:
            raise ValueError(f"RIVUS_EMIT cannot be read: {error}") from None
        for number, line in enumerate(raw.split(b"\n"), 1):
            if line.strip():
                self.add(**_fields(line, number))

    def receipt(self) -> Json:
        """What a receipt says if all of them are own children: the largest that it can become."""
        return self._told(list(self.tickets.values()), 0)

    def publish(self, spool: Spool, owner: Owner) -> Json:
        """Makes them items, durably, gives own children their new data, and gives what the receipt says of them. Raises
        ChildRuns if a child with other data does not end soon, ItemFailed if the record of one cannot be read."""
        own: list[Ticket] = []
        self._until = time.monotonic() + PATIENCE
        every = list(self.tickets.values())  # what a thread of the handler still adds is too late
        for job, plan in list(self._plan.items()):
            spool.prepare(plan)
            tickets = (ticket for ticket in every if ticket.job == job)
            while batch := list(itertools.islice(tickets, BATCH)):
                own += self._publish(spool, owner, plan, batch)
        return self._told(own, len(every) - len(own))

    def _publish(self, spool: Spool, owner: Owner, plan: Plan, batch: list[Ticket]) -> Iterator[Ticket]:
        fresh = {ticket.name for ticket in publish(spool, plan, batch, owner)}
        for ticket in batch:
            if ticket.name in fresh or self._is_own(spool, owner, plan, ticket):
                yield ticket

    def _is_own(self, spool: Spool, owner: Owner, plan: Plan, ticket: Ticket) -> bool:
        """Whether a known item is an own child; if so, it has the data in `ticket` now."""
        while (own := self._renewed(spool, owner, plan, ticket)) is None:
            if time.monotonic() >= self._until:
                raise ChildRuns(f"its child {ticket.job}/{ticket.key} has other data, and runs just now")
            time.sleep(_LOOK)
        return own

    def _renewed(self, spool: Spool, owner: Owner, plan: Plan, ticket: Ticket) -> bool | None:
        """As `_is_own`; None if it is one that cannot be given its data now."""
        try:
            known = birth_of(spool, ticket.job, ticket.name)
            if known is None or parent_of(known.get("meta")) != self._parent:
                return False
            same = digest(known.get("data")) == digest(ticket.data)
            return same or change(spool, plan, ticket, owner, rerun=True) or None
        except (Unreadable, ValueError, KeyError) as error:
            raise ItemFailed(f"the record of its child {ticket.job}/{ticket.key} cannot be read: {error}") from None

    def _told(self, own: list[Ticket], known: int) -> Json:
        named: dict[str, list[str]] = {}
        for ticket in own:
            named.setdefault(ticket.job, []).append(ticket.key)
        told: Json = {"emitted": named} if named else {}
        return {**told, "known": known} if known else told


def _fields(line: bytes, number: int) -> dict[str, Any]:
    try:
        fields = parse_object(line)
    except ValueError as error:
        raise ValueError(f"RIVUS_EMIT, line {number}: {error}") from None
    if not {"key", "data"} <= fields.keys() <= {"key", "data", "job"}:
        raise ValueError(f"RIVUS_EMIT, line {number}: it needs key and data, and may have job")
    return fields
