"""The children of an item in the spool: which ones a stage awaits, whether they have ended, and what they gave."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache

from rivus.model.children import awaited, emitted
from rivus.model.inputs import Child, ended
from rivus.model.item import file_name
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_document
from rivus.spool.results import last_result

MAX_BYTES = 64 << 20
"""How much data and output of children, as JSON, one input may hold."""


def children_ended(spool: Spool, plan: Plan, stage: str, name: str) -> bool:
    """Whether all that `stage` awaits of an item's children is done. False while a receipt cannot be read.

    The last child is looked at first: while many are open, it most likely is, so a look costs a few calls."""
    try:
        named = [_named(spool, plan.job, ancestor, name) for ancestor in plan.ancestors(stage)]
    except Unreadable:
        return False
    return all(
        spool.ended(job, (other,), child)
        for job, other in plan.children.get(stage, ())
        for one in reversed(named)
        for child in reversed(one.get(job, ()))
    )


def _named(spool: Spool, job: str, stage: str, name: str) -> Mapping[str, tuple[str, ...]]:
    """The names of the own children that a stage's receipt names, by job. Raises Unreadable."""
    path = spool.ticket(job, stage, Box.DONE, name)
    try:
        status = os.stat(path)
        return _read_names(path, status.st_ino, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:  # it is being made anew: the old result counts
        return _names_in(last_result(spool, job, stage, name) or {})


@lru_cache(maxsize=16)
def _read_names(path: str, inode: int, changed: int, size: int) -> Mapping[str, tuple[str, ...]]:
    return _names_in(read_document(path))


def _names_in(document: Mapping[str, object]) -> Mapping[str, tuple[str, ...]]:
    return {job: tuple(map(file_name, keys)) for job, keys in emitted(document.get("receipt")).items()}


def open_children(spool: Spool, plan: Plan, stage: str, name: str) -> tuple[list[tuple[str, str, str]], int]:
    """The children for which `stage` still waits, as job, stage and key; and how many it awaits in all. Raises
    Unreadable."""
    receipts = {one: (last_result(spool, plan.job, one, name) or {}).get("receipt") for one in plan.ancestors(stage)}
    every = [(*pair, key) for pair, keys in awaited(plan, stage, receipts).items() for key in keys]
    return [one for one in every if not spool.ended(one[0], (one[1],), file_name(one[2]))], len(every)


def results_of_children(
    spool: Spool, plan: Plan, stage: str, receipts: Mapping[str, object]
) -> dict[tuple[str, str], list[Child]]:
    """What the awaited children gave, by job and stage. receipts: of the ancestors of `stage`. Raises Unreadable, and
    ValueError for more than 64 MiB or for a child that cannot be given."""
    found: dict[tuple[str, str], list[Child]] = {}
    room = MAX_BYTES
    for (job, other), keys in awaited(plan, stage, receipts).items():
        found[job, other] = group = []
        for child in _results(spool, job, other, keys):
            group.append(child)
            room -= len(json.dumps(child.to_json(), ensure_ascii=False))
            if room < 0:
                raise ValueError(f"the children in {job} give more than {MAX_BYTES >> 20} MiB")
    return found


def _results(spool: Spool, job: str, stage: str, keys: list[str]) -> Iterator[Child]:
    for key in keys:
        document = last_result(spool, job, stage, file_name(key))
        if document is None:
            document = _without_result(spool, job, stage, key)
        result = ended(document.get("output"), document.get("receipt"))
        data = document.get("data")
        yield Child(job, key, data if isinstance(data, dict) else {}, result)


def _without_result(spool: Spool, job: str, stage: str, key: str) -> Json:
    """A child that is archived, or that a person has passed over: then its data alone."""
    name = file_name(key)
    if archived := _archived(spool, job, name):
        return archived["stages"].get(stage) or {"data": archived["birth"]["data"]}
    try:
        data = read_document(f"{spool.births(job)}/{name}").get("data")
    except FileNotFoundError:
        raise ValueError(f"the child {job}/{key} is not in the spool any more") from None
    return {"data": data, "receipt": {"skipped": "it has no result"}}


def birth_of(spool: Spool, job: str, name: str) -> Json | None:
    """An item's birth record, of an archived one too. Raises Unreadable, ValueError."""
    try:
        return read_document(f"{spool.births(job)}/{name}")
    except FileNotFoundError:
        archived = _archived(spool, job, name)
        return archived["birth"] if archived else None


def _archived(spool: Spool, job: str, name: str) -> Json | None:
    if not spool.archived(job, name):
        return None
    from rivus.spool.archive import archived_item

    return archived_item(spool, job, name)
