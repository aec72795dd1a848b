"""The strategy `web_table`: the rows of a table on a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.net.cleaned import beginning
from rivus.sources import conditional
from rivus.sources.addresses import absolute, web_address
from rivus.sources.keys import digest, key_of, one_line
from rivus.sources.listed import asked_anew, note_listed
from rivus.sources.pages import ACCEPT, base_of, select, tree_of
from rivus.sources.robots import Obedience, Robots

LONGEST_CELL = 2_000
MOST_ROWS = 5_000
MOST_COLUMNS = 100
_NOT_IN_NAMES = re.compile(r"[^\w]+")


def web_table(
    look: Look,
    *,
    url: str,
    selector: str = "table",
    key: str | int | None = None,
    max_items: int = 2_000,
    robots: Obedience = "obey",
) -> Iterator[Found]:
    """The rows of an HTML table, from its top.

        discover: {strategy: web_table, url: https://example.org/calendar, selector: "table.ipo", key: symbol}

    url:       the page.
    selector:  a CSS selector of the table, or of an element that has it inside; the first that is found counts.
    key:       the column that names a row, by its name or its number from 1; default: a digest of the whole row.
    max_items: how many rows are taken.
    robots:    `obey` or `ignore` the site's robots.txt.

    The column names are those of the header in lower case with `_` between words (`Filing date` is `filing_date`);
    names that come twice get a number (`price_2`), columns without one are `column_3`. A cell that spans rows or
    columns stands in each of them.
    The data has url (the row's first link, else the page's), cells (name -> text) and links (name -> address).
    Rows without a key, and further rows of a key, are left out with a warning. A row that is no longer there is noted
    as vanished. Raises RetryLater if there is no such table or it has no row or no column of that name (the page has
    changed, or this is a login page), Halt for a bad selector, a number that no column has and a page that robots.txt
    forbids.
    """
    Robots(look, robots).allow(web_address(url, "url"))
    asked = (url, selector, key)
    if asked_anew(look, asked):
        conditional.forget(look)
    response = conditional.get(look, url, accept=ACCEPT)
    if response is None:
        return
    tree = tree_of(response)
    table = _Table(base_of(tree, response.url))
    table.read(_table(tree, selector, url))
    if not table.rows:
        raise RetryLater(f"{url}: the table at {selector!r} has no rows: has the page changed?")
    found = list(_found(look, table, _column(table.names, key), url))
    yield from found[:max_items]
    note_listed(look, asked, {"": [row.key for row in found]})
    conditional.remember(look, url, response)


def _table(tree: Any, selector: str, url: str) -> Any:
    for node in select(tree, selector, 100):
        table = node if node.tag == "table" else node.css_first("table")
        if table is not None:
            return table
    raise RetryLater(f"{url}: {selector!r} finds no table on the page: has it changed?")


def _column(names: list[str], key: str | int | None) -> int | None:
    if key is None:
        return None
    number = key - 1 if isinstance(key, int) else next((n for n, name in enumerate(names) if name == _name(key)), -1)
    if not 0 <= number < len(names):
        wrong = Halt if isinstance(key, int) or not _name(key) else RetryLater
        raise wrong(f"key: there is no column {key!r}; there are {beginning(', '.join(names), 300)}")
    return number


def _found(look: Look, table: _Table, column: int | None, url: str) -> Iterator[Found]:
    taken: set[str] = set()
    without = again = 0
    for row in table.rows:
        cells = [cell.text for cell in row]
        key = digest(*cells) if column is None else key_of(cells[column] if column < len(cells) else "")
        if not key:
            without += 1
        elif key in taken:
            again += 1
        else:
            taken.add(key)
            yield Found(key, _data(table.names, row, url))
    if without:
        look.log.warning("%s: %d rows without a key are left out", url, without)
    if again:
        look.log.warning("%s: %d further rows of a key that was there already are left out", url, again)


def _data(names: list[str], row: list[_Cell], url: str) -> Json:
    named = list(zip(names, row, strict=False))
    links = {name: cell.link for name, cell in named if cell.link}
    cells = {name: cell.text for name, cell in named if cell.text}
    return {"url": next(iter(links.values()), url), "cells": cells, **({"links": links} if links else {})}


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    link: str | None = None


@dataclass
class _Table:
    """A table laid out: names has one name a column, rows the cells of each row below the header."""

    base: str
    names: list[str] = field(default_factory=list)
    rows: list[list[_Cell]] = field(default_factory=list)

    def read(self, table: Any) -> None:
        """Reads the rows of `table`, not those of tables inside it."""
        hanging: dict[int, tuple[int, _Cell]] = {}
        header: list[list[_Cell]] = []
        for number, tr in enumerate(_rows(table)):
            nodes = [node for node in tr.iter() if node.tag in ("td", "th")]
            row = self._laid_out(nodes, hanging)
            if not self.rows and _is_header(tr, nodes):
                header.append(row)
            elif any(cell.text or cell.link for cell in row):
                self.rows.append(row)
            if number >= MOST_ROWS:
                break
        width = max((len(row) for row in (*header, *self.rows)), default=0)
        self.names = _names(header, width)

    def _laid_out(self, nodes: list[Any], hanging: dict[int, tuple[int, _Cell]]) -> list[_Cell]:
        """The cells of a row. hanging: column -> cells of rows above that reach down, with how many rows are left."""
        row: list[_Cell] = []
        waiting = [(self._cell(node), _span(node, "colspan"), _span(node, "rowspan")) for node in nodes]
        while len(row) < MOST_COLUMNS and (waiting or len(row) in hanging):
            if len(row) in hanging:
                left, cell = hanging.pop(len(row))
                if left > 1:
                    hanging[len(row)] = (left - 1, cell)
                row.append(cell)
                continue
            cell, wide, deep = waiting.pop(0)
            for _ in range(min(wide, MOST_COLUMNS - len(row))):
                if deep > 1:
                    hanging[len(row)] = (deep - 1, cell)
                row.append(cell)
        return row

    def _cell(self, node: Any) -> _Cell:
        anchor = node.css_first("a[href]")
        link = absolute(self.base, anchor.attributes.get("href")) if anchor else None
        return _Cell(one_line(node.text(separator=" "), LONGEST_CELL), link)


def _rows(table: Any) -> Iterator[Any]:
    for node in table.iter():
        if node.tag == "tr":
            yield node
        elif node.tag in ("thead", "tbody", "tfoot"):
            yield from (inner for inner in node.iter() if inner.tag == "tr")


def _is_header(tr: Any, nodes: list[Any]) -> bool:
    return bool(nodes) and (tr.parent.tag == "thead" or all(node.tag == "th" for node in nodes))


def _span(node: Any, attribute: str) -> int:
    """A colspan or rowspan; 0 ("to the end", of rows) and nonsense count as 1."""
    text = str(node.attributes.get(attribute) or "")
    return min(max(int(text), 1), 1_000) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _names(header: list[list[_Cell]], width: int) -> list[str]:
    """A name for each column: the texts of the header's rows above each other."""
    names: list[str] = []
    for column in range(width):
        texts = dict.fromkeys(row[column].text for row in header if column < len(row))
        name = plain = _name(" ".join(texts)) or f"column_{column + 1}"
        number = 2
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def _name(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text.lower()).strip("_")[:100]
