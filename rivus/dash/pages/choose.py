"""Choosing the items of a job's page: filters, search, order and facets, as SQL that stays quick on a million rows.

Names in the SQL are those that the job declares; every value is bound. What cannot be understood is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rivus.dash.pages import words
from rivus.dash.pages.answer import numbers, rows
from rivus.model.outcome import Json

if TYPE_CHECKING:
    from datasette.app import Datasette

SIZE = 50
LAST = 200
"""The last page there is: further ones would have to count through all before them."""
MANY = 10_000
"""How many matching rows are counted when filters are set."""
FOUND = 20_000
"""How many items, the newest, a search covers."""
KINDS = 12
"""A column with at most so many different values is a facet."""
_WORD = re.compile(r"\w+")
_WHOLE = re.compile(r"-?[0-9]{1,15}")


class Arguments(Protocol):
    """The query of an address."""

    def get(self, name: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for. columns: of the job; filters: a column -> its value; search: words, "" for none; sort: a
    column; down: whether the greatest comes first."""

    job: str
    columns: tuple[str, ...]
    stages: tuple[str, ...]
    searchable: bool
    filters: Mapping[str, str]
    search: str
    sort: str
    down: bool
    page: int
    size: int = SIZE
    last: int = LAST

    def given(self) -> dict[str, str]:
        """The arguments that make this choice, without the page."""
        order = {"_sort_desc" if self.down else "_sort": self.sort} if (self.sort, self.down) != _USUAL else {}
        return {**self.filters, **({"_search": self.search} if self.search else {}), **order}

    def href(self, more: Mapping[str, object], without: str) -> str:
        """The address with other arguments. without: what is taken out; "sort": the order."""
        left_out = {"_sort", "_sort_desc"} if without == "sort" else {without}
        kept = {name: value for name, value in self.given().items() if name not in left_out}
        return words.job(self.job, **{**kept, **more})

    def where(self, hint: str = "") -> tuple[str, dict[str, object]]:
        """The condition and its values. hint: "+" keeps the indexes of filters from being used."""
        parts, values = ["1"], dict[str, object]()
        for number, (name, value) in enumerate(self.filters.items()):
            parts.append(f'{hint}"{name}" IN (:v{number}, :n{number})')
            values |= {f"v{number}": value, f"n{number}": _number(value)}
        if self.search:
            parts.append(
                f"item IN (SELECT rowid FROM search WHERE search MATCH :search ORDER BY rowid DESC LIMIT {FOUND})"
            )
            values["search"] = " ".join(f'"{word}"*' for word in _WORD.findall(self.search)[:12]) or '""'
        return " AND ".join(parts), values


_USUAL = ("discovered", True)


def choose(job: str, columns: list[str], stages: list[str], searchable: bool, args: Arguments) -> Choice:
    """What the arguments of an address ask for."""
    known = [*columns, "state", *(f"{stage}_state" for stage in stages)]
    filters = {name: value for name in known if (value := args.get(name))}
    sortable = {*columns, "key", "state", "discovered", "changed"}
    up, down = args.get("_sort"), args.get("_sort_desc")
    sort, falls = (up, False) if up in sortable else (down, True) if down in sortable else _USUAL
    page = args.get("_page") or ""
    number = min(max(int(page), 1), LAST) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    search = (args.get("_search") or "").strip()[:200] if searchable else ""
    return Choice(job, tuple(columns), tuple(stages), searchable, filters, search, sort or "", falls, number)


def _number(value: str) -> float | int | str:
    """A number if the text is one: columns hold values as they are, and 7 is not '7'."""
    try:
        return int(value) if _WHOLE.fullmatch(value) else float(value)
    except ValueError:
        return value


async def matching(datasette: Datasette, choice: Choice) -> int:
    """How many rows match; of many no more than MANY + 1 are counted if there are filters."""
    where, values = choice.where()
    most = f"LIMIT {MANY + 1}" if len(values) else ""
    sql = f'SELECT count(*) AS n FROM (SELECT 1 FROM "data_{choice.job}" WHERE {where} {most})'
    found = await numbers(datasette, sql, **values)
    return int(found["n"])


async def page_of(datasette: Datasette, choice: Choice, total: int) -> list[dict[str, Any]]:
    """The rows of the page. Many matching rows are met soon on a walk along the order; few are better sorted."""
    many = total > MANY // 10
    where, values = choice.where("+" if many else "")
    names = ", ".join(f'"{name}"' for name in (*choice.columns, "key", "state", "discovered", *_states(choice)))
    way = "DESC" if choice.down else "ASC"
    order = f'{"" if many else "+"}"{choice.sort}" {way}, item {way}'
    sql = f'SELECT {names} FROM "data_{choice.job}" WHERE {where} ORDER BY {order} LIMIT :size OFFSET :offset'
    return await rows(datasette, sql, **values, size=choice.size, offset=(choice.page - 1) * choice.size)


def _states(choice: Choice) -> list[str]:
    return [f"{stage}_state" for stage in choice.stages]


async def facets(datasette: Datasette, choice: Choice) -> list[Json]:
    """Columns with few different values, each with how many rows have which; `state` is always one."""
    shown = [name for name in choice.columns if name in choice.filters or await _few(datasette, choice.job, name)]
    return [await _facet(datasette, choice, name) for name in ("state", *shown)]


async def _facet(datasette: Datasette, choice: Choice, name: str) -> Json:
    where, values = choice.where()
    inner = f'SELECT "{name}" AS value FROM "data_{choice.job}" WHERE {where} AND "{name}" NOT NULL'
    if values:
        inner = f"{inner} LIMIT {MANY}"
    sql = f"SELECT value, count(*) AS n FROM ({inner}) GROUP BY value ORDER BY n DESC, value LIMIT {KINDS}"
    found = await rows(datasette, sql, **values)
    for row in found:
        row["on"] = str(row["value"]) == choice.filters.get(name)
        row["href"] = choice.href({} if row["on"] else {name: row["value"]}, name)
    return {"name": name, "values": found, "cut": bool(values) and sum(row["n"] for row in found) >= MANY}


async def _few(datasette: Datasette, job: str, name: str) -> bool:
    """Whether a column has 2 to KINDS different values: found by jumps along its index."""
    sql = f"""
        WITH RECURSIVE jump(v) AS (
            SELECT min("{name}") FROM "data_{job}"
            UNION ALL SELECT (SELECT min("{name}") FROM "data_{job}" WHERE "{name}" > v) FROM jump WHERE v NOT NULL
            LIMIT {KINDS + 2})
        SELECT count(v) AS n FROM jump"""
    found = await numbers(datasette, sql)
    return 2 <= int(found["n"]) <= KINDS
