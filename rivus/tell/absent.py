"""Why a stage has no ticket of an item, and what gives it one. Reads only."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rivus.model.reason import Kind, Reason
from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.planned import planned

if TYPE_CHECKING:
    from rivus.config.schema import Job


def absent(spool: Spool, name: str, job: str, stage: str, sound: Job | None) -> Reason:
    """For an item, `name` being that of its file, which is nowhere in the stage. sound: its job if it is not broken."""
    if not spool.born(job, name):
        what = "is not published there yet; the sweep, or the worker that claims the item, completes it"
        return Reason(stage, Kind.MISSING, what, override="rivus-sweep")
    if sound and not planned(spool, job).fits(sound.plan):
        what = "is newer than the item; the sweep, or the next worker of this job, gives it a ticket"
        return Reason(stage, Kind.MISSING, what, override="rivus-sweep")
    needs = sound.plan.needs.get(stage, ()) if sound else ()
    target = spool.box(job, stage, Box.WAIT if needs else Box.READY)
    link = shlex.join(["ln", f"{spool.births(job)}/{name}", f"{target}/{name}"])
    return Reason(stage, Kind.MISSING, "has no file in this stage", why="it was removed", override=link)
