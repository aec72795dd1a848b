"""The rules of a job that concern more than one field, or the world around the file: names, the graph,
limits, hosts.

They run on a job that may have UNUSABLE parts (reported already), so that all mistakes are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from rivus.config.problem import Finding, Where, did_you_mean, quoted
from rivus.config.schema import Budget, Children, Discover, Job, Stage
from rivus.model.item import NAME

MAX_NAME = 64
MAX_STAGES = 100
MAX_COLUMNS = 50
RESERVED = ("discover", "files", "archive")
"""Names that stand beside the stages in the spool."""
OWN_COLUMNS = frozenset({"item", "key", "state", "discovered", "changed", "rowid", "oid"})
"""Names that the index gives to columns of its own, besides `STAGE_state`."""

_HOST = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.I
)


def name_fault(name: str) -> str:
    """Why `name` cannot be that of a job, a stage or a limit; "" if it can."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        return f"{quoted(name)} cannot be a name: a-z, then a-z, 0-9 and _, at most {MAX_NAME} characters"
    return ""


def job_findings(job: Job) -> Iterator[Finding]:
    """All that is wrong with a job besides the types of its fields and the limits it names."""
    if isinstance(job.discover, Discover) and None not in (job.discover.every, job.discover.calendar):
        yield ("discover", "calendar"), "every and calendar exclude each other"
    if len(job.stages) > MAX_STAGES:
        yield ("stages",), f"more than {MAX_STAGES} stages in one job"
    else:
        yield from _needs_findings(job.stages)
        yield from _awaited_findings(job)
    for name, stage in job.stages.items():
        yield from _stage_findings(name, stage)
    yield from _column_findings(job)
    yield from _budget_findings(("budget",), job.budget)
    if isinstance(job.allow_private_hosts, list):
        for number, host in enumerate(job.allow_private_hosts):
            if isinstance(host, str) and (fault := host_fault(host)):
                yield ("allow_private_hosts", number), fault


def named_limits(job: Job) -> Iterator[Finding]:
    """Where a job names a limit, and which."""
    if isinstance(job.discover, Discover) and isinstance(job.discover.limit, str):
        yield ("discover", "limit"), job.discover.limit
    for name, stage in job.stages.items():
        if isinstance(stage, Stage) and isinstance(stage.limit, str):
            yield ("stages", name, "limit"), stage.limit


def _stage_findings(name: str, stage: Stage) -> Iterator[Finding]:
    place = ("stages", name)
    if fault := name_fault(name):
        yield place, fault
    if name in RESERVED:
        yield place, f"{name!r} is a name the spool uses itself"
    if isinstance(stage, Stage) and stage.handler is None and stage.command is None:
        yield place, "needs a handler or a command"
    if isinstance(stage, Stage) and stage.handler is not None and stage.command is not None:
        yield (*place, "command"), "handler and command exclude each other"
    if isinstance(stage, Stage):
        yield from _budget_findings((*place, "budget"), stage.budget)
        if stage.auto_bless is not None and (stage.command is not None or stage.version is not None):
            other = "command" if stage.command is not None else "version"
            yield (*place, "auto_bless"), f"has a meaning only without {other}: there is no code to be judged"


def _budget_findings(place: Where, budget: Any) -> Iterator[Finding]:
    if isinstance(budget, Budget) and budget.usd is None and budget.calls is None:
        yield place, "needs usd, calls, or both"


def _column_findings(job: Job) -> Iterator[Finding]:
    columns = job.columns if isinstance(job.columns, dict) else {}
    if len(columns) > MAX_COLUMNS:
        yield ("columns",), f"more than {MAX_COLUMNS} columns in one job"
    own = OWN_COLUMNS | {f"{stage}_state" for stage in job.stages}
    sources = ["data", "meta", *job.stages]
    for name, path in columns.items():
        if fault := name_fault(name):
            yield ("columns", name), fault
        elif name in own:
            yield ("columns", name), f"{name!r} is a column that the index has already"
        first, *rest = path.split(".") if isinstance(path, str) else ["data", ""]
        if first not in sources or not rest:
            yield ("columns", name), f"{quoted(path)} must begin with {', '.join(f'{one}.' for one in sources)}"
    for number, name in enumerate(job.search if isinstance(job.search, list) else ()):
        if isinstance(name, str) and name not in columns:
            yield ("search", number), f"{quoted(name)} is not one of the columns{did_you_mean(name, columns)}"


def _needs_findings(stages: Mapping[str, Stage]) -> Iterator[Finding]:
    graph: dict[str, list[str]] = {name: [] for name in stages}
    for name, stage in stages.items():
        if not isinstance(stage, Stage) or not isinstance(stage.needs, list):
            continue
        for number, need in enumerate(stage.needs):
            if not isinstance(need, str):
                continue
            if need in stages:
                graph[name].append(need)
            else:
                yield (
                    ("stages", name, "needs", number),
                    f"unknown stage {quoted(need)}{did_you_mean(need, stages)}",
                )
    yield from _cycles(graph)


def _awaited_findings(job: Job) -> Iterator[Finding]:
    """What is wrong with `{children: JOB:STAGE}`, other jobs left aside."""
    for place, need in awaited(job):
        other, stage = need.target
        if other == job.name and stage not in job.stages:
            yield (*place, "children"), f"unknown stage {quoted(stage)}{did_you_mean(stage, job.stages)}"
    for name, one in job.stages.items():
        if isinstance(one, Stage) and isinstance(one.needs, list) and one.awaits:
            jobs = [other for other, _ in one.awaits]
            if not one.plain_needs:
                yield ("stages", name, "needs"), "awaits children, so it must also need the stage that emits them"
            for other in {other for other in jobs if jobs.count(other) > 1}:
                yield ("stages", name, "needs"), f"awaits the children in {other} twice"


def awaited(job: Job) -> Iterator[tuple[Where, Children]]:
    """Where the stages of a job await children, and which."""
    for name, stage in job.stages.items():
        if isinstance(stage, Stage) and isinstance(stage.needs, list):
            for number, need in enumerate(stage.needs):
                if isinstance(need, Children) and isinstance(need.children, str):
                    yield ("stages", name, "needs", number), need


def _cycles(graph: dict[str, list[str]]) -> Iterator[Finding]:
    """One finding for each circle; a circle is cut where it was found, and the search begins anew."""
    place = {name: number for number, name in enumerate(graph)}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1][1:]
            first = min(circle, key=place.__getitem__)
            start = circle.index(first)
            path = [*circle[start:], *circle[:start], first]
            yield ("stages", first, "needs"), f"needs go round in a circle: {' < '.join(path)}"
            graph[first] = []
        else:
            return


def host_fault(text: str) -> str:
    from ipaddress import ip_network

    try:
        ip_network(text)
    except ValueError as error:
        numeric = text.rpartition(".")[2].isdigit()
        if "/" in text or ":" in text or numeric:
            return str(error)
        return "" if _HOST.fullmatch(text) else f"{quoted(text)} is not an address, a network or a host name"
    return ""
