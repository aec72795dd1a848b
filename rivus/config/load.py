"""jobs.d -> jobs and limits, with everything that is wrong at once.

A broken file disables the one job in it. A broken limits.yaml disables every job that names a limit: what
cannot be read is never "no limit".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from rivus.config.convert import convert
from rivus.config.doctor import DOCTOR
from rivus.config.prices import PRICES
from rivus.config.problem import Finding, Problem, did_you_mean, problem_at, quoted
from rivus.config.rules import job_findings, name_fault, named_limits
from rivus.config.schema import Discover, DiscoverFields, Job, JobFields, Limit, Stage, StageFields
from rivus.config.yamltree import UNUSABLE, Tree, read_yaml
from rivus.errors import BadConfig

LIMITS = "limits.yaml"
NO_JOBS = (LIMITS, DOCTOR, PRICES)
"""Files of jobs.d that are no job."""
_DISCOVER = frozenset(DiscoverFields.__struct_encode_fields__)


@dataclass(slots=True)
class Jobs:
    """All that jobs.d says. jobs: those without a problem. problems: in the order of the files. broken: the
    names of the jobs that are not in `jobs`. drafts: what could be read of each job, the sound ones too;
    parts can be UNUSABLE, so it is for further checks only."""

    jobs: dict[str, Job] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    limits: dict[str, Limit] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    drafts: dict[str, Job] = field(default_factory=dict)


@dataclass(slots=True)
class _Limits:
    limits: dict[str, Limit]
    problems: list[Problem]
    why_unknown: str = ""


def load_jobs(folder: Path) -> Jobs:
    """Every job in `folder`. Raises BadConfig only if the folder itself cannot be read."""
    files, limits = _files(folder), _load_limits(folder)
    result = Jobs(problems=list(limits.problems), limits=limits.limits)
    for path in files:
        if path.suffix == ".yml":
            result.problems.append(Problem(_shown(path), 1, 1, "", "not read: rename it to end in .yaml"))
            continue
        draft, problems = _load_file(path, limits)
        result.problems += problems
        if draft:
            result.drafts[path.stem] = draft
        if draft and not problems:
            result.jobs[path.stem] = draft
        elif path.stem.isprintable():
            result.broken.add(path.stem)
    result.problems.sort()
    return result


def load_job(folder: Path, name: str) -> Job:
    """The job `name`, reading its file and the limits only. Raises BadConfig: no such job, or its problems."""
    path = folder / f"{name}.yaml"
    if name_fault(name) or path.name in NO_JOBS or not os.path.lexists(path):
        known = [file.stem for file in _files(folder) if file.suffix == ".yaml"]
        raise BadConfig(f"no job {quoted(name)} in {folder}{did_you_mean(name, known)}")
    limits = _load_limits(folder)
    job, problems = _load_file(path, limits)
    if job and not problems:
        return job
    if job and any(named_limits(job)):
        problems += limits.problems
    raise BadConfig("\n".join(map(str, sorted(problems))))


def _files(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise BadConfig(f"{folder}: the folder of jobs cannot be read: {error.strerror}") from error
    return [
        folder / name
        for name in names
        if name.endswith((".yaml", ".yml")) and not name.startswith(".") and name not in NO_JOBS
    ]


def _shown(path: Path) -> str:
    return str(path) if str(path).isprintable() else quoted(str(path))


def _load_limits(folder: Path) -> _Limits:
    path = folder / LIMITS
    if not os.path.lexists(path):
        return _Limits({}, [], f"; there is no {LIMITS}")
    tree = read_yaml(path)
    tree.file = _shown(path)
    found = list(_limit_findings(tree))
    problems = [*tree.problems, *(problem_at(tree.file, tree.marks, finding) for finding in found)]
    if problems:
        return _Limits({}, problems, f": {LIMITS} is broken, so no limit is known")
    return _Limits(convert(tree.value or {}, dict[str, Limit])[0], [])


def _limit_findings(tree: Tree) -> Iterator[Finding]:
    values, found = convert({} if tree.value is None else tree.value, dict[str, Limit])
    yield from found
    if values is UNUSABLE:
        return
    for name, limit in values.items():
        if fault := name_fault(name):
            yield (name,), fault
        if isinstance(limit, Limit) and limit.slots is None and limit.rate is None:
            yield (name,), "needs slots, a rate, or both"


def _load_file(path: Path, limits: _Limits) -> tuple[Job | None, list[Problem]]:
    tree = read_yaml(path)
    tree.file = _shown(path)
    draft, found = _draft(path, tree)
    if fault := name_fault(path.stem):
        found.append(((), f"the name of the file: {fault}"))
    if draft:
        found += job_findings(draft)
        for place, name in named_limits(draft):
            if name in limits.limits:
                draft.limits[name] = limits.limits[name]
            else:
                why = limits.why_unknown or did_you_mean(name, limits.limits)
                found.append((place, f"unknown limit {quoted(name)}{why}"))
    problems = [*tree.problems, *(problem_at(tree.file, tree.marks, finding) for finding in found)]
    return draft, sorted(problems)


def _draft(path: Path, tree: Tree) -> tuple[Job | None, list[Finding]]:
    """The job as far as it can be read, and what is wrong with its fields."""
    if tree.value is None:
        return None, [((), "the file is empty")]
    fields, found = convert(tree.value, JobFields)
    if fields is UNUSABLE:
        return None, found
    given = asdict(fields)
    given["title"] = path.stem if given["title"] is None else given["title"]
    given["discover"] = _discover(fields.discover, found)
    given["stages"] = _stages(fields.stages, path.stem, tree, found)
    return Job(
        name=path.stem,
        folder=path.parent.absolute(),
        file=path.absolute(),
        digest=sha256(tree.data).hexdigest(),
        limits={},
        marks=tree.marks,
        **given,
    ), found


def _discover(raw: Any, found: list[Finding]) -> Any:
    """A source's parameters stand beside the fields that every source has."""
    if raw is None:
        return None
    own = {name: value for name, value in raw.items() if name in _DISCOVER} if isinstance(raw, dict) else raw
    fields, findings = convert(own, DiscoverFields, ("discover",))
    found += findings
    if fields is UNUSABLE:
        return UNUSABLE
    return Discover(
        **asdict(fields), params={name: value for name, value in raw.items() if name not in _DISCOVER}
    )


