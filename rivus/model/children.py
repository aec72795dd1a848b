"""Parents and children: what an item's meta and a stage's receipt say about items that were made of another one.

    meta of a child        {"parent": {"job": "feed", "key": "k"}, "depth": 1, …}
    receipt of the stage   {"emitted": {"pages": ["a", "b"]}, "known": 1, …}

An item is an *own child* of the one parent that its meta names, so parents and children are a forest, and waiting for
one's own children never goes round in a circle. known: how many emitted keys were items of somebody else already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rivus.model.item import NAME, check_key, file_name
from rivus.model.outcome import Json
from rivus.model.plan import Plan

MAX_CHILDREN = 10_000
"""How many children one try may emit."""
MAX_DEPTH = 8
"""How many ancestors a child may have."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The item that another one was made of."""

    job: str
    key: str

    @property
    def name(self) -> str:
        """The name of its files."""
        return file_name(self.key)

    def to_json(self) -> Json:
        return {"job": self.job, "key": self.key}


def parent_of(meta: object) -> Parent | None:
    """The parent that an item's meta names; None if it names none that could be one."""
    parent = meta.get("parent") if isinstance(meta, dict) else None
    if not isinstance(parent, dict):
        return None
    job, key = parent.get("job"), parent.get("key")
    try:
        return Parent(job, check_key(key)) if isinstance(job, str) and NAME.fullmatch(job) else None
    except ValueError:
        return None


def depth_of(meta: Json) -> int:
    """How many ancestors an item has: 0 for one that no handler emitted."""
    depth = meta.get("depth")
    return depth if isinstance(depth, int) and depth > 0 else 0


def emitted(receipt: object) -> dict[str, list[str]]:
    """The own children that a receipt names: job -> keys, in the order of emission."""
    named = receipt.get("emitted") if isinstance(receipt, dict) else None
    if not isinstance(named, dict):
        return {}
    return {
        job: [key for key in keys if isinstance(key, str)]
        for job, keys in named.items()
        if NAME.fullmatch(job) and isinstance(keys, list)
    }


def awaited(plan: Plan, stage: str, receipts: Mapping[str, object]) -> dict[tuple[str, str], list[str]]:
    """For each job and stage that `stage` awaits: the keys of the children, each once, in the order of emission.
    receipts: those of its ancestors."""
    named = [emitted(receipts.get(one)) for one in plan.ancestors(stage)]
    return {
        (job, other): list(dict.fromkeys(key for one in named for key in one.get(job, ())))
        for job, other in plan.children.get(stage, ())
    }
