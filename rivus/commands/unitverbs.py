"""What the verbs of rivus-units do and print. Each takes the request and gives the exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rivus.errors import BadConfig, RivusError
from rivus.talk import plain, say

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.config.schema import Job
    from rivus.units.install import Changes
    from rivus.units.manager import Manager
    from rivus.units.place import Place
    from rivus.units.status import Row

ROUNDS = 20
"""Of installations in one call, while somebody goes on editing."""
USER_LIMITS = (
    "Units of a user have less than the system's: no account of their own, none of the walls that need root (some file "
    "systems, network address filters), secrets only as files that this account can read. They run while you are "
    "logged in; `loginctl enable-linger` keeps them running."
)


@dataclass(frozen=True)
class Request:
    """What a person asked for: for whom, which folders, below which root, which jobs (none: all)."""

    user: bool
    jobs_folder: Path
    spool_folder: Path
    root: Path | None
    names: tuple[str, ...]

    @cached_property
    def place(self) -> Place:
        from rivus.units.place import place

        return place(self.user, self.jobs_folder, self.spool_folder, self.root)

    @cached_property
    def read(self) -> Jobs:
        """All of jobs.d; each problem is reported, once."""
        from rivus.config import load_jobs

        jobs = load_jobs(self.place.jobs)
        for problem in jobs.problems:
            say(str(problem))
        return jobs

    @property
    def jobs(self) -> dict[str, Job]:
        """The jobs asked for. Raises BadConfig for one that is not there, or broken."""
        for name in self.names:
            if name not in self.read.jobs:
                raise BadConfig(f"{name}: {'it is broken' if name in self.read.broken else 'no such job'}")
        return {name: job for name, job in self.read.jobs.items() if not self.names or name in self.names}

    @property
    def code(self) -> int:
        return BadConfig.exit_code if self.read.problems else 0

    def units(self) -> dict[str, str]:
        """The unit files, by name."""
        from rivus.units.render import render

        return render(self.jobs, self.place)

    def manager(self) -> Manager | None:
        """None with --root. Raises Unavailable: no systemd; RivusError: not ours to change."""
        from rivus.units.manager import manager

        if self.root is not None:
            return None
        found = manager(self.user)
        if not self.user and os.geteuid() != 0:
            raise RivusError("the units of the system are root's: use sudo, or --user")
        return found


def render(request: Request, to: Path | None) -> int:
    """Prints the units asked for, or writes them into a folder."""
    from rivus.units.install import job_of, write

    units = {name: text for name, text in request.units().items() if not request.names or job_of(name)}
    if to is not None:
        write(units, to.absolute())
        return request.code
    for name, text in sorted(units.items()):
        click.echo(f"# {request.place.units / name}\n{text}")
    return request.code


def diff(request: Request) -> int:
    """Prints what install would change; 1 if anything."""
    from rivus.units.install import compare
    from rivus.units.install import diff as lines

    changes = compare(request.units(), request.place.units, request.read.broken)
    for line in lines(changes, request.place.units):
        click.echo(line)
    return request.code or (1 if changes else 0)


def install(request: Request, start: bool) -> int:
    """Makes the units follow jobs.d. A broken job's stay as they are. What changes meanwhile is followed, too: a path
    unit does not see what happens while that which it started runs."""
    for _ in range(ROUNDS):
        before = _stamp(request.jobs_folder)
        code = _install(request, start)
        if _stamp(request.jobs_folder) == before:
            break
        request = replace(request)
    return code


def _stamp(folder: Path) -> list[tuple[str, int, int]]:
    """What differs after a change of a file of jobs.d."""
    try:
        states = [(entry.name, entry.stat(follow_symlinks=False)) for entry in os.scandir(folder)]
    except OSError:
        return []
    return sorted((name, state.st_mtime_ns, state.st_ino) for name, state in states)


def _install(request: Request, start: bool) -> int:
    from rivus.units import install as installing
    from rivus.units.place import hidden

    manager = request.manager()
    if manager and (part := hidden(request.place)):
        raise BadConfig(f"{part} cannot be seen by units of the system; `make install` puts the program where it can")
    units = request.units()
    if manager:
        installing.prepare([job for job in request.jobs.values() if job.enabled], request.place)
    changes = installing.install(
        units, request.place.units, manager, untouched=request.read.broken, start=start
    )
    _tell(changes)
    if request.user and changes.new:
        say(USER_LIMITS)
    return request.code


def remove(request: Request) -> int:
    """Removes all units that install made. Drop-ins, the spool and the jobs stay; what runs ends by itself."""
    from rivus.units import install as installing

    _tell(installing.install({}, request.place.units, request.manager()))
    return 0


def _tell(changes: Changes) -> None:
    for what, texts in (("new", changes.new), ("changed", changes.changed), ("removed", changes.gone)):
        for name in sorted(texts):
            say(f"{name}: {what}", 1)


def verify(request: Request) -> int:
    """Prints what systemd has against the units and the calendars; 1 if anything."""
    from tempfile import TemporaryDirectory

    from rivus.units.install import write
    from rivus.units.manager import calendar_fault
    from rivus.units.manager import verify as ask

    units, faults = request.units(), []
    for name, job in request.jobs.items():
        calendar = job.discover.calendar if job.discover else None
        if calendar and (fault := calendar_fault(calendar)):
            faults.append(f"{name}: {fault}")
    with TemporaryDirectory(prefix="rivus-units.") as folder:
        files = _for_analyze(units)
        write(files, Path(folder))
        said = ask([Path(folder) / name for name in files], request.user)
        faults += [line.replace(f"{folder}/", "") for line in said]
    for fault in faults:
        click.echo(plain(fault))
    return request.code or (1 if faults else 0)


def _for_analyze(units: Mapping[str, str]) -> dict[str, str]:
    """systemd-analyze takes what follows a colon in a file's name for another name of the unit (its TEMPLATE:INSTANCE),
    so the instance JOB:STAGE is JOB-STAGE to it; and it has no name for a template without an instance."""
    return {name.replace(":", "-").replace("@.", "@instance."): text for name, text in units.items()}


def status(request: Request, as_json: bool) -> int:
    """Prints a row for each job's discovery and stages."""
    from rivus.spool.layout import open_spool
    from rivus.units.manager import manager
    from rivus.units.status import status as look

    jobs = request.jobs.values()
    rows = look(jobs, open_spool(str(request.place.spool), look=True), manager(request.user))
    if as_json:
        for row in rows:
            click.echo(json.dumps(asdict(row)))
        return request.code
    table = [("JOB", "WHAT", "STATE", "LAST RUN", "RESULT", "NEXT", "READY"), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return request.code


def _cells(row: Row) -> tuple[str, ...]:
    from rivus.model.times import utc

    last, following = (utc(time)[:19] + "Z" if time else "-" for time in (row.last, row.next))
    ready = "-" if row.ready is None else str(row.ready)
    return row.job, row.what, row.state, last, row.result or "-", following, ready


def cron(request: Request) -> int:
    """Prints the crontab."""
    from datetime import datetime

    from rivus.units.cron import crontab

    click.echo(crontab(request.jobs, request.place, datetime.now().astimezone()), nl=False)
    return request.code
