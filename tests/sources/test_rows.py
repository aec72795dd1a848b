from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, RetryLater
from rivus.sources import tables
from rivus.sources.rows import rows

from .conftest import FakeLook


def put(look: FakeLook, name: str, text: str | bytes) -> Path:
    """A file that was written a while ago."""
    file = look.folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(file, (1700000000, 1700000000))
    return file


def database(look: FakeLook, script: str) -> Path:
    file = look.folder / "a.db"
    with sqlite3.connect(file) as opened:
        opened.executescript(script)
    opened.close()
    os.utime(file, (1700000000, 1700000000))
    return file


def keys(look: FakeLook, **given: Any) -> list[str]:
    return [found.key for found in rows(look, **given)]


def test_a_csv_file_gives_texts_by_the_names_in_its_first_row(look: FakeLook) -> None:
    put(look, "a.csv", '\ufeffsymbol, Name ,n\r\nAAPL,"Apple, ""Inc""",01\r\n\r\nNVDA,,\r\n')
    assert [(one.key, one.data) for one in rows(look, path="a.csv", key="symbol")] == [
        ("AAPL", {"symbol": "AAPL", "Name": 'Apple, "Inc"', "n": "01"}), ("NVDA", {"symbol": "NVDA"}),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "given"), [("a.tsv", {}), ("a.txt", {"format": "csv", "delimiter": "\t"})])
def test_cells_may_stand_between_tabs(look: FakeLook, name: str, given: dict[str, Any]) -> None:
    put(look, name, "a\tb\n1,5\t2\n")
    assert [one.data for one in rows(look, path=name, key="a", **given)] == [{"a": "1,5", "b": "2"}]


def test_json_lines_give_their_objects(look: FakeLook) -> None:
    put(look, "a.jsonl", '{"id": 1, "x": [null]}\n\n{"id": "b"}')
    assert [(one.key, one.data) for one in rows(look, path="a.jsonl", key="id")] == [
        ("1", {"id": 1, "x": [None]}), ("b", {"id": "b"}),
    ]  # fmt: skip


def test_a_query_gives_its_columns(look: FakeLook) -> None:
    database(
        look,
        "CREATE TABLE t (id, name, made, raw); INSERT INTO t VALUES (2, NULL, 1700000000, x'00'), (1, 'a', 'x', NULL)",
    )
    query = "WITH some AS (SELECT * FROM t) SELECT id, upper(name) AS big, made, raw FROM some ORDER BY id DESC"
    assert [(one.key, one.data) for one in rows(look, path="a.db", key="id", query=query, published="made")] == [
        ("2", {"id": 2, "made": 1700000000, "published": "2023-11-14T22:13:20Z"}),
        ("1", {"id": 1, "big": "A", "made": "x"}),
    ]  # fmt: skip


def test_a_file_is_read_when_it_has_changed(look: FakeLook) -> None:
    file = put(look, "a.csv", "id\n1\n")
    assert keys(look, path="a.csv", key="id") == ["1"] and keys(look, path="a.csv", key="id") == []
    assert keys(look, path="a.csv", key="id", published="x") == ["1"], "other parameters read it anew"
    file.write_text("id\n2\n")
    for _ in range(2):
        assert keys(look, path="a.csv", key="id") == ["2"], "just written: it may change again within one tick"


def test_a_change_that_is_only_in_the_log_of_sqlite_counts(look: FakeLook) -> None:
    database(look, "PRAGMA journal_mode = WAL; CREATE TABLE t (id); INSERT INTO t VALUES (1)")
    given = {"path": "a.db", "key": "id", "query": "SELECT id FROM t ORDER BY id"}
    assert keys(look, **given) == ["1"] and keys(look, **given) == []
    writer = sqlite3.connect(look.folder / "a.db")
    writer.execute("INSERT INTO t VALUES (2)")
    writer.commit()
    assert keys(look, **given) == ["1", "2"]
    writer.close()


def test_where_nothing_can_be_written_a_database_is_read_all_the_same(
    look: FakeLook, monkeypatch: pytest.MonkeyPatch
) -> None:
    database(look, "PRAGMA journal_mode = WAL; CREATE TABLE t (id); INSERT INTO t VALUES (1)")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert keys(look, path="a.db", key="id", query="SELECT id FROM t") == ["1"]
    assert os.listdir(look.folder) == ["a.db"], "no files beside it"


def test_a_span_takes_the_rows_published_in_it(look: FakeLook) -> None:
    put(look, "a.csv", "id,day\n1,2024-01-01\n2,2024-01-02\n3,\n4,2024-01-03\n")
    span = {"since": "2024-01-02", "until": "2024-01-03"}
    assert keys(look, path="a.csv", key="id", published="day", **span) == ["2"]
    with pytest.raises(Halt, match="published"):
        keys(look, path="a.csv", key="id", **span)


def test_good_rows_come_before_the_word_about_bad_ones(look: FakeLook) -> None:
    put(look, "a.csv", "id,a\n1,x\n2,x,y\n,x\n3,x\n")
    with pytest.raises(RetryLater, match="2 rows are no items, the first: row 2: 3 cells under 2 names"):
        look.take(rows(look, path="a.csv", key="id"))
    assert list(look.seen) == ["1", "3"] and look.cursor == {}
    put(look, "a.jsonl", b'{"id": 1}\n[2]\n{"id": 2}\n{"x": ' + b"1" * 2**20 + b"}\n" + b'{"no": 1}\n{"id": 3}\n')
    with pytest.raises(RetryLater, match="3 rows are no items, the first: row 2: not a JSON object"):
        look.take(rows(look, path="a.jsonl", key="id"))
    assert list(look.seen) == ["1", "3", "2"]


