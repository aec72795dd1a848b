"""All rows of one item, read from its files. The one way by which anything of an item gets into the index."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from rivus.index.derive import Row, item_row, part, run_rows, summary_of, ticket_row, values_of
from rivus.index.reading import Place, Seen, find, places, see
from rivus.index.schema import Shape
from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.spool.layout import Spool


@dataclass(frozen=True, slots=True)
class Source:
    """A job as its items are read. stages: all that have a directory, those that jobs.d does not know included."""

    spool: Spool
    job: str
    shape: Shape
    stages: tuple[str, ...]


@dataclass(slots=True)
class Rows:
    """An item as it stands in the tables, without its id. data: the row of the job's table. words: what the full-text
    search covers, "" for nothing."""

    item: Row
    tickets: list[Row]
    runs: list[Row]
    data: Row
    words: str


def places_of(source: Source) -> list[list[Place]]:
    """The directories of each stage."""
    return [places(source.spool, source.job, stage) for stage in source.stages]


def look_up(source: Source, name: str, stages: Iterable[list[Place]]) -> Rows | None:
    """The rows of the item in the files of this name, wherever they are in these directories."""
    found = (find(stage, name) for stage in stages)
    return gather(source, name, (place for place in found if place))


def gather(source: Source, name: str, where: Iterable[Place]) -> Rows | None:
    """The rows of the item in the files of this name; None if there is none. A ticket that has moved on since its
    place was looked up is left out: its move is in the journal."""
    birth = see(f"{source.spool.births(source.job)}/{name}")
    tickets: list[Row] = []
    runs: list[Row] = []
    sources: dict[str, Json] = {}
    for place in where:
        seen = _see(f"{place.path}/{name}", birth)
        if seen is None:
            continue
        ticket = ticket_row(source.job, name, place, seen)
        tickets.append(ticket)
        runs += run_rows(ticket, seen.document)
        if place.box is Box.DONE:
            sources[place.stage] = part(seen.document, "output")
    if birth is None and not tickets:
        return None
    for field in ("data", "meta"):
        sources[field] = part(birth.document if birth else {}, field)
    return _rows(source, name, birth, tickets, runs, sources)


def _see(path: str, birth: Seen | None) -> Seen | None:
    """A ticket. One that is the birth record by another name need not be read again."""
    if birth is not None:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
        if status.st_ino == birth.inode:
            return birth._replace(mtime=status.st_mtime_ns)
    return see(path)


def _rows(
    source: Source, name: str, birth: Seen | None, tickets: list[Row], runs: list[Row], sources: dict[str, Json]
) -> Rows:
    values = values_of(source.shape.columns, sources)
    states = {ticket[1]: ticket[3] for ticket in tickets}
    known = [ticket for ticket in tickets if ticket[1] in source.shape.stages]
    summary = summary_of((ticket[3] for ticket in known), (ticket[4] for ticket in known))
    item = item_row(source.job, name, birth, values, summary)
    data = (item[1], *values.values(), item[8], item[5], item[9], *(states.get(one) for one in source.shape.stages))
    words = "\n".join(str(values[column]) for column in source.shape.search if values[column] is not None)
    return Rows(item, tickets, runs, data, words)
