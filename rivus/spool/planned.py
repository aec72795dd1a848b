"""`JOB/.plan.json`: the stages and needs by which every item of the job has its tickets.

    {"needs": {"fetch": [], "extract": ["fetch"]}, "whole": true}

A publisher that works by other stages makes it say `"whole": false`. It is a note that saves looking: without it, or if
it cannot be read, every item is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable, dump, read_document


@dataclass(frozen=True, slots=True)
class Planned:
    """needs: as noted. whole: whether every item has a ticket for each of these stages."""

    needs: Json
    whole: bool

    def fits(self, plan: Plan) -> bool:
        return self.whole and self.needs == _needs(plan)


def planned(spool: Spool, job: str) -> Planned:
    """What is noted of a job; no stages if nothing is."""
    try:
        noted = read_document(_path(spool, job))
    except (FileNotFoundError, Unreadable):
        return Planned({}, False)
    needs = noted.get("needs")
    return Planned(needs if isinstance(needs, dict) else {}, noted.get("whole") is True)


def note_plan(spool: Spool, plan: Plan, owner: Owner) -> None:
    """Every item has its tickets. Call it inside `publishing`."""
    owner.write(_path(spool, plan.job), dump({"needs": _needs(plan), "whole": True}))


def note_publisher(spool: Spool, plan: Plan, owner: Owner) -> None:
    """Items are about to get tickets by this plan. Call it inside `publishing`."""
    before = planned(spool, plan.job)
    if not before.whole and not any(True for _ in names(spool.births(plan.job))):
        note_plan(spool, plan, owner)  # the first items of all
    elif before.whole and not before.fits(plan):
        owner.write(_path(spool, plan.job), dump({"needs": before.needs, "whole": False}))


def _needs(plan: Plan) -> Json:
    return {stage: list(needs) for stage, needs in plan.needs.items()}


def _path(spool: Spool, job: str) -> str:
    return f"{spool.root}/{job}/.plan.json"
