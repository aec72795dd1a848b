"""How the units of the jobs are: what waits, what ran last and how it ended, what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rivus.model.states import Box
from rivus.spool.layout import Spool, names

if TYPE_CHECKING:
    from rivus.config.schema import Job
    from rivus.units.manager import Manager

PROPERTIES = ("LoadState", "ActiveState", "SubState", "Result", "ExecMainExitTimestamp")
NEVER = 2**63
"""From here on a timer's time means that there is none."""


@dataclass(frozen=True)
class Row:
    """what: `discover` or the stage. state: `waiting` for its time or for work, `running`, `failed`, `off` (not
    installed, or stopped). last, next: seconds since the epoch. result: of the last run, as systemd calls it. ready:
    how many items wait to be run; None for discovery."""

    job: str
    what: str
    unit: str
    state: str
    last: float | None
    result: str
    next: float | None
    ready: int | None


def status(jobs: Iterable[Job], spool: Spool, manager: Manager) -> list[Row]:
    """One row for the discovery of each job that is switched on, and for each of its stages. Raises RivusError."""
    wanted = [row for job in jobs if job.enabled for row in _units(job)]
    shown = manager.show({name for _, _, unit, waits in wanted for name in (f"{unit}.service", waits)}, PROPERTIES)
    timers = manager.timers()
    return [_row(job, what, unit, waits, shown, timers, spool) for job, what, unit, waits in wanted]


def _units(job: Job) -> Iterator[tuple[str, str, str, str]]:
    """Job, what, unit, and the unit that starts it."""
    if job.discover:
        yield job.name, "discover", f"rivus-discover@{job.name}", f"rivus-discover@{job.name}.timer"
    for stage in job.stages:
        yield job.name, stage, f"rivus-stage@{job.name}:{stage}", f"rivus-stage@{job.name}:{stage}.path"


def _row(
    job: str, what: str, unit: str, waits: str, shown: Mapping[str, Mapping[str, str]],
    timers: Mapping[str, Mapping[str, Any]], spool: Spool,
) -> Row:  # fmt: skip
    service = shown.get(f"{unit}.service", {})
    ended = service.get("ExecMainExitTimestamp", "").removeprefix("@")
    last = float(ended) if ended.isdigit() and ended != "0" else None
    stage = what != "discover"
    return Row(
        job=job,
        what=what,
        unit=f"{unit}.service",
        state=_state(service, shown.get(waits, {})),
        last=last,
        result=service.get("Result", "") if last else "",
        next=None if stage else _seconds(timers.get(waits, {}).get("next")),
        ready=sum(1 for _ in names(spool.box(job, what, Box.READY))) if stage else None,
    )


def _state(service: Mapping[str, str], waits: Mapping[str, str]) -> str:
    if service.get("ActiveState") in ("active", "activating", "deactivating", "reloading"):
        return "running"
    if "failed" in (service.get("ActiveState"), waits.get("ActiveState")):
        return "failed"
    return "waiting" if waits.get("ActiveState") == "active" else "off"


def _seconds(microseconds: Any) -> float | None:
    known = isinstance(microseconds, int) and 0 < microseconds < NEVER
    return microseconds / 1e6 if known else None
