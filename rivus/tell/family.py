"""Parents and children, told to people: for which children a stage waits, and which ones an item has. Reads only."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rivus.errors import RivusError
from rivus.model.children import emitted
from rivus.model.item import file_name
from rivus.model.outcome import Json
from rivus.model.reason import Kind, Reason
from rivus.model.states import Box
from rivus.spool.children import open_children
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable
from rivus.spool.results import last_result

if TYPE_CHECKING:
    from rivus.config.schema import Job

NAMED = 3
LOOKED_AT = 200
"""Of how many open children it is found out what they are at."""
_FIRST = {"failed": 0, "held": 1, "not there": 2}


def waits_for_children(spool: Spool, job: Job | None, stage: str, name: str) -> Reason | None:
    """That a stage, all of whose needs are done, waits for children of the item; None if it does not."""
    if job is None or stage not in job.plan.children:
        return None
    try:
        left, count = open_children(spool, job.plan, stage, name)
    except Unreadable as error:
        what = "the receipt that names its children cannot be read"
        return Reason(stage, Kind.NEEDS, what, why=str(error), override="rivus-doctor --fsck")
    if not left:
        return None
    found = [(_state(spool, *one), f"{one[0]}/{one[2]}") for one in left[:LOOKED_AT]]
    found.sort(key=lambda pair: _FIRST.get(pair[0], len(_FIRST)))
    named = ", ".join(f"{address} ({state})" for state, address in found[:NAMED]) + ", …" * (len(left) > NAMED)
    places = " and ".join(f"{other}:{at}" for other, at in job.plan.children[stage])
    known = known_of(spool, job.name, job.plan.ancestors(stage), name)
    detail = "; ".join(filter(None, [f"{len(left)} of {count} are not done: {named}", known]))
    override = f"rivus-why {shlex.quote(found[0][1])}"
    return Reason(stage, Kind.NEEDS, f"waits for its children in {places}", detail, override=override)


def _state(spool: Spool, job: str, stage: str, key: str) -> str:
    """What a child is at: failed or held in any stage, else where it is in the one that is waited for."""
    name = file_name(key)
    places = {one: spool.where(job, one, name) for one in spool.stages(job)}
    boxes = {one: place[0] for one, place in places.items() if place}
    for box in (Box.FAILED, Box.HELD):
        if box in boxes.values():
            return str(box)
    return str(boxes.get(stage, "not there"))


def known_note(receipts: Iterable[object]) -> str:
    """How many of the keys that these receipts tell of were items of somebody else; "" if none was."""
    counts = (receipt.get("known") for receipt in receipts if isinstance(receipt, dict))
    number = sum(count for count in counts if isinstance(count, int))
    were = "was an item already" if number == 1 else "were items already"
    return f"{number} of the keys it emitted {were}: not waited for" if number > 0 else ""


def known_of(spool: Spool, job: str, stages: Iterable[str], name: str) -> str:
    """The same of an item's results in these stages, as far as they can be read."""
    try:
        return known_note([(last_result(spool, job, stage, name) or {}).get("receipt") for stage in stages])
    except (Unreadable, RivusError):
        return ""


def children_of(stages: Mapping[str, Json]) -> Json:
    """The children that the receipts of an item's stages name: for each job how many, and the first keys."""
    named: dict[str, dict[str, None]] = {}
    for part in stages.values():
        for job, keys in emitted(part.get("receipt")).items():
            named.setdefault(job, {}).update(dict.fromkeys(keys))
    return {job: {"count": len(keys), "first": list(keys)[:NAMED]} for job, keys in named.items() if keys}
