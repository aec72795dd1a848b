"""All strategies and handlers that a job can name, with what they say about themselves.

They are read and not run: the signature and the docstring by their syntax, what they need by the constants of their
module (`rivus.units.needs`), which optional packages they may load by following the code (`rivus.versions.code`).
Those of jobs.d are the ones that its jobs name; an installed module of somebody else is not looked into.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import rivus
from rivus.config.load import load_jobs
from rivus.config.schema import Discover, Stage
from rivus.handlers import REGISTRY as HANDLERS
from rivus.plugins import Kind
from rivus.sources import REGISTRY as SOURCES
from rivus.tell.docstring import SEE_MODULE, Documented, documented
from rivus.tell.kindwords import Lookup, kind_words
from rivus.units.needs import module_of, read_tree, stated
from rivus.versions.code import definitions

REGISTRIES: Mapping[Kind, Mapping[str, str]] = {"source": SOURCES, "handler": HANDLERS}
_LOADS = re.compile(r"\bload\('[\w.]+', '(\w+)'\)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """type: in words. default: as YAML gives it; None stands for none, too."""

    name: str
    type: str
    required: bool
    default: Any
    doc: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A strategy or handler. since_until: whether it can be asked for a span. extras: the optional packages that it may
    load (`pip install 'rivus[NAME]'`). doc: the whole docstring; parts: the same, taken apart."""

    name: str
    summary: str
    parameters: list[Parameter]
    since_until: bool
    network: bool
    secrets: list[str]
    extras: list[str]
    doc: str
    parts: Documented

    def as_json(self) -> dict[str, Any]:
        from dataclasses import asdict

        return {name: value for name, value in asdict(self).items() if name != "parts"}


class Brief(NamedTuple):
    """The least about one. given: the names of its parameters, the optional ones in brackets."""

    name: str
    summary: str
    given: list[str]


class _Source(NamedTuple):
    """Where one stands. node: None if it is not in its module, or that cannot be read."""

    file: Path
    function: str
    root: Path
    node: ast.FunctionDef | ast.AsyncFunctionDef | None
    doc: str
    module_doc: str

    @property
    def parameters(self) -> list[tuple[ast.arg, ast.expr | None]]:
        return list(zip(self.node.args.kwonlyargs, self.node.args.kw_defaults, strict=True)) if self.node else []

    @property
    def documented(self) -> Documented:
        return documented(self.doc, [one.arg for one, _ in self.parameters], self.module_doc)


def briefs(kind: Kind, folder: Path) -> Iterator[Brief]:
    """Those that come with rivus, by name, then those of the jobs in `folder`, which need not be there."""
    for name in names_of(kind, folder):
        source = _source(kind, name, folder)
        given = [one.arg if default is None else f"[{one.arg}]" for one, default in source.parameters]
        yield Brief(name, source.documented.summary, given)


def names_of(kind: Kind, folder: Path) -> list[str]:
    """The same, by their names alone."""
    own = sorted(_named(kind, folder) - REGISTRIES[kind].keys()) if folder.is_dir() else []
    return [*sorted(REGISTRIES[kind]), *(name for name in own if _file(kind, name, folder))]


def entry_of(kind: Kind, name: str, folder: Path) -> Entry:
    """All about one. What has no docstring, or cannot be read, has nothing to say. Raises KeyError for a name that is
    neither ours nor in a file of jobs.d."""
    source = _source(kind, name, folder)
    constants, found, parts = stated(source.file), source.documented, _parts(source)
    parameters = [_parameter(*one, found, parts) for one in source.parameters]
    return Entry(
        name=name,
        summary=found.summary,
        parameters=parameters,
        since_until={"since", "until"} <= {one.name for one in parameters},
        network=constants.get("NETWORK", True),
        secrets=sorted(constants.get("SECRETS", ())),
        extras=sorted(set(_LOADS.findall("\n".join(parts.values())))),
        doc="\n\n".join([source.doc, *source.module_doc.split("\n\n")[1:]]) if SEE_MODULE in source.doc else source.doc,
        parts=found,
    )


def _source(kind: Kind, name: str, folder: Path) -> _Source:
    file, registry = _file(kind, name, folder), REGISTRIES[kind]
    if file is None:
        raise KeyError(name)
    if name in registry:
        function, root = registry[name].partition(":")[2], Path(rivus.__file__).parent
    else:
        function, root = name.rpartition(".")[2], folder
    return _Source(file, function, root, *_read(file, function))


def _file(kind: Kind, name: str, folder: Path) -> Path | None:
    file = module_of(REGISTRIES[kind], name, folder)
    return file if file is not None and file.is_file() else None


def _named(kind: Kind, folder: Path) -> set[str]:
    """The names that the jobs of `folder` use, as far as the files can be read."""
    jobs = load_jobs(folder).drafts.values()
    if kind == "source":
        used: list[Any] = [job.discover.strategy for job in jobs if isinstance(job.discover, Discover)]
    else:
        used = [stage.handler for job in jobs for stage in job.stages.values() if isinstance(stage, Stage)]
    return {name for name in used if isinstance(name, str)}


def _read(file: Path, function: str) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef | None, str, str]:
    """A function of a module, its docstring, and the module's."""
    try:
        tree = read_tree(file)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None, "", ""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            return node, ast.get_docstring(node) or "", ast.get_docstring(tree) or ""
    return None, "", ""


def _parts(source: _Source) -> dict[str, str]:
    """What the function is made of, as text by `module:name`; {} if it cannot be read."""
    try:
        return definitions(source.file, source.function, source.root, ast.unparse)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _parameter(one: ast.arg, default: ast.expr | None, found: Documented, parts: Mapping[str, str]) -> Parameter:
    lookup = lookup_in(parts)
    kind = kind_words(one.annotation, lookup)
    return Parameter(one.arg, kind, default is None, _value(default, lookup), found.parameters.get(one.arg, ""))


def lookup_in(parts: Mapping[str, str]) -> Lookup:
    """What a name is assigned in one of `parts`, as `definitions` gives them, or the class of that name."""

    def lookup(name: str) -> ast.expr | ast.ClassDef | None:
        text = next((text for label, text in parts.items() if label.endswith(f":{name}")), None)
        first = ast.parse(text).body[0] if text else None
        if isinstance(first, ast.ClassDef):
            return first
        return first.value if isinstance(first, ast.Assign | ast.AnnAssign) else None

    return lookup


def _value(default: ast.expr | None, lookup: Lookup) -> Any:
    if isinstance(default, ast.Name):
        meant = lookup(default.id)
        default = meant if isinstance(meant, ast.expr) else default
    if default is None:
        return None
    try:
        return ast.literal_eval(default)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return ast.unparse(default)
