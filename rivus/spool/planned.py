"""`JOB/.plan.json`: the stages and needs by which every item of the job has its tickets.

    {"needs": {"fetch": [], "extract": ["fetch"]}, "children": {"extract": [["pages", "score"]]}, "whole": true}

A publisher that works by other stages makes it say `"whole": false`. It is a note that saves looking: without it, or if
it cannot be read, every item is looked at. Whoever ends a child finds here what its parent waits for.
"""

from __future__ import annotations

from dataclasses import dataclass

from rivus.model.item import NAME
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable, dump, read_document


@dataclass(frozen=True, slots=True)
class Planned:
    """needs, children: as noted. whole: whether every item has a ticket for each of these stages."""

    needs: Json
    whole: bool
    children: Json

    def fits(self, plan: Plan) -> bool:
        return self.whole and self.needs == _needs(plan) and self.children == _children(plan)

    def follows(self, plan: Plan, stage: str) -> bool:
        """Whether the stage waits by the note for what it waits for by `plan`."""
        same = self.children.get(stage) == _children(plan).get(stage)
        return same and self.needs.get(stage) == list(plan.needs[stage])

    def plan(self, job: str) -> Plan:
        """What is noted, as a plan; one without stages if that makes none."""
        try:
            needs = {_name(stage): tuple(map(_name, names)) for stage, names in self.needs.items()}
            pairs = {_name(stage): tuple((_name(one), _name(two)) for one, two in found)
                     for stage, found in self.children.items() if stage in needs}  # fmt: skip
        except (TypeError, ValueError):
            return Plan(job, {})
        plan = Plan(job, needs, pairs)
        return plan if plan.sound else Plan(job, {})


def planned(spool: Spool, job: str) -> Planned:
    """What is noted of a job; no stages if nothing is."""
    try:
        noted = read_document(_path(spool, job))
    except (FileNotFoundError, Unreadable):
        return Planned({}, False, {})
    needs, children = noted.get("needs"), noted.get("children", {})
    if not isinstance(needs, dict) or not isinstance(children, dict):
        return Planned({}, False, {})
    return Planned(needs, noted.get("whole") is True, children)


def is_behind(spool: Spool, plan: Plan) -> bool:
    """Whether the job has items of which some may lack tickets for its stages as they are now."""
    return not planned(spool, plan.job).fits(plan) and any(True for _ in names(spool.births(plan.job)))


def note_plan(spool: Spool, plan: Plan, owner: Owner) -> None:
    """Every item has its tickets. Call it inside `publishing`."""
    owner.write(_path(spool, plan.job), dump(_note(_needs(plan), _children(plan), whole=True)))


def note_publisher(spool: Spool, plan: Plan, owner: Owner) -> None:
    """Items are about to get tickets by this plan. Call it inside `publishing`."""
    before = planned(spool, plan.job)
    if not before.whole and not any(True for _ in names(spool.births(plan.job))):
        note_plan(spool, plan, owner)  # the first items of all
    elif before.whole and not before.fits(plan):
        owner.write(_path(spool, plan.job), dump(_note(before.needs, before.children, whole=False)))


def _note(needs: Json, children: Json, whole: bool) -> Json:
    return {"needs": needs, **({"children": children} if children else {}), "whole": whole}


def _needs(plan: Plan) -> Json:
    return {stage: list(needs) for stage, needs in plan.needs.items()}


def _children(plan: Plan) -> Json:
    return {stage: [list(pair) for pair in pairs] for stage, pairs in plan.children.items()}


def _name(value: object) -> str:
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise ValueError("not the name of a job or a stage")


def _path(spool: Spool, job: str) -> str:
    return f"{spool.root}/{job}/.plan.json"
