"""The stages of a job as they are now: the version of each, and which older versions count as equal to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rivus.errors import BadConfig
from rivus.model.outcome import Json
from rivus.spool.blessed import blessings, equal_to
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable
from rivus.versions.parts import Parts, changed, version_of

if TYPE_CHECKING:
    from rivus.config.schema import Job


@dataclass(frozen=True, slots=True)
class Present:
    """parts: the version, None if it cannot be told. equal: the ids that count as it. fault: what cannot be read. said:
    what makes them count, oldest first."""

    parts: Parts | None
    equal: Collection[str]
    fault: str = ""
    said: Sequence[Json] = ()

    def differs(self, recorded: object) -> list[str]:
        """The names of the parts in which a recorded version differs, unless it counts as equal."""
        if self.parts is None or recorded_id(recorded) in self.equal:
            return []
        return changed(recorded, self.parts)


def recorded_id(recorded: object) -> str:
    """The id of a version as a receipt has it, "" if there is none."""
    value = recorded.get("id") if isinstance(recorded, dict) else None
    return value if isinstance(value, str) else ""


def present(spool: Spool, job: Job, stage: str) -> Present:
    """How a stage is now. What cannot be read is told, and does not make anything fresh or stale."""
    try:
        parts = version_of(job, job.stages[stage]).parts
    except BadConfig as error:
        return Present(None, (), str(error))
    try:
        rows = blessings(spool, job.name, stage)
    except Unreadable as error:
        return Present(parts, {parts["id"]}, f"nothing counts as blessed: {error}")
    equal = equal_to(rows, parts["id"])
    return Present(parts, equal, said=[row for row in rows if row["as"] in equal])
