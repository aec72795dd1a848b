"""The elements of an XML document from outside, one by one, without namespaces: `video:title` is `title`.

Only the elements asked for are built. Declared entities are refused: there is none in a sitemap or a feed that is not
meant as a bomb.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rivus.sources.keys import one_line

if TYPE_CHECKING:
    from pyexpat import XMLParserType

DEEPEST = 50
LONGEST_TEXT = 20_000
MOST_ELEMENTS = 600_000
"""In all; a sitemap of 50,000 pages with news has about 500,000."""


@dataclass(slots=True)
class Element:
    """An element: its name without prefix, its attributes (likewise), its own text, the elements inside."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    inside: list[Element] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        """The elements of that name directly inside."""
        return [element for element in self.inside if element.name == name]

    def told(self, *path: str) -> str:
        """The text of the first element at `path`, on one line; "" without one."""
        element = self
        for name in path:
            found = next((e for e in element.inside if e.name == name), None)
            if found is None:
                return ""
            element = found
        return one_line(element.text)


@dataclass(slots=True)
class Elements:
    """What is in a document: the name of its root ("" if it is no XML), the elements, and what is wrong with it."""

    root: str
    found: list[Element]
    flaw: str = ""


def elements(text: str, names: frozenset[str], most: int) -> Elements:
    """The elements called one of `names`, in order, at most `most`; those before an error are good."""
    from pyexpat import ExpatError, ParserCreate

    builder = _Builder(names, most)
    parser = ParserCreate("utf-8")
    builder.listen(parser)
    flaw = ""
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except (ExpatError, _Refused) as error:
        flaw = one_line(error, 200)
    return Elements(builder.root, builder.found, flaw)


class _Refused(Exception):
    """What makes the rest of the document unreadable."""


class _Builder:
    def __init__(self, names: frozenset[str], most: int) -> None:
        self.root = ""
        self.found: list[Element] = []
        self._names, self._most = names, most
        self._open: list[Element] = []
        self._depth = self._count = 0

    def listen(self, parser: XMLParserType) -> None:
        """Has the parser tell this builder what it reads."""
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.EntityDeclHandler = self._entity

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        self.root = self.root or name
        self._depth += 1
        if self._depth > DEEPEST:
            raise _Refused(f"more than {DEEPEST} elements inside each other")
        if not self._open and name not in self._names:
            return
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise _Refused(f"more than {MOST_ELEMENTS:,} elements")
        element = Element(name, {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].inside.append(element)
        self._open.append(element)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._open:
            done = self._open.pop()
            if not self._open:
                self._keep(done)

    def _keep(self, element: Element) -> None:
        if len(self.found) >= self._most:
            raise _Refused(f"more than {self._most:,} entries")
        self.found.append(element)

    def _data(self, text: str) -> None:
        if self._open and len(self._open[-1].text) < LONGEST_TEXT:
            self._open[-1].text += text

    def _entity(self, *declared: object) -> None:
        raise _Refused("it declares entities")


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
