"""The type of a parameter, as it stands in the code, in the words of those who write YAML."""

from __future__ import annotations

import ast
from collections.abc import Callable

MOST_STEPS = 12
_PLAIN = {
    "str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Any": "anything",
    "object": "anything", "list": "list", "dict": "mapping", "Json": "mapping", "None": "nothing",
}  # fmt: skip
Lookup = Callable[[str], ast.expr | ast.ClassDef | None]


def kind_words(node: ast.expr | None, lookup: Lookup, steps: int = MOST_STEPS) -> str:
    """`list[str] | None` -> `list of text`. lookup: what a name stands for in its module. A type that has no words is
    given as it is written."""
    if node is None or steps == 0:
        return "anything"
    alternatives = [one for one in _alternatives(node) if ast.unparse(one) != "None"]
    if len(alternatives) == 1:
        return _single(alternatives[0], lookup, steps - 1)
    words = dict.fromkeys(_grouped(kind_words(one, lookup, steps - 1)) for one in alternatives)
    if "number" in words:
        words.pop("whole number", None)
    return " or ".join(words) or "nothing"


def _grouped(words: str) -> str:
    return f"({words})" if " or " in words and words != _PLAIN["bool"] else words


def _alternatives(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_alternatives(node.left), *_alternatives(node.right)]
    return [node]


def _single(node: ast.expr, lookup: Lookup, steps: int) -> str:
    if isinstance(node, ast.Subscript):
        return _subscripted(node, lookup, steps)
    name = ast.unparse(node)
    meant = None if name in _PLAIN else lookup(name)
    if isinstance(meant, ast.ClassDef):
        return _fields(meant) if "TypedDict" in map(ast.unparse, meant.bases) else name
    return kind_words(meant, lookup, steps) if meant is not None else _PLAIN.get(name, name)


def _fields(typed: ast.ClassDef) -> str:
    names = [ast.unparse(one.target) for one in typed.body if isinstance(one, ast.AnnAssign)]
    return f"mapping with {', '.join(names)}"


def _subscripted(node: ast.Subscript, lookup: Lookup, steps: int) -> str:
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    words = [kind_words(one, lookup, steps) for one in inside[:2] if not isinstance(one, ast.Constant)]
    match ast.unparse(node.value):
        case "Annotated":
            return "duration" if "'seconds'" in map(ast.unparse, inside) else words[0]
        case "Literal":
            return " or ".join(str(one.value) for one in inside if isinstance(one, ast.Constant))
        case "list":
            return f"list of {_grouped(words[0])}"
        case "dict":
            return f"mapping to {_grouped(words[-1])}"
        case "Optional":
            return words[0]
    return ast.unparse(node)
