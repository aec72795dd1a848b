"""The version of a stage, in parts, so that "why stale" can name the part that changed.

    {"id": "3f9c…", "code": "ab12…", "params": "…", "deps": {"prompts/score.md": "…", "package requests": "2.33.0"}}

`version:` of the YAML replaces the code part. Digests are the first 16 hex digits of SHA-256.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivus.errors import BadConfig

if TYPE_CHECKING:
    from rivus.config.schema import Job, Stage

Parts = dict[str, Any]
MOST_FILES = 10_000
MOST_TEXT = 1 << 18
"""Bytes of files that are kept as text, for one version."""


@dataclass(frozen=True, slots=True)
class Version:
    """parts: as in the module's text, ready for a receipt. source: what the code part was made of; text: the same, the
    parameters and the dependencies, for people."""

    parts: Parts
    source: dict[str, str]
    text: Callable[[], dict[str, str]]

    @property
    def id(self) -> str:
        return str(self.parts["id"])


def version_of(job: Job, stage: Stage) -> Version:
    """The version of a stage as it would run now. Raises BadConfig: its code or a dependency cannot be read."""
    from rivus.versions.code import dump

    source = {} if stage.version is not None else _source(job, stage, dump)
    parts: Parts = {"code": stage.version if stage.version is not None else digest(source)}
    parts["params"] = digest([stage.with_, stage.command, stage.handler])
    deps = [*stage.version_deps, *_stated_deps(job, stage)]
    parts["deps"] = {name: value for dep in deps for name, value in _dependency(job.folder, dep)}
    return Version({"id": digest(parts), **parts}, source, lambda: _text(job, stage, parts))


def _text(job: Job, stage: Stage, parts: Parts) -> dict[str, str]:
    """What the version is made of, as a person reads it: name -> text."""
    code = {} if stage.version is not None else _source(job, stage, ast.unparse)
    called = {"handler": stage.handler, "command": stage.command, "version": stage.version, "with": stage.with_}
    settings = {name: json.dumps(value, indent=2, sort_keys=True) for name, value in called.items() if value}
    deps = {name: json.dumps(value) for name, value in parts["deps"].items()}
    return {**settings, **deps, **dict(_texts(job.folder, parts["deps"])), **code}


def _texts(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`text NAME` -> what stands in it, for each file that is a text, as far as there is room."""
    room = MOST_TEXT
    for name in names:
        try:
            with (folder / name).open("rb") as file:
                raw = file.read(room + 1)
            if len(raw) <= room:
                yield f"text {name}", raw.decode()
                room -= len(raw)
        except (OSError, ValueError):  # no file, or no text: the digest must do
            continue


def changed(recorded: object, current: Parts) -> list[str]:
    """The names of the parts that differ between a receipt's version and the present one; [] if none does.
    A result without a version differs in "no version"."""
    if not isinstance(recorded, dict) or not recorded.get("id"):
        return ["no version"]
    if recorded["id"] == current["id"]:
        return []
    names = [part for part in ("code", "params") if recorded.get(part) != current[part]]
    before, now = recorded.get("deps"), current["deps"]
    before = before if isinstance(before, dict) else {}
    return [*names, *sorted(name for name in {*before, *now} if before.get(name) != now.get(name))]


def digest(value: object) -> str:
    """The digest of anything that JSON can hold; the order of keys does not count."""
    return sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]


def _source(job: Job, stage: Stage, form: Callable[[ast.stmt], str]) -> dict[str, str]:
    if stage.command:
        return _program(job.folder, stage.command[0])
    from rivus.versions.code import definitions

    file, function = handler_file(job.folder, stage.handler or "")
    if file is None:
        return {}
    try:
        return definitions(file, function, file.parent, form)
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise BadConfig(f"{stage.handler}: its code cannot be read: {error}") from None


def _program(folder: Path, name: str) -> dict[str, str]:
    """A program of jobs.d is code; one of the system is not."""
    return {name: _digest_of(folder / name)} if "/" in name and (folder / name).is_file() else {}


def handler_file(folder: Path, name: str) -> tuple[Path | None, str]:
    """The file of the module that a handler is in, and the function's name; None for one that has no source."""
    from importlib.util import find_spec

    from rivus.handlers import REGISTRY

    module, _, function = REGISTRY[name].partition(":") if name in REGISTRY else name.rpartition(".")
    own = folder / f"{module}.py"
    if name not in REGISTRY and "." not in module and own.is_file():
        return own.absolute(), function
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        spec = None
    return (Path(spec.origin) if spec and spec.has_location and spec.origin else None), function


def _stated_deps(job: Job, stage: Stage) -> list[str]:
    """The handler module's own VERSION_DEPS, a literal list of texts."""
    file, _ = handler_file(job.folder, stage.handler) if stage.handler else (None, "")
    if file is None or file.parent != job.folder.absolute():
        return []
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    stated = [node.value for node in tree.body if isinstance(node, ast.Assign) and _name(node) == "VERSION_DEPS"]
    try:
        return [str(one) for one in ast.literal_eval(stated[-1])] if stated else []
    except (ValueError, TypeError):
        raise BadConfig(f"{file}: VERSION_DEPS must be a list of texts, written out") from None


def _name(node: ast.Assign) -> str:
    return node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""


def _dependency(folder: Path, dep: str | Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`prompts/*.md` -> a digest for each file; `package NAME` -> its version; {name: value} -> the value."""
    if isinstance(dep, Mapping):
        yield from ((f"value {name}", value) for name, value in dep.items())
    elif dep.startswith("package "):
        yield dep, _package_version(dep.removeprefix("package ").strip())
    else:
        files = list(_files(folder, dep))
        if not files and not any(letter in dep for letter in "*?["):
            yield dep, "missing"
        yield from ((os.path.relpath(file, folder), _digest_of(file)) for file in files)


def _files(folder: Path, pattern: str) -> Iterable[Path]:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise BadConfig(f"version_deps: {pattern!r} must be relative to jobs.d and stay below it")
    files = sorted(file for file in folder.glob(pattern) if file.is_file())
    if len(files) > MOST_FILES:
        raise BadConfig(f"version_deps: {pattern!r} stands for more than {MOST_FILES} files")
    return files


def _digest_of(file: Path) -> str:
    try:
        with file.open("rb") as data:
            return file_digest(data, "sha256").hexdigest()[:16]
    except OSError as error:
        raise BadConfig(f"version_deps: {file} cannot be read: {error.strerror}") from None


def _package_version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