def _stages(raw: Any, job: str, tree: Tree, found: list[Finding]) -> dict[str, Any]:
    if isinstance(raw, list):
        raw = _long_form(raw, job, tree, found)
    if raw is not UNUSABLE and not isinstance(raw, dict):
        found.append((("stages",), "expected a mapping or a list of names"))
    elif not raw:
        found.append((("stages",), "needs at least one stage"))
    stages: dict[str, Any] = {}
    above: list[str] = []
    for name, body in raw.items() if isinstance(raw, dict) else ():
        if isinstance(body, dict):
            body = {"needs": above, **body}
        fields, findings = convert(body, StageFields, ("stages", name))
        found += findings
        stages[name] = UNUSABLE if fields is UNUSABLE else Stage(**asdict(fields), name=name)
        above = [name]
    return stages


def _long_form(names: list[Any], job: str, tree: Tree, found: list[Finding]) -> dict[str, Any]:
    """`[fetch, extract]` of job dml: stages whose handlers are `dml.fetch` and `dml.extract` in jobs.d."""
    stages: dict[str, Any] = {}
    for number, name in enumerate(names):
        place = ("stages", number)
        if not isinstance(name, str):
            found.extend([] if name is UNUSABLE else [(place, "expected the name of a stage")])
        elif name in stages:
            found.append((place, f"a duplicate stage {quoted(name)}"))
        else:
            stages[name] = {"handler": f"{job}.{name}"}
            tree.marks["stages", name] = tree.marks[place]
    return stages
