"""Everything that can be known to be wrong with jobs.d before anything runs.

Besides what reading the files tells: every strategy and handler exists and takes what the job gives it,
every command can be run, every calendar expression is one. Nothing is run but `systemd-analyze calendar`;
modules are imported, no handler is called, no network is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Any

from rivus.config.doctor import read_doctor
from rivus.config.load import Jobs, load_jobs
from rivus.config.prices import read_prices
from rivus.config.problem import Finding, Problem, Where, did_you_mean, problem_at, quoted
from rivus.config.rules import awaited
from rivus.config.schema import Discover, Job, Stage
from rivus.errors import BadConfig
from rivus.plugins import Kind, bind, find

CALENDAR_SECONDS = 10


def check(folder: Path) -> list[Problem]:
    """All problems of the jobs in `folder`, in the order of files and lines; [] if there is none. Raises
    BadConfig only if the folder cannot be read."""
    jobs = load_jobs(folder)
    problems = list(jobs.problems)
    for job in jobs.drafts.values():
        shown = str(folder / job.file.name)
        findings = [*_job_findings(job), *_awaited_findings(job, jobs), *_chain_findings(job, jobs)]
        problems += (problem_at(shown, job.marks, finding) for finding in findings)
    return sorted([*problems, *read_doctor(folder)[1], *read_prices(folder)[1]])


def _job_findings(job: Job) -> Iterator[Finding]:
    if isinstance(job.discover, Discover):
        yield from _discover_findings(job.discover, job.folder)
    for name, stage in job.stages.items():
        if isinstance(stage, Stage):
            yield from _stage_findings(("stages", name), stage, job.folder)


def _awaited_findings(job: Job, jobs: Jobs) -> Iterator[Finding]:
    """Children that are awaited in other jobs."""
    for place, need in awaited(job):
        other, stage = need.target
        if other == job.name or other in jobs.broken:
            continue
        theirs = jobs.drafts.get(other)
        if theirs is None:
            yield (*place, "children"), f"unknown job {quoted(other)}{did_you_mean(other, jobs.drafts)}"
        elif stage not in theirs.stages:
            yield (*place, "children"), f"{other} has no stage {quoted(stage)}{did_you_mean(stage, theirs.stages)}"


def _chain_findings(job: Job, jobs: Jobs) -> Iterator[Finding]:
    """The job and stage that the strategy `items` takes its items from."""
    if not isinstance(job.discover, Discover) or job.discover.strategy != "items":
        return
    other, stage = (job.discover.params.get(name) for name in ("job", "stage"))
    theirs = jobs.drafts.get(other) if isinstance(other, str) else None
    if other == job.name:
        yield ("discover", "job"), "a job cannot be its own source"
    elif not isinstance(other, str) or other in jobs.broken:
        return
    elif theirs is None:
        yield ("discover", "job"), f"unknown job {quoted(other)}{did_you_mean(other, jobs.drafts)}"
    elif isinstance(stage, str) and stage not in theirs.stages:
        yield ("discover", "stage"), f"{other} has no stage {quoted(stage)}{did_you_mean(stage, theirs.stages)}"


def _discover_findings(discover: Discover, folder: Path) -> Iterator[Finding]:
    if isinstance(discover.strategy, str):
        place: Where = ("discover",)
        yield from _plugin_findings("source", discover.strategy, (*place, "strategy"), discover.params, place, folder)
    if isinstance(discover.calendar, str) and (fault := _calendar_fault(discover.calendar)):
        yield ("discover", "calendar"), fault


def _stage_findings(place: Where, stage: Stage, folder: Path) -> Iterator[Finding]:
    if isinstance(stage.handler, str):
        given = stage.with_ if isinstance(stage.with_, dict) else {}
        yield from _plugin_findings("handler", stage.handler, (*place, "handler"), given, (*place, "with"), folder)
    program = stage.command[0] if isinstance(stage.command, list) else None
    if isinstance(program, str) and (fault := _command_fault(program, folder)):
        yield (*place, "command"), fault


def _plugin_findings(
    kind: Kind, name: str, place: Where, given: Mapping[str, Any], inside: Where, folder: Path
) -> Iterator[Finding]:
    """place: where the name stands; inside: where its parameters do."""
    try:
        function = find(kind, name, folder)
        _, found = bind(function, given, kind)
    except BadConfig as error:
        yield place, str(error)
        return
    for path, message in found:
        yield (*inside, *path), message


def _command_fault(program: str, folder: Path) -> str:
    if "/" not in program:
        return "" if which(program) else f"no program {program!r} on PATH"
    path = folder / program
    if not path.is_file():
        return f"no file {program!r}"
    return "" if os.access(path, os.X_OK) else f"{program!r} is not executable"


def _calendar_fault(expression: str) -> str:
    """What systemd says against an expression (systemd.time(7)); nothing on a machine without systemd."""
    import subprocess

    program = which("systemd-analyze")
    if program is None:
        return ""
    command = [program, "calendar", "--", expression]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CALENDAR_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"systemd-analyze cannot check it: {type(error).__name__}"
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or ["not a calendar expression"])[0]
