"""How interfaces cut long answers into pages, and the address of the page after this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Required, TypeAlias, TypedDict, get_args

from rivus.model.outcome import Halt, RetryLater
from rivus.net.cleaned import beginning
from rivus.sources.addresses import absolute
from rivus.sources.answer import described, expression, next_link, same_origin, with_query

if TYPE_CHECKING:
    import requests

By: TypeAlias = Literal["page", "offset", "cursor", "link"]
MOST_PAGES = 1_000
_USUAL: dict[str, dict[str, str | int]] = {"page": {"param": "page", "start": 1}, "offset": {"param": "offset"}}


class Asked(TypedDict, total=False):
    """What stands under `paging:`, as `Paging` has it."""

    by: Required[By]
    param: str
    start: int
    size: int
    cursor: str
    max_pages: int


@dataclass(frozen=True, slots=True)
class Paging:
    """How an answer is cut. param: the part of the query that says which page. start: its first value (page: 1,
    offset: 0). size: rows of a full page. cursor: where the answer says what comes next (JMESPath)."""

    by: str
    param: str = ""
    start: int = 0
    size: int = 0
    cursor: str = ""
    max_pages: int = 10

    def first(self) -> dict[str, int]:
        """The query of the first page."""
        return {self.param: self.start} if self.by in ("page", "offset") else {}


NONE = Paging("link", max_pages=1)


def paging_of(given: Asked | None) -> Paging:
    """The paging that a job asks for. Raises Halt, naming what is wrong."""
    if given is None:
        return NONE
    kinds = {field.name: str if field.type == "str" else int for field in fields(Paging)}
    for name, value in given.items():
        if name not in kinds:
            raise Halt(f"paging.{name}: known are {', '.join(kinds)}")
        if not isinstance(value, kinds[name]):
            raise Halt(f"paging.{name}: {value!r} is no {'text' if kinds[name] is str else 'whole number'}")
    by = str(given.get("by"))
    if by not in get_args(By):
        raise Halt(f"paging.by: {by!r} is none of {', '.join(get_args(By))}")
    values: dict[str, Any] = {**_USUAL.get(by, {}), **given}
    made = Paging(**values)
    if made.by == "cursor" and not made.cursor:
        raise Halt("paging.cursor: the place in the answer that says what comes next is needed (JMESPath)")
    if not 1 <= made.max_pages <= MOST_PAGES or made.size < 0:
        raise Halt(f"paging: max_pages is not between 1 and {MOST_PAGES}, or size is negative")
    return made


@dataclass(slots=True)
class Course:
    """The way through the pages of `url`. whole: whether the rows of a page are all that the server has sent."""

    paging: Paging
    url: str
    whole: bool
    pages: int = 0
    rows: int = 0

    def after(self, response: requests.Response, answer: Any, rows: int) -> str | None:
        """The address of the next page, None after the last. rows: how many this one had. Raises RetryLater for an
        address of another host, and for a cursor that is none."""
        self.pages += 1
        self.rows += rows
        found = _WAYS[self.paging.by](self, response, answer, rows)
        return None if found is None else same_origin(self.url, found)

    def _counted(self, response: requests.Response, answer: Any, rows: int) -> str | None:
        paging = self.paging
        if not rows or (self.whole and rows < paging.size):
            return None
        gone = self.pages if paging.by == "page" else self.pages * paging.size or self.rows
        return with_query(self.url, {paging.param: paging.start + gone})

    def _cursor(self, response: requests.Response, answer: Any, rows: int) -> str | None:
        value = expression(self.paging.cursor, "paging.cursor")(answer)
        if value in (None, "", False):
            return None
        if not isinstance(value, str | int):
            raise RetryLater(f"paging.cursor: {self.paging.cursor!r} gives {described(value)}, not a text or number")
        if self.paging.param:
            return with_query(self.url, {self.paging.param: value})
        if (found := absolute(response.url, str(value))) is None:
            shown = beginning(str(value), 100)
            raise RetryLater(f"paging.cursor: {shown!r} is no address; for a value name its `param`")
        return found

    def _link(self, response: requests.Response, answer: Any, rows: int) -> str | None:
        return next_link(response)


_WAYS: dict[str, Callable[[Course, Any, Any, int], str | None]] = {
    "page": Course._counted, "offset": Course._counted, "cursor": Course._cursor, "link": Course._link,
}  # fmt: skip
