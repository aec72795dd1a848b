"""What the tables are: every column is explained, and what a dashboard asks is answered from an index."""

from __future__ import annotations

import pytest

from rivus.config.rules import OWN_COLUMNS
from rivus.index.schema import FIXED, Shape, digest
from rivus.index.tables import TABLES
from tests.index.site import Site
from tests.spool.test_crash import published


def test_every_column_is_explained_and_no_other(site: Site) -> None:
    published(site.spool, "a")
    site.update()
    found = {name for (name,) in site.rows("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")}
    own = {name for name in found if not name.startswith(("search", "sqlite_"))}
    assert own == {*TABLES, "data_job", "job_job"}
    for name, table in TABLES.items():
        columns = [row[1] for row in site.rows(f"PRAGMA table_info({name})")]
        assert columns == list(table.columns) and all(table.columns.values()), name
    shape = Shape({"title": "data.title"}, (), {"fetch": ()})
    assert list(shape.fields())[:3] == ["item", "key", "title"]


def test_no_column_of_a_job_can_have_the_name_of_a_fixed_one() -> None:
    assert {"item", "key", *FIXED} <= OWN_COLUMNS


def test_the_digest_tells_columns_search_and_stages_apart() -> None:
    shapes = [
        Shape({}, (), {}), Shape({"a": "data.a"}, (), {}), Shape({"a": "data.a"}, ("a",), {}), Shape({}, (), {"b": ()}),
    ]  # fmt: skip
    assert len({digest({"job": shape}) for shape in shapes}) == 4


@pytest.mark.parametrize("query", [
    "SELECT * FROM items WHERE job = 'job' ORDER BY discovered DESC LIMIT 100",
    "SELECT count(*) FROM items WHERE job = 'job' AND state = 'trouble'",
    "SELECT job, stage, state, count(*) FROM tickets GROUP BY job, stage, state",
    "SELECT * FROM tickets WHERE job = 'job' AND stage = 'fetch' AND state = 'failed' ORDER BY since DESC LIMIT 100",
    "SELECT * FROM tickets WHERE state = 'held' ORDER BY since LIMIT 100",
    "SELECT * FROM tickets WHERE fingerprint = '0123456789abcdef'",
    "SELECT * FROM tickets WHERE class = 'auth'",
    "SELECT * FROM tickets WHERE due > '2026' ORDER BY due LIMIT 100",
    "SELECT * FROM runs WHERE started > '2026' ORDER BY started DESC LIMIT 100",
    "SELECT * FROM runs WHERE job = 'job' AND stage = 'fetch' ORDER BY started DESC LIMIT 100",
    "SELECT * FROM runs WHERE item = 5 AND stage = 'fetch'",
    "SELECT * FROM job_job ORDER BY score DESC LIMIT 100",
    "SELECT title, count(*) FROM job_job GROUP BY title",
    "SELECT * FROM job_job WHERE fetch_state = 'failed' LIMIT 100",
])  # fmt: skip
def test_a_dashboard_query_goes_by_an_index_and_sorts_nothing(site: Site, query: str) -> None:
    site.update()
    plan = " / ".join(row[3] for row in site.rows(f"EXPLAIN QUERY PLAN {query}"))
    assert "INDEX" in plan and "TEMP B-TREE" not in plan, plan
