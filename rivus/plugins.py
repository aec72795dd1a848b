"""The function behind a name in jobs.d, and its parameters. Nothing is imported but the module of that one
name.

A name is one of rivus's own (`sources.REGISTRY`, `handlers.REGISTRY`: name -> "module:function"), or
`module.function`: a file of the jobs.d folder, else an installed module. A file of jobs.d is loaded from
its place under a name of its own, so that jobs.d/json.py never stands in for Python's json; the folder is
last on the import path, so that such files can import each other.
"""

from __future__ import annotations

import inspect
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal, TypeAlias, get_type_hints

from rivus.config.convert import convert
from rivus.config.problem import Finding, did_you_mean, quoted
from rivus.errors import BadConfig

Kind: TypeAlias = Literal["source", "handler"]

_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_OWN = frozenset({"rivus", *sys.stdlib_module_names})


@dataclass(frozen=True, slots=True)
class Param:
    """A keyword-only parameter of a source or handler: what YAML can give it. kind: its type, Any without
    one."""

    name: str
    kind: Any
    required: bool
    default: Any = None


_loading = threading.RLock()


def find(kind: Kind, name: str, folder: Path) -> Callable[..., Any]:
    """The source or handler called `name`. folder: jobs.d. Raises BadConfig: unknown, or its module fails
    to load (with the reason)."""
    if target := _registry(kind).get(name):
        module, _, function = target.partition(":")
        if (found := _import(module, name)) is None:
            raise BadConfig(f"{name}: {module} is missing from this installation")
    else:
        module, _, function = name.rpartition(".")
        found = _module(module, name, folder) if _NAME.fullmatch(name) else None
    if found is None:
        raise _unknown(kind, name, folder)
    return _function(found, function, kind, name)


def parameters(function: Callable[..., Any]) -> dict[str, Param]:
    """The keyword-only parameters of a function. Raises BadConfig if the type of one cannot be read."""
    keywords = [each for each in _signature(function).values() if each.kind is each.KEYWORD_ONLY]
    kinds = _kinds(function, keywords)
    return {each.name: _param(each, kinds.get(each.name, Any)) for each in keywords}


def bind(
    function: Callable[..., Any], given: Mapping[str, Any], kind: Kind = "handler"
) -> tuple[dict[str, Any], list[Finding]]:
    """The keyword arguments for `function` from what a job gives, converted; and all that is wrong with
    them.

    A function with `**name` takes whatever is given. A handler without keyword-only parameters gets none,
    and reads `ctx.params`. With findings the arguments are not fit for a call. Raises BadConfig as
    `parameters` does.
    """
    known, takes_all = parameters(function), _takes_all(function)
    if kind == "handler" and not known and not takes_all:
        return {}, []
    arguments: dict[str, Any] = {}
    found: list[Finding] = []
    for name, value in given.items():
        if name in known:
            arguments[name], findings = convert(value, known[name].kind, (name,))
            found += findings
        elif takes_all:
            arguments[name] = value
        else:
            found.append(((name,), f"unknown parameter{did_you_mean(name, known)}"))
    missing = [name for name, param in known.items() if param.required and name not in given]
    found += [((), f"missing parameter {name!r}") for name in missing]
    return arguments, found


def _registry(kind: Kind) -> dict[str, str]:
    registry: dict[str, str] = import_module(f"rivus.{kind}s").REGISTRY
    return registry


def _module(module: str, name: str, folder: Path) -> ModuleType | None:
    file = folder / f"{module}.py"
    if "." not in module and module not in _OWN and file.is_file():
        return _load(file, name)
    _add_to_path(folder)
    return _import(module, name)


def _import(module: str, name: str) -> ModuleType | None:
    """None if there is no such module; raises BadConfig if there is one and it fails."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            return None
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:  # a script that ends itself is no module either
        raise _failed(name, error) from error


def _load(file: Path, name: str) -> ModuleType:
    """The module in a file of jobs.d, loaded once."""
    _add_to_path(file.parent)
    file = file.absolute()
    private = "jobs_d:" + str(file).replace(".", "%2E")  # a dot would make it a part of a package
    with _loading:  # another thread must not see a module that is half loaded
        return sys.modules[private] if private in sys.modules else _execute(file, private, name)


def _execute(file: Path, private: str, name: str) -> ModuleType:
    spec = spec_from_file_location(private, file)
    if spec is None or spec.loader is None:
        raise BadConfig(f"{name}: {file} cannot be loaded")
    module = sys.modules[private] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[private]
        raise _failed(name, error) from error
    return module


def _failed(name: str, error: BaseException) -> BadConfig:
    return BadConfig(f"{name}: its module fails to load: {type(error).__name__}: {error}")


def _add_to_path(folder: Path) -> None:
    entry = str(folder.resolve())
    if entry not in sys.path:
        sys.path.append(entry)


def _function(module: ModuleType, function: str, kind: Kind, name: str) -> Callable[..., Any]:
    found = getattr(module, function, None)
    if callable(found) and not function.startswith("_"):
        return found  # type: ignore[no-any-return]
    prefix = name.removesuffix(function)
    known = [prefix + other for other in _functions(module)]
    where = getattr(module, "__file__", None) or module.__name__
    raise BadConfig(f"unknown {kind} {quoted(name)}: no such function in {where}{did_you_mean(name, known)}")


def _functions(module: ModuleType) -> Iterator[str]:
    return (name for name, value in vars(module).items() if callable(value) and not name.startswith("_"))


def _unknown(kind: Kind, name: str, folder: Path) -> BadConfig:
    function = name.rpartition(".")[2]
    near = [f"{file.stem}.{function}" for file in sorted(folder.glob("*.py"))]
    return BadConfig(f"unknown {kind} {quoted(name)}{did_you_mean(name, [*_registry(kind), *near])}")


def _signature(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some of Python's own functions have none
        return {}


def _takes_all(function: Callable[..., Any]) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in _signature(function).values())


def _param(found: inspect.Parameter, kind: Any) -> Param:
    required = found.default is found.empty
    return Param(found.name, kind, required, None if required else found.default)


def _kinds(function: Callable[..., Any], keywords: list[inspect.Parameter]) -> dict[str, Any]:
    """The types of these parameters only: others may name types that are imported for type checkers alone."""
    typed = {each.name: each.annotation for each in keywords if each.annotation is not each.empty}
    space = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return get_type_hints(SimpleNamespace(__annotations__=typed), space, include_extras=True)
    except Exception as error:
        raise BadConfig(f"the type of one of its parameters cannot be read: {error}") from error
