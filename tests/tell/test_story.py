"""An item's story: complete, in order, from whatever is left of its traces."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from rivus.model.states import TABLE
from rivus.spool.layout import Spool, open_spool
from rivus.tell import history as histories
from rivus.tell.history import history
from rivus.tell.story import WORDS, in_words, story
from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import inject, tree
from tests.conftest import House


@pytest.fixture
def chain(house: House) -> House:
    """Three items that went through fetch: one done, one failed, one put off."""
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": "good"}, {"id": "bad", "do": "fail"}, {"id": "late", "do": "later"})
    house.run("rivus-stage", "demo:fetch", "--linger", "0s")
    return house


def spool_of(house: House) -> Spool:
    return open_spool(str(house.root / "spool"), look=True)


def told(house: House, key: str, ask: Any = None) -> list[dict[str, Any]]:
    return story(spool_of(house), "demo", ["fetch", "extract", "score"], key, ask)


def days(house: House) -> list[Path]:
    return sorted((house.root / "spool/_journal").iterdir())


def moves(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["source"], row["stage"], row.get("move")) for row in rows]


def test_it_is_told_in_order_and_in_words(chain: House) -> None:
    rows = told(chain, "bad")
    assert moves(rows) == [
        ("spool", "discover", "publish"), ("spool", "fetch", "claim"), ("spool", "fetch", "fail"),
    ]  # fmt: skip
    assert [row["what"] for row in rows] == ["found and published", "begun", "failed: this one is bad [bad_input]"]
    assert rows == sorted(rows, key=lambda row: row["t"])
    assert rows[-1]["seconds"] >= 0 and rows[-1]["class"] == "bad_input"


def test_what_was_put_off_says_until_when_and_why(chain: House) -> None:
    last = told(chain, "late")[-1]
    assert last["what"] == f"failed, put off until {last['due']}: not yet [transient_network]"


def test_looking_changes_nothing(chain: House) -> None:
    before = tree(chain.root)
    assert told(chain, "good") and not told(chain, "nobody")
    assert tree(chain.root) == before


def test_every_move_of_the_table_has_words() -> None:
    assert {row.name for row in TABLE} | {"reject", "vanished"} == WORDS.keys()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"move": "finish", "outcome": "done"}, "done"),
        ({"move": "finish", "outcome": "skipped", "reason": "no captions"}, "skipped: no captions"),
        ({"move": "hold", "why": "look at it"}, "held: look at it"),
        ({"move": "recover", "outcome": "interrupted"}, "its worker died; ready again"),
        ({"move": "recover", "outcome": "done"}, "done; its worker died before it could say so"),
        ({"move": "fail", "outcome": "interrupted"}, "failed"),
        ({"move": "defer", "due": "2100-01-01T00:00:00.000Z"}, "put off until a person resumes it"),
        ({"move": None, "outcome": "interrupted"}, "its worker died"),
        ({"move": "leap", "outcome": "odd"}, "odd"),
        ({"move": ["x"], "outcome": {"y": 1}}, "{'y': 1}"),
    ],
)
def test_a_line_in_words(line: dict[str, Any], words: str) -> None:
    assert in_words(line) == words


def test_without_the_journal_the_tickets_tell(chain: House) -> None:
    for day in days(chain):
        day.unlink()
    rows = told(chain, "bad")
    assert moves(rows) == [("ticket", "discover", "publish"), ("ticket", "fetch", None)]
    assert rows[1]["what"] == "failed: this one is bad [bad_input]"


def test_an_attempt_that_both_know_is_told_once_and_a_lost_one_not_left_out(chain: House) -> None:
    chain.run("rivus-move", "retry", "demo/bad")
    chain.run("rivus-stage", "demo:fetch", "--linger", "0s")
    [day] = days(chain)
    lines = day.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if '"move":"fail"' in line)
    day.write_text("".join(lines[:first] + lines[first + 1 :]))
    ends = [(row["source"], row["what"]) for row in told(chain, "bad") if row.get("outcome") == "failed"]
    assert ends == [(source, "failed: this one is bad [bad_input]") for source in ("ticket", "spool")]


def test_a_worker_that_died_is_told_once(chain: House) -> None:
    inject(chain, {"id": "dead", "do": "die"})
    chain.run("rivus-stage", "demo:fetch", "--linger", "0s", code=-9)
    chain.run("rivus-sweep")
    assert [row["what"] for row in told(chain, "dead")][1:] == ["begun", "its worker died; ready again"]


def test_cost_and_reason_come_from_the_receipt(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS.replace('raise Skip("nothing here")', 'ctx.cost(usd=0.5); raise Skip("no")'))
    inject(house, {"id": "s", "do": "skip"})
    house.run("rivus-stage", "demo:fetch")
    last = told(house, "s")[-1]
    assert (last["what"], last["cost"]) == ("skipped: no", {"calls": 1, "tokens": 0, "usd": 0.5})


@pytest.mark.parametrize("junk", ["[1]", "{}", '{"cost": [1], "owner": 3}', "7"])
def test_a_receipt_that_somebody_has_spoilt_stops_nothing(chain: House, junk: str) -> None:
    path = chain.root / "spool/demo/fetch/done/good.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "receipt": json.loads(junk)}))
    assert told(chain, "good")[-1]["what"] == "done"


@pytest.mark.parametrize("key", ["a b", "ä/ö?x=1&y", "-x", ".y", 'q"uo\\te', "long" * 200, "http://x/%20"])
def test_a_key_with_odd_characters_has_its_whole_story(house: House, key: str) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": key, "do": "fail"}, {"id": "other"})
    house.run("rivus-stage", "demo:fetch", "--linger", "0s")
    house.run("rivus-move", "retry", f"demo/{key}")
    assert [row.get("move") for row in told(house, key)] == ["publish", "claim", "fail", "retry"]


def test_days_may_be_compressed_and_broken_lines_are_passed_over(chain: House) -> None:
    [day] = days(chain)
    whole = moves(told(chain, "bad"))
    junk = b'{"job":"demo","key":"bad"}\n"bad"\n["bad"]\n{"t":7,"job":"demo","key":"bad"}\n\xff"bad"\n{"bad"' + b"\n"
    packed = gzip.compress(junk + day.read_bytes() + b'{"half": "bad')
    Path(f"{day}.gz").write_bytes(packed)
    day.unlink()
    assert moves(told(chain, "bad")) == whole


def test_of_a_damaged_day_what_comes_before_the_damage_is_told(chain: House) -> None:
    [day] = days(chain)
    packed = gzip.compress(day.read_bytes() + os.urandom(200_000))
    Path(f"{day}.gz").write_bytes(packed[:100_000])
    day.unlink()
    (day.parent / "2999-01-01.jsonl.gz").write_bytes(b"no gzip")
    (day.parent / "2999-01-02.jsonl").mkdir()
    assert told(chain, "bad")[-1]["source"] == "spool"


def test_a_line_without_end_is_passed_over_in_bounded_memory(chain: House) -> None:
    [day] = days(chain)
    line = json.dumps({"t": "2026-01-01T00:00:00Z", "move": "hold", "job": "demo", "key": "bad", "why": "x"})
    day.write_text('"bad"' + "x" * 3 * histories.LINE + line + "\n" + day.read_text())
    assert [row["move"] for row in told(chain, "bad")] == ["publish", "claim", "fail"]


def test_only_the_days_since_the_item_was_found_are_read(chain: House) -> None:
    birth = chain.root / "spool/demo/discover/done/bad.json"
    document = json.loads(birth.read_text())
    birth.write_text(json.dumps({**document, "meta": {"discovered": "2026-02-10T12:00:00.000Z"}}))
    os.utime(birth, (1_790_000_000, 1_790_000_000))
    for day in ("2026-02-08", "2026-02-09", "2026-02-11"):
        line = {"t": f"{day}T00:00:00.000Z", "move": "hold", "job": "demo", "stage": "fetch", "key": "bad"}
        (chain.root / f"spool/_journal/{day}.jsonl").write_text(json.dumps(line) + "\n")
    found = [line["t"][:10] for line in history(spool_of(chain), "demo", "bad")]
    assert found[:2] == ["2026-02-09", "2026-02-11"], "the day before counts, as clocks differ"


def test_of_a_story_without_end_the_last_lines_are_kept(chain: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "MOST", 2)
    assert [line["move"] for line in history(spool_of(chain), "demo", "bad")] == ["claim", "fail"]


def test_messages_of_the_systems_journal_stand_at_their_time(chain: House) -> None:
    end = told(chain, "bad")[-1]["t"]
    rows = told(chain, "bad", lambda spool, job, key: [{"t": end, "stage": "fetch", "what": f"{job} {key} broke"}])
    assert [(row["source"], row["what"]) for row in rows[-2:]] == [
        ("spool", "failed: this one is bad [bad_input]"), ("journal", "demo bad broke"),
    ]  # fmt: skip
