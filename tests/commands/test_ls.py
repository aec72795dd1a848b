"""rivus-ls: what is where, for people and for programs; it changes nothing and nothing in the spool confuses it."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import inject, tree
from tests.conftest import House

BOXES = ["wait", "ready", "running", "later", "done", "failed", "held"]


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house with one item in every box of fetch but wait and running."""
    house = House(tmp_path_factory.mktemp("example"))
    (house.root / "jobs.d").mkdir()
    (house.root / "spool").mkdir()
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": "a", "title": "A title"}, {"id": "b", "do": "fail"}, {"id": "c", "do": "later"})
    house.run("rivus-stage", "fetch", "--linger", "0s")
    inject(house, {"id": "d", "url": "https://e.org/d"}, {"id": "e"})
    house.run("rivus-move", "hold", "demo/e", "--stage", "fetch")
    return house.root


@pytest.fixture
def busy(example: Path, tmp_path: Path) -> House:
    """A copy of the example that a test may change."""
    shutil.copytree(example, tmp_path / "house")
    return House(tmp_path / "house")


def on_a_terminal(house: House, *argv: str) -> bytes:
    """What a command shows on a terminal."""
    master, slave = pty.openpty()
    process = house.start(*argv, stdout=slave)
    os.close(slave)
    shown = b""
    with suppress(OSError):
        while part := os.read(master, 65536):
            shown += part
    os.close(master)
    process.communicate(timeout=30)
    return shown


def drop(house: House, name: str | bytes, text: str, box: str = "ready") -> None:
    folder = house.root / "spool/demo/fetch" / box
    Path(os.fsdecode(os.fsencode(folder) + b"/" + os.fsencode(name))).write_text(text)


def test_a_table_counts_each_jobs_tickets_by_stage_and_box(busy: House) -> None:
    busy.job("other", "title: Another\n" + CHAIN.partition("chain of three\n")[2])
    rows = busy.run("rivus-ls").out.splitlines()
    assert rows[0] == "demo  A chain of three"
    assert rows[1].split() == BOXES
    assert rows[2].split() == ["fetch", "·", "1", "·", "1", "1", "1", "1"]
    assert rows[3].split() == ["extract", "4", "1", "·", "·", "·", "·", "·"]
    assert rows[4].split() == ["score", "5", "·", "·", "·", "·", "·", "·"]
    assert rows[6] == "other  Another"
    assert busy.run("rivus-ls", "demo").out.splitlines() == rows[:6]


def test_as_json_it_is_one_object_a_job(busy: House) -> None:
    [line] = busy.run("rivus-ls", "--json").lines
    assert list(line) == ["job", "title", "stages"]
    assert list(line["stages"]) == ["fetch", "extract", "score"]
    assert line["stages"]["fetch"] == dict(zip(BOXES, [0, 1, 0, 1, 1, 1, 1], strict=True))
    busy.run("rivus-limit", "pause", "demo", "--why", "holidays")
    [line] = busy.run("rivus-ls", "demo", "--json").lines
    assert (line["paused"]["why"], line["paused"]["by"]) == ("holidays", "person")


def test_a_stage_is_listed_with_the_box_and_the_reason_for_it(busy: House) -> None:
    rows = [row.split("\t") for row in busy.run("rivus-ls", "demo:fetch").out.splitlines()]
    assert [row[:2] for row in rows] == [
        ["demo/d", "ready"], ["demo/c", "later"], ["demo/a", "done"], ["demo/b", "failed"], ["demo/e", "held"],
    ]  # fmt: skip
    notes = {row[0]: row[2] for row in rows}
    assert notes["demo/d"] == "https://e.org/d" and notes["demo/a"] == "A title" and notes["demo/e"] == ""
    assert re.fullmatch(r"until \d{4}-[\d:T.-]+Z: not yet", notes["demo/c"])
    assert notes["demo/b"] == "this one is bad"


def test_a_box_alone_as_json_has_exactly_these_fields(busy: House) -> None:
    assert busy.run("rivus-ls", "demo:fetch/failed", "--json").lines == [
        {"job": "demo", "key": "b", "stage": "fetch", "state": "failed", "note": "this one is bad"}
    ]
    assert [line["state"] for line in busy.run("rivus-ls", "demo:extract", "--json").lines] == ["wait"] * 4 + ["ready"]


def test_what_runs_says_who_runs_it(chain: House) -> None:
    inject(chain, {"id": "a", "do": "hang"})
    worker = chain.start("rivus-stage", "demo:fetch")
    running = chain.root / "spool/demo/fetch/running"
    chain.wait_for(lambda: bool(list(running.glob("*/a.json"))), "a claim")
    [line] = chain.run("rivus-ls", "demo:fetch", "--json").lines
    worker.kill()
    worker.communicate()
    assert (line["state"], line["note"]) == ("running", f"by {os.listdir(running)[0]}")
    assert str(worker.pid) in line["note"]


