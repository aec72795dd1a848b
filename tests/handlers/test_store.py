"""Files and tables outside the spool: each item once, whatever is killed and whoever else writes."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers import lines, store
from rivus.locks import queue
from rivus.model.outcome import Halt, RetryLater
from tests.handlers.conftest import FakeContext

COLUMNS = {"title": "title", "points": "score.value"}
ITEM = {"title": "Größe", "score": {"value": 7}}
KINDS = [store.csv_, store.jsonl]
Store = Callable[..., dict[str, Any]]


def put(ctx: FakeContext, handler: Store, key: str, item: dict[str, Any] = ITEM, **more: Any) -> dict[str, Any]:
    ctx.key = key
    return handler(item, ctx, **{"columns": COLUMNS, **more})


def rows(path: Path) -> list[list[Any]]:
    """What a file holds, in the order of COLUMNS."""
    if path.suffix == ".jsonl":
        return [list(json.loads(line).values()) for line in path.read_bytes().decode().splitlines()]
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def file_of(ctx: FakeContext, handler: Store) -> Path:
    return ctx.state / ("items.jsonl" if handler is store.jsonl else "items.csv")


def test_a_row_is_made_and_later_gets_new_values(ctx: FakeContext) -> None:
    stored = {"stored": {"file": "items.sqlite3", "table": "items", "key": "a'b"}}
    assert put(ctx, store.sqlite, "a'b") == stored
    put(ctx, store.sqlite, "c", {"title": ["x", {"y": True}], "score": {"value": True}})
    put(ctx, store.sqlite, "a'b", {"title": "'); DROP TABLE items; --"})
    with sqlite3.connect(ctx.state / "items.sqlite3") as db:
        found = db.execute("SELECT * FROM items ORDER BY key").fetchall()
    assert found == [("a'b", "'); DROP TABLE items; --", None), ("c", '["x", {"y": true}]', 1)]


def test_columns_can_be_added_and_the_file_can_be_elsewhere(ctx: FakeContext) -> None:
    (ctx.folder / "out").mkdir()
    for columns in ({"title": "title"}, {"Points": "score.value"}):
        put(ctx, store.sqlite, "a", file="out/news.db", table="news", columns=columns)
    with sqlite3.connect(ctx.folder / "out" / "news.db") as db:
        assert db.execute("SELECT key, title, points FROM news").fetchall() == [("a", "Größe", 7)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"table": 'a"b'}, "no name for a table"), ({"table": "sqlite_x"}, "no name"), ({"columns": {"a b": "x"}}, "a b"),
     ({"columns": {"KEY": "x"}}, "twice"), ({"file": "gone/x.db"}, "no directory"),
     ({"file": "text"}, "cannot be used"), ({"table": "other"}, "cannot be used")],
)  # fmt: skip
def test_names_and_files_that_cannot_be_used_halt_the_job(ctx: FakeContext, given: Any, reason: str) -> None:
    (ctx.folder / "text").write_text("no database" * 100)
    with sqlite3.connect(ctx.state / "items.sqlite3") as db:
        db.execute("CREATE TABLE other (key TEXT)")
    with pytest.raises(Halt, match=reason):
        put(ctx, store.sqlite, "a", **given)


def test_a_database_that_others_keep_is_tried_again_later(ctx: FakeContext) -> None:
    ctx.timeout = 0.1
    db = sqlite3.connect(ctx.state / "items.sqlite3")
    db.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RetryLater, match="in use"):
        put(ctx, store.sqlite, "a")
    db.close()


@pytest.mark.parametrize("handler", KINDS)
def test_an_item_is_a_line_once_and_again_only_if_it_has_changed(ctx: FakeContext, handler: Store) -> None:
    for key in ("a", "b", "a"):
        put(ctx, handler, key)
    put(ctx, handler, "a", {"title": "new"})
    put(ctx, handler, "a", {"title": "new"})
    found = [[str(value or "") for value in row] for row in rows(file_of(ctx, handler))]
    assert found == [["a", "Größe", "7"], ["b", "Größe", "7"], ["a", "new", ""]]


def test_a_csv_file_is_one_for_spreadsheets_and_strangers_put_no_formula_in(ctx: FakeContext) -> None:
    put(ctx, store.csv_, "=k", {"title": '=HYPERLINK("http://x")', "score": {"value": -5}})
    put(ctx, store.csv_, "=k", {"title": '=HYPERLINK("http://x")', "score": {"value": -5}})
    put(ctx, store.csv_, "b", {"title": 'two\r\nlines, "quoted"\r', "score": {"value": [1]}})
    raw = (ctx.state / "items.csv").read_bytes()
    assert raw.startswith(b"key,title,points\r\n") and raw.count(b"\r\n") == 3
    assert rows(ctx.state / "items.csv") == [
        ["'=k", "'=HYPERLINK(\"http://x\")", "-5"], ["b", 'two\nlines, "quoted"\n', "[1]"],
    ]  # fmt: skip


def test_a_csv_file_with_other_columns_halts_the_job(ctx: FakeContext) -> None:
    put(ctx, store.csv_, "a")
    with pytest.raises(Halt, match="begins otherwise"):
        put(ctx, store.csv_, "b", columns={"title": "title"})


def test_a_json_line_holds_the_whole_item_unless_columns_are_named(ctx: FakeContext) -> None:
    put(ctx, store.jsonl, "a", {"key": "other", "text": "\u2028\n"}, columns=None)
    assert json.loads((ctx.state / "items.jsonl").read_text()) == {"key": "a", "text": "\u2028\n"}


@pytest.mark.parametrize("handler", KINDS)
def test_a_crash_at_any_byte_and_before_the_index_leaves_one_line(ctx: FakeContext, handler: Store) -> None:
    put(ctx, handler, "a")
    file, index = file_of(ctx, handler), ctx.state / f"{file_of(ctx, handler).name}.index.sqlite3"
    before, known = file.read_bytes(), index.read_bytes()
    put(ctx, handler, "b", {"title": 'x,\n"y"'})
    after = file.read_bytes()
    for cut in range(len(before), len(after) + 1):
        file.write_bytes(after[:cut])
        index.write_bytes(known)
        put(ctx, handler, "b", {"title": 'x,\n"y"'})
        assert file.read_bytes() == after, cut


@pytest.mark.parametrize("handler", KINDS)
def test_a_crash_in_the_very_first_line_leaves_one_line(ctx: FakeContext, handler: Store) -> None:
    put(ctx, handler, "a")
    file = file_of(ctx, handler)
    whole = file.read_bytes()
    for cut in range(0, len(whole), 7):
        file.write_bytes(whole[:cut])
        (ctx.state / f"{file.name}.index.sqlite3").unlink()
        put(ctx, handler, "a")
        assert file.read_bytes() == whole


@pytest.mark.parametrize("handler", KINDS)
def test_an_index_that_is_lost_or_damaged_is_made_anew(ctx: FakeContext, handler: Store) -> None:
    for key in "ab":
        put(ctx, handler, key)
    file = file_of(ctx, handler)
    index, whole = ctx.state / f"{file.name}.index.sqlite3", file.read_bytes()
    for spoil in (index.unlink, lambda: index.write_bytes(b"no database" * 999)):
        spoil()
        put(ctx, handler, "b")
        put(ctx, handler, "a")
        assert file.read_bytes() == whole


@pytest.mark.parametrize("handler", KINDS)
def test_a_file_that_was_moved_away_is_begun_anew(ctx: FakeContext, handler: Store) -> None:
    put(ctx, handler, "a")
    file = file_of(ctx, handler)
    file.rename(ctx.state / "old")
    put(ctx, handler, "a")
    assert file.read_bytes() == (ctx.state / "old").read_bytes()


def test_what_is_no_file_of_records_is_left_alone(ctx: FakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", 1000)
    monkeypatch.setattr(lines, "CHUNK", 400)
    for blob, reason in ((b'{"a": 1}', "otherwise"), (b'{"key": "x' + b"x" * 5000, "more than 1,000 bytes")):
        (ctx.folder / "blob").write_bytes(blob)
        with pytest.raises(Halt, match=reason):
            put(ctx, store.jsonl, "a", file="blob")
        assert (ctx.folder / "blob").read_bytes() == blob
    (ctx.folder / "link").symlink_to("blob")
    with pytest.raises(Halt, match="cannot be opened"):
        put(ctx, store.jsonl, "a", file="link")


def test_a_file_that_others_keep_is_tried_again_later(ctx: FakeContext) -> None:
    ctx.timeout = 0.1
    with queue(ctx.state / "items.jsonl", lambda: False) or pytest.fail(), pytest.raises(RetryLater, match="in use"):
        put(ctx, store.jsonl, "a")


def test_a_last_line_that_lacks_only_its_end_is_kept(ctx: FakeContext) -> None:
    put(ctx, store.jsonl, "a")
    file = ctx.state / "items.jsonl"
    file.write_text(file.read_text() + '{"key": "by hand"}')
    put(ctx, store.jsonl, "b")
    assert [row[0] for row in rows(file)] == ["a", "by hand", "b"]


WRITER = """
import logging, sys
from pathlib import Path
from types import SimpleNamespace
from rivus.handlers import store
folder = Path(sys.argv[1])
for number in range(15):
    ctx = SimpleNamespace(key=f"{number}", state=folder, folder=folder, timeout=20, log=logging.getLogger())
    for handler in (store.jsonl, store.csv_, store.sqlite):
        handler({"n": number, "text": "x" * 5000}, ctx, columns={"n": "n", "text": "text"})
"""


def test_processes_that_write_the_same_items_at_once_and_die_leave_each_once(ctx: FakeContext) -> None:
    argv = [sys.executable, "-c", WRITER, str(ctx.state)]
    doomed = subprocess.Popen(argv)
    file = ctx.state / "items.jsonl"
    while doomed.poll() is None and not (file.exists() and file.stat().st_size > 20_000):
        os.sched_yield()
    doomed.kill()
    doomed.wait()
    with ThreadPoolExecutor(2) as pool:
        assert [done.returncode for done in pool.map(lambda _: subprocess.run(argv), "xy")] == [0, 0]
    for path in (file, ctx.state / "items.csv"):
        assert sorted(int(row[0]) for row in rows(path)) == list(range(15))
    with sqlite3.connect(ctx.state / "items.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM items").fetchone() == (15,)
