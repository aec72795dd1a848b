"""The parts of a strategy's or handler's docstring, by which it documents itself.

    First sentence: what it finds or makes.

        stage: {handler: its.name, with: {…}}          one example or more in YAML, set in by four spaces

    name:  what a parameter means; other: another one in the same line; one, two: both of them.
           Further lines are set in.
    All else (Takes, Gives, Raises …) is prose; with "see the module" in it, that of the module follows.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

SEE_MODULE = "see the module"
_HEAD = re.compile(r"(\w+(?:, \w+)*):(?:\s+|$)")
_SENTENCE = re.compile(r"(?<=\.)\s+(?=[A-Z`])")


@dataclass(frozen=True, slots=True)
class Documented:
    """examples: YAML. parameters: name -> its meaning. prose: all else in paragraphs without line breaks."""

    examples: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    prose: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """The first sentence."""
        return _SENTENCE.split(self.prose[0])[0] if self.prose else ""


def documented(doc: str, names: Collection[str], module: str = "") -> Documented:
    """The parts of `doc`, a clean docstring, of a function with the parameters `names`. What it does not say about one
    of them is taken from a sentence that mentions it in backquotes, else in the same way from the docstring of its
    module."""
    found, others = _taken_apart(doc, names), _taken_apart(module, names)
    for name in names:
        if meaning := _meaning(name, found) or _meaning(name, others):
            found.parameters[name] = meaning
    if SEE_MODULE in doc:
        found.prose[:] = [*filter(None, map(_without_reference, found.prose)), *others.prose[1:]]
    return found


def _without_reference(paragraph: str) -> str:
    return " ".join(one for one in _SENTENCE.split(paragraph) if SEE_MODULE not in one)


def _meaning(name: str, found: Documented) -> str:
    texts = [one for one in [*found.prose, *found.parameters.values()] if not one.startswith("Gives: ")]
    sentences = (sentence for text in texts for sentence in _SENTENCE.split(text))
    mentioned = next((one for one in sentences if f"`{name}`" in one), "")
    return found.parameters.get(name) or mentioned.removeprefix("Takes: ")


def _taken_apart(doc: str, names: Collection[str]) -> Documented:
    found = Documented()
    for block in re.split(r"\n\s*\n", doc):
        if block.startswith("    "):
            found.examples.append(textwrap.dedent(block).rstrip())
        elif block.strip():
            _add_paragraph(found, block, names)
    return found


def _add_paragraph(found: Documented, block: str, names: Collection[str]) -> None:
    """Entries that begin with the name of a parameter are its meaning; what has another beginning stays prose."""
    for entry in _entries(block):
        head = _HEAD.match(entry)
        if head is None or not set(head[1].split(", ")) <= set(names):
            found.prose.append(entry)
            continue
        for heads, text in _meanings(entry, names):
            found.parameters.update(dict.fromkeys(heads, text))


def _entries(block: str) -> Iterator[str]:
    """A paragraph in parts: each entry with the lines that are set in below it, and the text between two entries."""
    parts: list[str] = []
    in_entry = False
    for line in block.splitlines():
        head = bool(_HEAD.match(line))
        if head or not parts or (in_entry and not line.startswith(" ")):
            parts.append(line)
            in_entry = head
        else:
            parts[-1] += "\n" + line
    return (" ".join(part.split()) for part in parts)


def _meanings(entry: str, names: Collection[str]) -> Iterator[tuple[list[str], str]]:
    """`one: this; other: that` -> both, with their texts."""
    known = "|".join(map(re.escape, names))
    _, *parts = re.split(rf"(?:^|[;.] )((?:{known})(?:, (?:{known}))*): ?", entry)
    for heads, text in zip(parts[::2], parts[1::2], strict=True):
        yield heads.split(", "), text.strip()
