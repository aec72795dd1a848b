"""The texts of a version, proven to be what made it: what they hold gives the digests that its parts state.

What is kept of a version is for people and can be anybody's, and a file can change while its version is reckoned. Who
decides something by a text takes it from here. Only Python code and the files of `version_deps` have a text.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from hashlib import sha256

from rivus.versions.code import dump_text
from rivus.versions.parts import Parts, digest


class Unproven(Exception):
    """There is no text of which that can be said; the reason is for a person."""


def is_whole(recorded: object) -> bool:
    """Whether the parts in a receipt are those that its version's id stands for."""
    if not (isinstance(recorded, dict) and isinstance(recorded.get("deps"), dict) and "code" in recorded):
        return False
    return recorded.get("id") == digest({name: value for name, value in recorded.items() if name != "id"})


def code_of(parts: Parts, texts: Mapping[str, str]) -> dict[str, str]:
    """`module:name` -> source, without comments and docstrings, which count for nothing. Raises Unproven."""
    others = {"handler", "command", "version", "with", *parts["deps"]}
    code = {name: text for name, text in texts.items() if name not in others and not name.startswith("text ")}
    try:
        if not code or digest({name: dump_text(text) for name, text in code.items()}) != parts["code"]:
            raise Unproven("there is no source that is known to have made it")
        return {name: _bare(text) for name, text in code.items()}
    except (SyntaxError, ValueError, RecursionError):
        raise Unproven("its source cannot be read") from None


def file_of(parts: Parts, texts: Mapping[str, str], name: str) -> str:
    """The text of a file that the version depends on. Raises Unproven."""
    text = texts.get(f"text {name}")
    if text is None or sha256(text.encode(errors="surrogatepass")).hexdigest()[:16] != parts["deps"].get(name):
        raise Unproven(f"there is no text that is known to have been in {name}")
    return text


def _bare(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node, False):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