def test_a_paused_job_and_what_waits_for_its_end_are_said(chain: House) -> None:
    inject(chain, {"id": "a", "do": "halt"})
    chain.run("rivus-stage", "demo:fetch")
    assert re.search(
        r"  PAUSED since 20[\d:T.-]+Z: no credential \[config_error\]\n", chain.run("rivus-ls", "demo").out
    )
    assert "until a person resumes it: no credential" in chain.run("rivus-ls", "demo:fetch").out


def test_looking_changes_nothing(busy: House) -> None:
    before = tree(busy.root)
    for argv in ([], ["demo"], ["demo:fetch"], ["demo:fetch/later", "--json"]):
        busy.run("rivus-ls", *argv)
    assert tree(busy.root) == before


def test_jobs_that_cannot_be_read_or_are_gone_are_shown_from_the_spool(busy: House) -> None:
    busy.job("demo", "stages: 5")
    done = busy.run("rivus-ls", code=78)
    assert "fetch" in done.out and "demo.yaml:1:" in done.err
    (busy.root / "jobs.d/demo.yaml").unlink()
    assert busy.run("rivus-ls").out.splitlines()[0] == "demo  demo"
    assert len(busy.run("rivus-ls", "demo:fetch").out.splitlines()) == 5


def test_half_written_files_are_not_shown(busy: House) -> None:
    drop(busy, ".half.json", "{")
    assert len(busy.run("rivus-ls", "demo:fetch", "--json").lines) == 5


def test_whatever_object_was_dropped_in_is_listed_like_any_other(chain: House) -> None:
    odd: list[Any] = [
        {"data": "text"}, {"data": [1]}, {"error": "boom"}, {"error": ["boom"]}, {"receipt": 5}, {"attempts": "many"},
        {"attempts": ["x"]}, {"attempts": {"x": 1}}, {"key": {"a": 1}}, {"key": 5}, {"data": {"title": {"x": 1}}},
    ]  # fmt: skip
    inject(chain, {"id": "u"})
    for number, document in enumerate(odd):
        for box in ("ready", "later", "failed"):
            drop(chain, f"x{number}.json", json.dumps(document), box)
    process = chain.start("rivus-ls", "demo:fetch", "--json")
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert (process.returncode, len(out.splitlines())) == (0, 3 * len(odd) + 1)


def test_a_file_that_cannot_be_read_is_listed_with_the_reason(busy: House) -> None:
    drop(busy, "bad.json", "{")
    os.mkfifo(busy.root / "spool/demo/fetch/ready/pipe.json")
    done = busy.run("rivus-ls", "demo:fetch/ready")
    assert "demo/bad\tready\tcannot be read: not JSON" in done.out
    assert "demo/pipe\tready\tcannot be read: not a regular file" in done.out
    assert "demo/d\tready\t" in done.out


def test_no_key_and_no_name_reaches_into_the_terminal_or_breaks_a_line(busy: House) -> None:
    drop(busy, "x.json", json.dumps({"key": "k\x1b[31m\nnext\tcolumn", "title": "\x1b]0;title\x07"}))
    drop(busy, "n\x1b[2J.json", "{}")
    shown = on_a_terminal(busy, "rivus-ls", "demo:fetch/ready")
    assert b"\x1b" not in shown and b"\x07" not in shown
    assert len(shown.splitlines()) == 3 and all(line.count(b"\t") == 2 for line in shown.splitlines())


def test_a_name_that_is_not_text_does_not_end_it(busy: House) -> None:
    drop(busy, b"\xff\xfe.json", "{}")
    strict = {"PYTHONIOENCODING": "utf-8:strict"}
    process = busy.start("rivus-ls", "demo:fetch/ready", env=strict)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert "demo/d" in out


def test_what_is_not_there_is_said(chain: House) -> None:
    inject(chain, {"id": "u"})
    for what, said in (
        ("none", "none: no such job here"),
        ("none:fetch", "none:fetch: no such job or stage in the spool"),
        ("demo:nowhere", "demo:nowhere: no such job or stage in the spool"),
        ("demo:fetch/nowhere", "nowhere: not a box; there are " + ", ".join(BOXES)),
        ("..:demo", "..:demo: no such job or stage in the spool"),
    ):
        assert chain.run("rivus-ls", what, code=65).err == f"rivus-ls: {said}\n"


def test_a_test_spool_is_another(chain: House) -> None:
    inject(chain, {"id": "u"}, test=True)
    assert chain.run("rivus-ls", "--json").lines[0]["stages"]["fetch"]["ready"] == 0
    assert chain.run("rivus-ls", "--json", "--test").lines[0]["stages"]["fetch"]["ready"] == 1
