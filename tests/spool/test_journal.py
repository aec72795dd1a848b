"""The journal: one line a move, whole whoever writes at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.model.states import CLAIM, TABLE, Box
from rivus.spool import hands
from rivus.spool.desk import Desk
from rivus.spool.journal import record
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.recover import release_all
from tests.spool.crash import PLAN, fresh_spool
from tests.spool.test_crash import ATTEMPT, claimed, ticket

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from rivus.spool.journal import record
from rivus.spool.layout import Spool
spool = Spool(sys.argv[1], "")
sys.stdin.readline()
for number in range(300):
    record(spool, "claim", "job", "fetch", sys.argv[2], number=number, text=sys.argv[2] * (number * 40))
"""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


def lines(spool: Spool) -> list[Any]:
    return [json.loads(line) for day in Path(spool.journal).iterdir() for line in day.read_bytes().splitlines()]


def test_a_line_says_when_what_where_and_whatever_else(spool: Spool) -> None:
    before = time.time()
    record(spool, CLAIM, "job", "fetch", "schlüssel/ä", owner="me", path=Path("x"))
    [line] = lines(spool)
    assert line.pop("t")[:10] == time.strftime("%Y-%m-%d", time.gmtime(before))
    assert line == {"move": "claim", "job": "job", "stage": "fetch", "key": "schlüssel/ä", "owner": "me", "path": "x"}


def test_there_is_one_file_a_day_in_utc(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    for now in (1767225599.0, 1767225600.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        record(spool, CLAIM, "job", "fetch", "a")
    assert sorted(os.listdir(spool.journal)) == ["2025-12-31.jsonl", "2026-01-01.jsonl"]


@pytest.mark.parametrize("key", ["a\nb", '"', "\udcff", "\x00", "\u2028", "x" * 100_000])
def test_no_key_breaks_a_line(spool: Spool, key: str) -> None:
    record(spool, CLAIM, "job", "fetch", key)
    record(spool, CLAIM, "job", "fetch", "after", reason=key)
    assert [line["key"] for line in lines(spool)][1:] == ["after"]
    assert len(Path(spool.journal, os.listdir(spool.journal)[0]).read_bytes().split(b"\n")) == 3


def test_every_move_of_an_item_leaves_one_line(spool: Spool) -> None:
    with Owner(spool) as owner:
        publish(spool, PLAN, [ticket("a")], owner)
        fetch, extract = Desk(spool, PLAN, "fetch", owner), Desk(spool, PLAN, "extract", owner)
        fetch.give_back(claimed(spool, owner))
        fetch.defer(claimed(spool, owner), time.time() - 1, ATTEMPT)
        hands.retry(spool, PLAN, "fetch", "a.json", "w")
        fetch.fail(claimed(spool, owner), {"reason": "r"}, ATTEMPT)
        hands.retry(spool, PLAN, "fetch", "a.json", "w")
        fetch.finish(claimed(spool, owner), {"x": 1}, {"owner": owner.name}, ATTEMPT)
        extract.finish(claimed(spool, owner, stage="extract"), {"x": 1}, {"owner": owner.name}, ATTEMPT)
        hands.hold(spool, PLAN, "score", "a.json", "w")
        hands.unhold(spool, PLAN, "score", "a.json", "w")
        hands.drop(spool, PLAN, "score", "a.json", "w", owner)
        release_all(spool, PLAN)
    assert [(line["stage"], line["move"]) for line in lines(spool)] == [
        ("discover", "publish"), ("fetch", "claim"), ("fetch", "give back"), ("fetch", "claim"), ("fetch", "defer"),
        ("fetch", "retry"), ("fetch", "claim"), ("fetch", "fail"), ("fetch", "retry"), ("fetch", "claim"),
        ("extract", "release"), ("fetch", "finish"), ("extract", "claim"), ("score", "release"), ("extract", "finish"),
        ("score", "hold"), ("score", "unhold"), ("score", "release"), ("score", "drop"),
    ]  # fmt: skip
    assert {line["move"] for line in lines(spool)} <= {row.name for row in TABLE}


def test_a_move_that_somebody_else_made_first_leaves_no_line(spool: Spool) -> None:
    with Owner(spool) as owner:
        publish(spool, PLAN, [ticket("a")], owner)
        count = len(lines(spool))
        assert Desk(spool, PLAN, "fetch", owner).claim("none.json") is None
        assert hands.hold(spool, PLAN, "fetch", "none.json", "w") is None
        os.rename(spool.ticket("job", "fetch", Box.READY, "a.json"), spool.ticket("job", "fetch", Box.HELD, "a.json"))
        assert hands.hold(spool, PLAN, "fetch", "a.json", "w") is None
        assert len(lines(spool)) == count


def test_lines_of_processes_that_write_at_the_same_time_stay_whole(spool: Spool) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, spool.root, name], stdin=subprocess.PIPE, cwd=ROOT)
        for name in "abc"
    ]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    assert [writer.wait(timeout=30) for writer in writers] == [0, 0, 0]
    found = lines(spool)
    assert len(found) == 900
    for name in "abc":
        mine = [line for line in found if line["key"] == name]
        assert [line["number"] for line in mine] == list(range(300))
        assert all(line["text"] == name * (line["number"] * 40) for line in mine)