def test_of_rows_with_one_key_the_first_counts(look: FakeLook, caplog: Any) -> None:
    put(look, "a.csv", "id,a\n1,x\n1,y\n")
    assert [one.data["a"] for one in rows(look, path="a.csv", key="id")] == ["x"]
    assert "1 rows are left out" in caplog.text


def test_max_rows_is_the_most_and_says_so(look: FakeLook, caplog: Any) -> None:
    put(look, "a.csv", "id\n1\n2\n3\n")
    assert keys(look, path="a.csv", key="id", max_rows=2) == ["1", "2"]
    assert "more than the 2 rows" in caplog.text
    caplog.clear()
    assert len(keys(look, path="a.csv", key="id", max_rows=3)) == 3 and not caplog.text
    query = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    database(look, "")
    assert len(keys(look, path="a.db", key="i", query=query, max_rows=150)) == 150


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"path": "/etc/passwd"}, "below"), ({"path": "../a.csv"}, "below"), ({"path": ""}, "below"),
        ({"path": "link.csv"}, "leads out"), ({"path": "folder"}, "regular"), ({"path": "a.bin"}, "say `format`"),
        ({"path": "a.csv", "query": "SELECT 1"}, "only for SQLite"), ({"path": "a.db"}, "needs one"),
        ({"path": "a.csv", "delimiter": ", "}, "delimiter"), ({"path": "pipe", "format": "csv"}, "regular"),
    ],
)  # fmt: skip
def test_a_bad_parameter_halts(look: FakeLook, tmp_path_factory: Any, given: dict[str, Any], told: str) -> None:
    for name in ("a.csv", "a.bin", "a.db"):
        put(look, name, "id\n1\n")
    (look.folder / "folder").mkdir()
    os.mkfifo(look.folder / "pipe")
    outside = tmp_path_factory.mktemp("outside") / "b.csv"
    outside.write_text("id\n1\n")
    (look.folder / "link.csv").symlink_to(outside)
    with pytest.raises(Halt, match=told):
        keys(look, **{"key": "id", **given})


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM t", "SELECT nothing FROM t", "SELECT 1; SELECT 2", "ATTACH 'b.db' AS b", "PRAGMA journal_mode = WAL",
     "SELECT id, id FROM t", "VACUUM INTO 'b.db'", "no sql", "CREATE TEMP TABLE x (a)", "SELECT load_extension('x')",
     ""],
)  # fmt: skip
def test_a_query_that_is_none_or_changes_something_halts(look: FakeLook, query: str) -> None:
    file = database(look, "CREATE TABLE t (id); INSERT INTO t VALUES (1)")
    before = file.read_bytes()
    with pytest.raises(Halt, match="query"):
        keys(look, path="a.db", key="id", query=query)
    assert file.read_bytes() == before and sorted(os.listdir(look.folder)) == ["a.db"]


def test_a_query_without_an_end_is_stopped(look: FakeLook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "QUERY_SECONDS", 0.1)
    database(look, "")
    query = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n"
    with pytest.raises(RetryLater, match="has taken"):
        keys(look, path="a.db", key="i", query=query)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.csv", None), ("a.csv", ""), ("a.csv", "id,id\n1,2\n"), ("a.csv", "id,\n1,2\n"),
        ("a.csv", b"id\n\xff\n"), ("a.csv", 'id\n"1"x\n'), ("a.csv", "id\n" + "x" * 200_000), ("a.db", "no database"),
        ("a.db", b"SQLite format 3\0" + b"\xff" * 5000),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_tried_again_later(
    look: FakeLook, name: str, content: str | bytes | None
) -> None:
    if content is not None:
        put(look, name, content)
    query = {"query": "SELECT id FROM t"} if name.endswith(".db") else {}
    with pytest.raises(RetryLater):
        keys(look, path=name, key="id", **query)
    assert look.cursor == {}


def test_a_database_that_is_locked_is_tried_again_later(look: FakeLook, monkeypatch: pytest.MonkeyPatch) -> None:
    database(look, "CREATE TABLE t (id)")
    writer = sqlite3.connect(look.folder / "a.db", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(tables, "BUSY_SECONDS", 0.05)
    with pytest.raises(RetryLater, match="locked"):
        keys(look, path="a.db", key="id", query="SELECT id FROM t")
    writer.close()


def test_a_row_that_is_no_longer_there_has_vanished(look: FakeLook) -> None:
    for text, gone in (("id\na\nb\n", []), ("id\nb\nlonger\n", ["a"]), ("id\nmuch longer\n", ["a", "b", "longer"])):
        put(look, "a.csv", text)
        look.take(rows(look, path="a.csv", key="id"))
        assert look.gone == gone


def test_of_a_table_with_more_rows_than_are_read_nothing_has_vanished(look: FakeLook) -> None:
    for text in ("id\na\nb\n", "id\nb\nlonger\n"):
        put(look, "a.csv", text)
        look.take(rows(look, path="a.csv", key="id", max_rows=1))
    assert look.gone == []
