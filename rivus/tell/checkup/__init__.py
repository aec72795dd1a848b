"""The check-up of `rivus-doctor`: what stands in the way of the work, each with the command that mends it.

It changes nothing, and its time is bounded whatever the spool holds: directories are counted, files are sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.errors import RivusError
from rivus.spool.layout import Spool
from rivus.tell.checkup import machine, rests, setup, sources, units, work
from rivus.tell.checkup.finding import Finding, one_line, word
from rivus.tell.checkup.visit import Visit

if TYPE_CHECKING:
    from rivus.config.load import Jobs

__all__ = ["Finding", "checkup", "resting"]

Check = Callable[[Visit], Iterator[Finding]]
RESTS: tuple[Check, ...] = (rests.paused_jobs, rests.resting_sources)
CHECKS: tuple[Check, ...] = (
    setup.problems, setup.secrets, setup.writable_by_all, machine.network, machine.space, machine.inodes,
    machine.rights, units.units, work.dead_owners, work.stuck, work.overdue, work.idle, work.given_up,
    work.rejected, work.removed_stages, sources.silent, sources.empty, setup.ytdlp, machine.bytecode,
    machine.large_test_spool,
)  # fmt: skip


def checkup(spool: Spool, jobs: Jobs, folder: Path, now: float) -> list[Finding]:
    """All findings: what rests, with its cause, before all others; of these the grave ones first.

    folder: jobs.d. now: seconds since the epoch. A check that cannot be made is a finding, too.
    """
    visit = Visit(spool, jobs, folder, now)
    found = [finding for check in CHECKS for finding in _made(check, visit)]
    return [*resting(spool, jobs, folder, now), *sorted(found, key=lambda finding: not finding.grave)]


def resting(spool: Spool, jobs: Jobs, folder: Path, now: float) -> list[Finding]:
    """Only what rests: paused jobs and parked sources, each with its cause and what ends it."""
    visit = Visit(spool, jobs, folder, now)
    return [finding for check in RESTS for finding in _made(check, visit)]


def _made(check: Check, visit: Visit) -> list[Finding]:
    try:
        return list(check(visit))
    except (OSError, RivusError) as error:
        what = f"{check.__name__}: could not be checked: {one_line(error, 400)}"
        return [Finding(what, f"namei -l -- {word(visit.spool.root)}", grave=True)]
