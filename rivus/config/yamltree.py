"""YAML text -> plain values and where each stands. Strict, and bounded in time and memory.

Accepted: mappings with text keys, lists, text, true/false, decimal whole numbers (64 bit) and fractions,
null. All that YAML readers disagree about (`no`, `012`, `1:30`, `2026-01-31`, `1_000`, `1e3`), and all that
hides where a value comes from (anchors, aliases, tags, merge keys, duplicate keys, more documents), is a
problem, never a guess. The rules are those of YAML 1.1 (yaml.org/type) as PyYAML has them, and the numbers
of the core schema of YAML 1.2.2 (section 10.3.2). A value that could not be read is UNUSABLE; whoever meets
it has nothing more to report.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.reader import Reader

from rivus.config.problem import Mark, Problem, Where, dotted, quoted

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 20_000
MAX_INT = 2**63

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_CORE_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_READ_AS = {
    "bool": "a truth value", "int": "a number", "float": "a number", "null": "nothing", "timestamp": "a date",
    "merge": "a merge key", "value": "a default value",
}  # fmt: skip
_HINTS = {"a truth value": " (or write true or false)", "a number": " (or write it in plain digits: 10 or -0.5)"}


class Unusable:
    """Stands where a value was reported already."""

    def __repr__(self) -> str:
        return "UNUSABLE"


UNUSABLE: Final = Unusable()


@dataclass(slots=True)
class Tree:
    """What a file says. marks: where each field (its name) and list entry begins. problems: with any of
    them, `value` is not the whole truth, and UNUSABLE if the text is not YAML up to its end."""

    file: str
    data: bytes = b""
    value: Any = UNUSABLE
    marks: dict[Where, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def report(self, mark: Mark, path: Where, message: str) -> None:
        self.problems.append(Problem(self.file, *mark, dotted(path), message))


class _Stop(Exception):
    """The rest of the file is not worth reading; what is wrong was reported."""


def read_yaml(path: Path) -> Tree:
    """The tree of a file; every way in which it cannot be read is a problem."""
    tree = Tree(str(path))
    try:
        tree.data = _read(path)
    except OSError as error:
        tree.report((1, 1), (), f"cannot be read: {error.strerror}")
        return tree
    return _fill(tree)


def parse_yaml(data: bytes, file: str) -> Tree:
    """The tree of a text that did not come from a file; `file` is its name in problems."""
    return _fill(Tree(file, data))


def _read(path: Path) -> bytes:
    # O_NONBLOCK: a FIFO named like a job must not hang whoever opens it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        return file.read(MAX_BYTES + 1)


def _fill(tree: Tree) -> Tree:
    if (text := _text(tree)) is None:
        return tree
    loader = _LOADER(text)
    try:
        tree.value = _Composer(tree, loader).document()
    except _Stop:
        pass
    except yaml.MarkedYAMLError as error:
        _report_syntax(tree, text, error)
    finally:
        loader.dispose()
    return tree


def _text(tree: Tree) -> str | None:
    if len(tree.data) > MAX_BYTES:
        tree.report((1, 1), (), f"larger than {MAX_BYTES >> 20} MiB")
        return None
    try:
        text = tree.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = tree.data[: error.start].decode("utf-8", "replace")
        tree.report(_end_of(before), (), "not UTF-8")
        return None
    if found := Reader.NON_PRINTABLE.search(text):
        tree.report(_end_of(text[: found.start()]), (), f"holds the control character {quoted(found[0])}")
        return None
    return text


def _end_of(text: str) -> Mark:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _report_syntax(tree: Tree, text: str, error: yaml.MarkedYAMLError) -> None:
    place = error.problem_mark or error.context_mark
    line, col = (place.line, place.column) if place else (0, 0)
    lines = text.splitlines()
    at_tab = line < len(lines) and lines[line][col : col + 1] == "\t"
    message = "a tab: indent with spaces" if at_tab else f"not YAML: {error.problem or error.context}"
    tree.report((line + 1, col + 1), (), message)


class _Composer:
    """Events -> values. It walks events itself, because a composer of nodes would follow aliases, keep the
    last of two equal keys and recurse as deep as the text wants."""

    def __init__(self, tree: Tree, loader: Any) -> None:
        self.tree, self.loader, self.values = tree, loader, 0

    def document(self) -> Any:
        """The one document of the stream; None if there is none."""
        self.loader.get_event()
        if self.loader.check_event(yaml.StreamEndEvent):
            return None
        self.loader.get_event()
        value = self.node(self.loader.get_event(), (), None)
        self.loader.get_event()
        if not self.loader.check_event(yaml.StreamEndEvent):
            self.tree.report(_mark(self.loader.get_event()), (), "a second document: one file, one document")
        return value

    def node(self, event: Any, path: Where, mark: Mark | None) -> Any:
        """The value that begins with `event`; `mark` is that of its key, if it has one."""
        mark = mark or _mark(event)
        self.tree.marks.setdefault(path, mark)
        self.values += 1
        if len(path) > MAX_DEPTH or self.values > MAX_VALUES:
            what = (
                f"nested deeper than {MAX_DEPTH} levels"
                if len(path) > MAX_DEPTH
                else "too many values in one file"
            )
            self.tree.report(_mark(event), path[:MAX_DEPTH], what)
            raise _Stop
        plain = self.without_reference(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path) if plain else UNUSABLE
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path) if isinstance(event, yaml.MappingStartEvent) else UNUSABLE

    def without_reference(self, event: Any, path: Where) -> bool:
        """Reports what an event refers to or claims to be; true if that is nothing."""
        if isinstance(event, yaml.AliasEvent):
            self.tree.report(_mark(event), path, f"an alias (*{event.anchor}): write the value out")
        elif event.anchor is not None:
            self.tree.report(
                _mark(event), path, f"an anchor (&{event.anchor}): write values out where they belong"
            )
        elif event.tag is not None:
            self.tree.report(
                _mark(event), path, f"a tag ({quoted(event.tag)}): not accepted; quote text instead"
            )
        else:
            return True
        return False

    def sequence(self, path: Where) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self.loader.get_event(), yaml.SequenceEndEvent):
            values.append(self.node(event, (*path, len(values)), None))
        return values

    def mapping(self, path: Where) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        while not isinstance(event := self.loader.get_event(), yaml.MappingEndEvent):
            key = self.key(event, path)
            if isinstance(key, str) and key in fields:
                first = self.tree.marks[(*path, key)][0]
                self.tree.report(_mark(event), (*path, key), f"a duplicate key (first in line {first})")
                key = UNUSABLE
            value = self.node(
                self.loader.get_event(), (*path, key if isinstance(key, str) else "?"), _mark(event)
            )
            if isinstance(key, str):
                fields[key] = value
        return fields

    def key(self, event: Any, path: Where) -> str | Unusable:
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event, path) if self.without_reference(event, path) else UNUSABLE
        else:
            value = self.node(event, (*path, "?"), None)
        if not isinstance(value, str | Unusable):
            self.tree.report(_mark(event), path, "a key that is not text: quote it")
        return value if isinstance(value, str) else UNUSABLE

    def scalar(self, event: Any, path: Where) -> Any:
        text = event.value
        if "\0" in text:
            self.tree.report(_mark(event), path, "holds a NUL character")
            return UNUSABLE
        if event.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _FRACTION.fullmatch(text) and len(text) < MAX_DEPTH:
            return float(text)
        if _WHOLE.fullmatch(text) and len(text) < MAX_DEPTH and -MAX_INT <= int(text) < MAX_INT:
            return int(text)
        return self.text(event, path)

    def text(self, event: Any, path: Where) -> Any:
        """A scalar without quotes, if every reader of YAML takes it for text."""
        tag = self.loader.resolve(yaml.ScalarNode, event.value, (True, False)).rpartition(":")[2]
        if tag == "str" and not _CORE_NUMBER.fullmatch(event.value):
            return event.value
        kind = _READ_AS.get(tag, "a number")
        hint = _HINTS.get(kind, "")
        self.tree.report(_mark(event), path, f"{quoted(event.value)} can be read as {kind}: quote it{hint}")
        return UNUSABLE


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1
