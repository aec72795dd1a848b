"""What a function is, whatever it looks like: its syntax tree and those of the project's functions that it calls.

A *definition* is a function, a class or an assignment at the top level of a module. From the handler's own, every name
that it mentions is followed: to definitions of the same module, and through imports to other modules of the project.
The project is the folder of the handler's module; the standard library and installed packages are none of it (name
those under `version_deps`). Comments, docstrings, blank lines and the order of definitions do not count. Nothing is
executed. The text form of a tree leaves out what newer Pythons add to it when it is empty, so that a new Python alone
makes nothing stale.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

LARGEST = 1 << 20
Form = Callable[[ast.stmt], str]
_LAYOUT = frozenset({"type_comment", "kind", "ctx"})


@dataclass(frozen=True, slots=True)
class Module:
    """The top level of one file. definitions: name -> its statements, more than one where it is bound again. imports:
    name -> (dotted module, the name there or None for the module itself)."""

    file: Path
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def dump(node: ast.AST) -> str:
    """A syntax tree as text: `(Class field=value …)`, without empty fields, layout and docstrings."""
    parts = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            value = _without_docstring(value)
        if name not in _LAYOUT and value is not None and value != []:
            parts.append(f"{name}={_dump_value(value)}")
    return f"({' '.join(parts)})"


def definitions(file: Path, function: str, root: Path, form: Form = dump) -> dict[str, str]:
    """All that `function` of `file` is made of: `module:name` -> text of its syntax tree, one line each
    with `dump`.

    root: the folder of the project, below which imports are followed. form: makes text of a statement. Raises OSError
    and SyntaxError for `file` itself; a module of the project that cannot be read ends the search there.
    """
    found: dict[str, str] = {}
    todo, find = [(_read(file), function)], _finder(root)
    while todo:
        module, name = todo.pop()
        label = f"{module.file.relative_to(root).with_suffix('').as_posix()}:{name}"
        if label in found or name not in module.definitions:
            continue
        statements = module.definitions[name]
        found[label] = (" " if form is dump else "\n").join(map(form, statements))
        for mentioned in sorted({one for statement in statements for one in _mentions(statement)}):
            todo += _leads_to(module, mentioned, find)
    return found


def _dump_value(value: object) -> str:
    if isinstance(value, ast.AST):
        return dump(value)
    if isinstance(value, list):
        return f"[{' '.join(map(_dump_value, value))}]"
    return repr(value)


def dump_text(text: str) -> str:
    """What `definitions` gives for the statements in a text. Raises SyntaxError, ValueError, RecursionError."""
    return " ".join(map(dump, ast.parse(text).body))


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body


def _mentions(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Names, and the first attribute of each where it has one: `fields` and `text` of `fields.text(…)`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            yield part.value.id, part.attr
        elif isinstance(part, ast.Name):
            yield part.id, ""
        elif isinstance(part, ast.Import | ast.ImportFrom):  # inside of a function
            for name, (module, attribute) in _imported(part):
                yield f"{module}:{attribute or ''}", name


def _leads_to(
    module: Module, mentioned: tuple[str, str | None], find: Callable[[str], Module | None]
) -> Iterator[tuple[Module, str]]:
    name, attribute = mentioned
    if ":" in name:
        target, _, inside = name.partition(":")
    elif name in module.imports:
        target, inside = module.imports[name][0], module.imports[name][1] or ""
    else:
        yield module, name
        return
    for dotted, wanted in ((target, inside or attribute or ""), (f"{target}.{inside}", attribute or "")):
        if wanted and (found := find(dotted)):
            yield found, wanted


def _finder(root: Path) -> Callable[[str], Module | None]:
    """Finds modules of the project, looking for each but once; None: there is none, or it cannot be read."""

    @cache
    def find(dotted: str) -> Module | None:
        file = _file(dotted, root)
        try:
            return _read(file) if file else None
        except (OSError, SyntaxError, ValueError, RecursionError):
            return None

    return find


def _file(dotted: str, root: Path) -> Path | None:
    """The file of a module of the project: `captions` or, where the project is a package, `package.captions`."""
    parts = dotted.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    package = _package(root)
    if package and parts[: len(package)] == package:
        parts = parts[len(package) :]
    elif package:
        return None
    for file in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py")) if parts else ():
        if file.is_file():
            return file
    return None


def _package(root: Path) -> list[str]:
    names: list[str] = []
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    return names


def _read(file: Path) -> Module:
    status = file.stat()
    return _parsed(file, status.st_mtime_ns, status.st_size)


@cache
def _parsed(file: Path, _modified: int, _size: int) -> Module:
    with file.open("rb") as source:
        text = source.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ValueError(f"{file}: larger than {LARGEST} bytes")
    module = Module(file)
    for statement in ast.parse(text).body:
        _add(module, statement)
    return module


def _add(module: Module, statement: ast.stmt) -> None:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        module.imports.update(_imported(statement))
    elif isinstance(statement, ast.If | ast.Try):
        for inner in ast.iter_child_nodes(statement):
            for one in inner.body if isinstance(inner, ast.ExceptHandler) else [inner]:
                if isinstance(one, ast.stmt):
                    _add(module, one)
    else:
        for name in _binds(statement):
            module.definitions.setdefault(name, []).append(statement)


def _binds(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Relative imports are left out: files of jobs.d are no package."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0], (alias.name, None)
    elif not statement.level and statement.module:
        for alias in statement.names:
            yield alias.asname or alias.name, (statement.module, alias.name)
