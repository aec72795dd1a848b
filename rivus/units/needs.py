"""What a unit must be able to do, found without running any code of a job.

A module of sources or handlers may say at its top level, in literals:

    NETWORK = False                   # it talks to nobody; without a word it may
    JAVASCRIPT = True                 # it starts a program that writes its own code at run time; without a word not
    SECRETS = ("finnhub_token",)      # what it reads with secret(); without a word nothing

`sandbox:` of a stage and `secrets:` of a job say more.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rivus
from rivus.config.doctor import Llm
from rivus.config.rules import name_fault
from rivus.config.schema import Job, Stage
from rivus.handlers import REGISTRY as HANDLERS
from rivus.sources import REGISTRY as SOURCES

LARGEST_MODULE = 1 << 20
_CONSTANTS: dict[str, type] = {"NETWORK": bool, "JAVASCRIPT": bool, "SECRETS": tuple}


@dataclass(frozen=True)
class Needs:
    """javascript: memory that is written and then run. secrets: their names. read, write: folders besides jobs.d and
    the spool. hosts: private addresses, networks and names that may be reached."""

    network: bool = True
    javascript: bool = False
    secrets: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def discover_needs(job: Job) -> Needs:
    """What looking for items of `job` needs."""
    strategy = job.discover.strategy if job.discover else ""
    return _of_job(job, stated(module_of(SOURCES, strategy, job.folder)))


def stage_needs(job: Job, stage: Stage) -> Needs:
    """What a stage of `job` needs. A `command:` may use the network."""
    constants = stated(module_of(HANDLERS, stage.handler, job.folder)) if stage.handler else {}
    needs, given = _of_job(job, constants), stage.sandbox
    return replace(
        needs,
        network=needs.network if given.network is None else given.network,
        javascript=needs.javascript if given.javascript is None else given.javascript,
        read=tuple(given.read),
        write=tuple(given.write),
    )


def doctor_needs(llm: Llm | None) -> Needs:
    """What a check-up needs, with or without a language model to ask."""
    if llm is None:
        return Needs(network=False)
    return Needs(secrets=(llm.key,) if llm.key else (), hosts=tuple(llm.allow_private_hosts))


def has_hooks(jobs: Path) -> bool:
    """Whether jobs.d has a hook that is switched on: such a program talks to somebody."""
    try:
        names = os.listdir(jobs / "hooks.d")
    except OSError:
        return False
    hooks = (name for name in names if name.startswith("on-") and not name.endswith(".example"))
    return any(os.access(jobs / "hooks.d" / name, os.X_OK) for name in hooks)


def _of_job(job: Job, constants: dict[str, Any]) -> Needs:
    return Needs(
        network=constants.get("NETWORK", True),
        javascript=constants.get("JAVASCRIPT", False),
        secrets=tuple(sorted({*constants.get("SECRETS", ()), *job.secrets})),
        hosts=tuple(job.allow_private_hosts),
    )


def module_of(registry: Mapping[str, str], name: str, folder: Path) -> Path | None:
    """The file of a source or handler of ours, or of jobs.d; None for one that is installed elsewhere."""
    if target := registry.get(name):
        return Path(rivus.__file__).parent.parent.joinpath(*target.partition(":")[0].split(".")).with_suffix(".py")
    module = name.rpartition(".")[0]
    return folder / f"{module}.py" if module.isidentifier() else None


def stated(file: Path | None) -> dict[str, Any]:
    """The constants that a module states in the right type. One that cannot be read states nothing."""
    if file is None or not file.is_file():
        return {}
    try:
        return dict(_constants(read_tree(file)))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def read_tree(file: Path) -> ast.Module:
    """The syntax tree of a module, an empty one of a file that is too large. Raises what `ast.parse` and reading do."""
    with file.open("rb") as source:
        text = source.read(LARGEST_MODULE + 1)
    return ast.parse(text if len(text) <= LARGEST_MODULE else b"")


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, _literal(node.value)
            if name in _CONSTANTS and isinstance(value, _CONSTANTS[name]) and _is_fit(value):
                yield name, value


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def _is_fit(value: Any) -> bool:
    return isinstance(value, bool) or all(isinstance(name, str) and not name_fault(name) for name in value)
