"""The SQL of index.db, made from `tables` and from the shape of each job; and the digest that says whether a file fits.

Besides the fixed tables there are, for a job `x`, the table `data_x` and the view `job_x`: one row for each item with
the columns that `columns:` names, its state, and `STAGE_state` for each stage; each column has an index. `search` is
one full-text table for all jobs: `SELECT rowid FROM search WHERE search MATCH ?` gives items.id.
There is no migration: a file with another digest is built anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256

from rivus.index.tables import TABLES

APPLICATION = 0x52495655
"""`PRAGMA application_id`: RIVU."""
VERSION = 1
"""`PRAGMA user_version`: raised when a column comes to mean something else while its name stays."""
FIXED = {"state": "as in items", "discovered": "as in items", "changed": "as in items"}
"""The columns of every job's view besides `item`, `key`, those of the job and those of its stages."""
COUNTED = frozenset({"done", "skipped", "retry", "timeout", "blocked", "halted", "failed", "held", "interrupted"})
"""The outcomes that `days` counts."""

_INDEXES = (
    "items(job, key)", "items(job, discovered)", "items(job, state)", "items(job, changed)", "items(discovered)",
    "items(parent) WHERE parent IS NOT NULL",
    "tickets(job, stage, state, since)", "tickets(state, since)", "tickets(fingerprint) WHERE fingerprint IS NOT NULL",
    "tickets(due) WHERE due IS NOT NULL", "tickets(class) WHERE class IS NOT NULL",
    "tickets(job, stage, version, since) WHERE version IS NOT NULL", "runs(ended) WHERE cost_unknown > 0",
    "runs(started)", "runs(job, stage, started)", "limits(name, t)", "sources(job, t)",
)  # fmt: skip
_SUM = "INSERT INTO day_sums SELECT {row} WHERE {when} ON CONFLICT DO UPDATE SET n = n + excluded.n"
_FOUND = ("items", "{r}.job, 'discover', substr({r}.discovered, 1, 10), 'found', {sign}1", "{r}.discovered NOT NULL")
_ENDED = ("runs", "{r}.job, {r}.stage, substr({r}.ended, 1, 10), {r}.outcome, {sign}1", "{r}.ended NOT NULL")
_SPENT = (
    "runs",
    "{r}.job, {r}.stage, substr({r}.ended, 1, 10), 'usd', {sign}CAST(round({r}.usd * 1e6) AS INTEGER)",
    "{r}.usd NOT NULL AND {r}.ended NOT NULL",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """What the index has to know of a job. columns: a name -> the path of its value, which begins with `data`, `meta`
    or a stage. search: names of columns. stages: each with what it needs, in order."""

    columns: Mapping[str, str]
    search: tuple[str, ...]
    stages: Mapping[str, tuple[str, ...]]

    def fields(self) -> dict[str, str]:
        """The columns of the job's view, each with its help."""
        states = {f"{stage}_state": f"as in tickets, of {stage}" for stage in self.stages}
        return {"item": "items.id", "key": "as in items", **self.columns, **FIXED, **states}


Shapes = Mapping[str, Shape]


def digest(shapes: Shapes) -> str:
    """What an index for these jobs must have been made with."""
    whole = [VERSION, list(tables()), list(indexes(shapes)), {job: asdict(shape) for job, shape in shapes.items()}]
    return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def tables() -> Iterator[str]:
    """The SQL of the fixed tables and views."""
    for name, table in TABLES.items():
        if table.sql:
            yield f"CREATE VIEW {name} AS {table.sql}"
            continue
        columns = [f'"{column}" {kind}'.strip() for column, kind in table.types.items()]
        unique = [f"UNIQUE ({table.unique})"] if table.unique else []
        yield f"CREATE TABLE {name} ({', '.join([*columns, *unique])})"
    yield "CREATE VIRTUAL TABLE search USING fts5(text, tokenize='unicode61 remove_diacritics 2')"


def job_tables(shapes: Shapes) -> Iterator[str]:
    """The SQL of the table and the view of each job."""
    for job, shape in shapes.items():
        columns = ", ".join(f'"{name}"' for name in shape.fields() if name != "item")
        yield f'CREATE TABLE "data_{job}" (item INTEGER PRIMARY KEY, {columns})'
        yield f'CREATE VIEW "job_{job}" AS SELECT item, {columns} FROM "data_{job}"'


def indexes(shapes: Shapes) -> Iterator[str]:
    """The SQL of all indexes: of no use while a whole spool is read in, and made after it."""
    for number, index in enumerate(_INDEXES):
        yield f"CREATE INDEX by_{number} ON {index}"
    for job, shape in shapes.items():
        for column in (name for name in shape.fields() if name not in ("item", "key")):
            yield f'CREATE INDEX "data_{job}.{column}" ON "data_{job}" ("{column}")'


def sums() -> Iterator[str]:
    """The SQL that fills `day_sums` from what is there."""
    for table, row, when in (_FOUND, _ENDED, _SPENT):
        made = f"SELECT {row.format(r=table, sign='')} FROM {table} WHERE {when.format(r=table)}"
        grouped = "SELECT a, b, c, d, sum(n) FROM made GROUP BY 1, 2, 3, 4"
        yield f"INSERT INTO day_sums WITH made(a, b, c, d, n) AS ({made}) {grouped}"


def triggers() -> Iterator[str]:
    """The SQL that keeps `day_sums` in step with every row that comes or goes. Runs are never updated."""
    for number, (table, row, when) in enumerate((_FOUND, _ENDED, _SPENT)):
        come = _SUM.format(row=row.format(r="new", sign=""), when=when.format(r="new"))
        gone = _SUM.format(row=row.format(r="old", sign="-"), when=when.format(r="old"))
        yield f"CREATE TRIGGER come_{number} AFTER INSERT ON {table} BEGIN {come}; END"
        yield f"CREATE TRIGGER gone_{number} AFTER DELETE ON {table} BEGIN {gone}; END"
        if table == "items":
            yield f"CREATE TRIGGER items_changed AFTER UPDATE OF discovered ON items BEGIN {gone}; {come}; END"
