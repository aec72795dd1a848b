"""What a stage works on: the item's data with the outputs of all its ancestors laid over it, in order."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

from rivus.model.item import digest
from rivus.model.outcome import Json, Skip
from rivus.model.plan import Plan

SHORT = 16
"""Hex digits of a digest that says from what a result was made."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a stage left. output: {} if it was skipped. made: digest of the output, as its receipt has it; "-"
    if it was skipped."""

    output: Json
    skipped: bool
    made: str


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
