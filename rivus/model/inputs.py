"""What a stage works on: the item's data with the outputs of all its ancestors laid over it, in order.

A stage that awaits the item's children gets these as the field `children`: a list of `{"job", "key", "data", "output"}`
in the order in which they were emitted; the output of a child that was skipped or dropped is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from rivus.model.item import digest
from rivus.model.outcome import Json, Skip
from rivus.model.plan import Plan

SHORT = 16
"""Hex digits of a digest that says from what a result was made."""


CHILDREN = "children"
"""Begins the names of digests of children among those of what a result was made from."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a stage left. output: {} if it was skipped. made: digest of the output, as its receipt has it; "-"
    if it was skipped."""

    output: Json
    skipped: bool
    made: str


@dataclass(frozen=True, slots=True)
class Child:
    """What a stage left of a child. data: as it was when that stage ran."""

    job: str
    key: str
    data: Json
    result: Ended

    def to_json(self) -> Json:
        return {"job": self.job, "key": self.key, "data": self.data, "output": self.result.output or None}


Children = Mapping[tuple[str, str], Sequence[Child]]
"""The awaited children by their job and stage."""


def ended(output: object, receipt: object) -> Ended:
    """The two parts of a ticket, whoever wrote them. Raises ValueError for what no stage writes."""
    output, receipt = output or {}, receipt or {}
    if not isinstance(output, dict) or not isinstance(receipt, dict):
        raise ValueError("it is not what a stage writes")
    made = receipt.get("output", "-" if "skipped" in receipt else None)
    return Ended(output, "skipped" in receipt, (made if isinstance(made, str) else digest(output))[:SHORT])


def input_of(plan: Plan, stage: str, data: Json, entered: object, results: Mapping[str, Ended]) -> Json:
    """The input of `stage`: a copy that is the handler's to change. results: those of its ancestors that there are.
    entered: the stage at which the item began, if not with the first. Raises Skip if every stage that this one needs
    was skipped, unless the item entered here."""
    whole = deepcopy(data)
    for ancestor in plan.ancestors(stage):
        if ancestor in results:
            whole.update(results[ancestor].output)
    needs = plan.needs[stage]
    skipped = [need for need in needs if need in results and results[need].skipped]
    if needs and entered != stage and len(skipped) == len(needs):
        raise Skip(f"{' and '.join(needs)} had nothing to do")
    return whole


def made_from(plan: Plan, stage: str, data: Json, results: Mapping[str, Ended]) -> dict[str, str]:
    """From what an input is made: digests of the data and of each ancestor's output. Equal ones make equal inputs."""
    outputs = {name: results[name].made for name in plan.ancestors(stage) if name in results}
    return {"data": digest(data)[:SHORT], **outputs}


def with_children(item: Json, children: Children) -> Json:
    """The input of a stage that awaits children; of one that does not, the same."""
    if not children:
        return item
    return {**item, "children": [child.to_json() for group in children.values() for child in group]}


def made_from_children(children: Children) -> dict[str, str]:
    """From what the field `children` is made: one digest for each job and stage."""
    return {
        f"{CHILDREN} {job}:{stage}": digest([[one.key, digest(one.data), one.result.made] for one in group])[:SHORT]
        for (job, stage), group in children.items()
    }
