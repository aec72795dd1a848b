"""The rules of the house, read off the source: imports point downward, each package has one door, files are small."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "rivus").rglob("*.py"))
LEVELS = {"commands": 4, "sources": 2, "handlers": 2, "doctor": 2, "model": 0, "errors": 0, "rivus": 0}
LEVELS |= dict.fromkeys(["net", "spool", "limits", "config", "locks", "secrets", "talk", "journald", "programs"], 1)
MACHINERY = 3
"""The level of all other modules and rooms: work, tell …"""
NEVER = {
    "sources": {"spool", "limits", "work", "config"},
    "handlers": {"spool", "limits", "work", "config"},
    "doctor": {"spool", "limits", "work"},
    "work": {"tell"},
    "tell": {"work"},
}
DOORS = {
    "click": {"commands"}, "jsonlines": {"commands", "sources"}, "yaml": {"config"},
    "msgspec": {"config", "index", "stale"},
    "filelock": {"locks"}, "requests": {"net", "sources", "handlers"}, "urllib3": {"net", "sources", "handlers"},
    "charset_normalizer": {"net"}, "yt_dlp": {"net", "sources", "handlers"}, "feedparser": {"sources", "handlers"},
    "selectolax": {"sources", "handlers"}, "protego": {"sources", "handlers"},
    "jmespath": {"sources", "handlers"}, "trafilatura": {"handlers"}, "jsonschema": {"handlers"},
    "datasette": {"dash"}, "uvicorn": {"dash"}, "markupsafe": {"dash"}, "pluggy": {"dash"},
}  # fmt: skip
APART = {"handlers", "sources", "net", "demo", "programs"}
"""Rooms that work outside the spool."""
CHANGES = {"rename", "link", "unlink", "mkdir", "rmdir", "symlink", "truncate", "chmod", "utime"}
OS_CHANGES = CHANGES | {"replace", "remove", "makedirs", "removedirs", "renames", "mknod", "mkfifo"}
PATH_CHANGES = CHANGES | {"write_text", "write_bytes", "touch", "symlink_to", "hardlink_to"}


class Import(NamedTuple):
    module: str
    typing: bool


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str:
    """`rivus.spool.desk` -> `spool`; `rivus` alone is a room too."""
    return [*module.split("."), module][1]


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def imports(file: Path) -> Iterator[Import]:
    """What a file imports, anywhere in it; typing: for type checkers only."""
    blocks = [
        node for node in ast.walk(tree(file)) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    typing = {inner for block in blocks for part in block.body for inner in ast.walk(part)}
    known = {name_of(other) for other in FILES}
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node in typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: a relative import"
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & known
            yield from (Import(name, node in typing) for name in inside or {node.module or ""})


def test_imports_point_downward() -> None:
    for file in FILES:
        mine = room(name_of(file))
        for other in {room(found.module) for found in imports(file) if found.module.startswith("rivus")}:
            if mine == "demo" or mine == other:
                continue
            assert LEVELS.get(other, MACHINERY) <= LEVELS.get(mine, MACHINERY), f"{file}: imports {other}"
            assert other not in NEVER.get(mine, ()), f"{file}: imports {other}"
            assert other != "demo" and (mine != "model" or other in ("model", "errors")), f"{file}: imports {other}"


def test_every_package_of_others_has_one_door() -> None:
    for file in FILES:
        packages = {found.module.split(".")[0] for found in imports(file) if not found.typing}
        for package in packages - sys.stdlib_module_names - {"rivus"}:
            assert room(name_of(file)) in DOORS.get(package, ()), f"{file}: imports {package}"


def test_no_import_goes_in_a_circle() -> None:
    graph = {name_of(file): {found.module for found in imports(file) if not found.typing} for file in FILES}
    TopologicalSorter(graph).prepare()


def test_every_module_has_a_name_that_says_what_it_does_and_is_small() -> None:
    for file in FILES:
        assert file.stem not in {"utils", "util", "helpers", "common", "misc", "base", "tools"}, file
        assert len(file.read_text("utf-8").splitlines()) <= 300, f"{file} is too long"
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{file}:{node.lineno}: {node.name} is too long"


def test_nothing_changes_the_spool_but_its_one_door() -> None:
    for file in FILES:
        if room(name_of(file)) not in APART and name_of(file) != "rivus.spool.atomic":
            for node in ast.walk(tree(file)):
                assert not changes(node, name_of(file)), f"{file}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"


def changes(node: ast.AST, module: str) -> bool:
    """Whether this is a call, or the import of a function, that can change the file system."""
    if isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil"):
        return any(changing(node.module, alias.name) for alias in node.names)
    if not isinstance(node, ast.Call):
        return False
    owner, _, function = ast.unparse(node.func).rpartition(".")
    if owner == "os" and function == "open":
        return module != "rivus.locks" and any(flag in ast.unparse(node) for flag in ("WRONLY", "RDWR", "CREAT"))
    if function == "open":
        texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
        return any(set(text) <= set("rwaxbt+") and set(text) & set("wax+") for text in texts if isinstance(text, str))
    return changing(owner, function)


def changing(owner: str, function: str) -> bool:
    if owner == "shutil":
        return function != "which"
    return function in (OS_CHANGES if owner == "os" else PATH_CHANGES) and owner != "atomic"
