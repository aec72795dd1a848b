"""What tries have cost, from whatever the spool has recorded: each try once, however often it stands there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rivus.model.money import Spent
from rivus.model.outcome import Json
from rivus.model.plan import Plan
from rivus.spool.layout import Spool, open_spool
from rivus.spool.recount import recount

DAY = "2026-01-31"
PLAN = Plan("demo", {"ask": ()})


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = open_spool(str(tmp_path))
    spool.prepare(PLAN)
    return spool


def attempt(second: int, **more: object) -> Json:
    cost = {"usd": 0.01, "calls": 1, "tokens": 10}
    return {"owner": "o", "ended": f"{DAY}T09:00:{second:02}.000Z", "cost": cost, **more}


def line(second: int, **more: object) -> str:
    entry = {"t": f"{DAY}T09:01:00.000Z", "move": "finish", "job": "demo", "stage": "ask", "key": "a"}
    return json.dumps({**entry, **attempt(second), **more}, separators=(",", ":")) + "\n"


def journal(spool: Spool, *lines: str, day: str = DAY) -> None:
    Path(f"{spool.journal}/{day}.jsonl").write_text("".join(lines))


def ticket(spool: Spool, box: str, name: str, **parts: object) -> None:
    Path(f"{spool.root}/demo/ask/{box}/{name}.json").write_text(json.dumps({"job": "demo", **parts}))


def counted(spool: Spool, since: str = DAY) -> dict[str, int]:
    return {day: stages["ask"].calls for day, stages in recount(spool, "demo", since, tickets=True).items()}


def test_a_try_that_stands_in_journal_attempt_and_receipt_counts_once(spool: Spool) -> None:
    journal(spool, line(1))
    ticket(spool, "done", "a", attempts=[attempt(1)], receipt=attempt(1))
    whole = recount(spool, "demo", DAY, tickets=True)
    assert whole == {DAY: {"ask": Spent(0.01, 1, 10, 0, 1, f"{DAY}T09:00:01.000Z")}}


def test_lost_lines_are_made_up_for_by_tickets_and_lost_attempts_by_lines(spool: Spool) -> None:
    journal(spool, line(1), line(2))
    ticket(spool, "later", "a", attempts=[attempt(2), attempt(3)])
    ticket(spool, "failed", "b", attempts=[attempt(3)])
    assert counted(spool) == {DAY: 4}


def test_without_tickets_the_journal_alone_is_read(spool: Spool) -> None:
    journal(spool, line(1))
    ticket(spool, "done", "b", receipt=attempt(2))
    assert recount(spool, "demo", DAY)[DAY]["ask"].calls == 1


def test_what_runs_or_waits_with_earlier_tries_counts_too(spool: Spool) -> None:
    Path(f"{spool.root}/demo/ask/running/o").mkdir()
    ticket(spool, "running/o", "a", attempts=[attempt(1)])
    ticket(spool, "ready", "b", attempts=[attempt(1)])
    assert counted(spool) == {DAY: 2}


def test_a_try_belongs_to_the_day_on_which_it_ended(spool: Spool) -> None:
    journal(spool, line(1, ended="2026-01-30T23:59:59.999Z"), line(2))
    assert counted(spool) == {DAY: 1}
    assert counted(spool, "2026-01-30") == {DAY: 1, "2026-01-30": 1}


def test_days_before_are_not_read(spool: Spool) -> None:
    journal(spool, line(1), day="2026-01-30")
    assert counted(spool) == {}


def test_other_jobs_and_broken_lines_are_passed_over(spool: Spool) -> None:
    deep = '{"cost":{' * 20_000 + "\n"
    journal(spool, line(1, job="other"), '{"cost":{\n', '["cost":{]\n', deep, "x" * 3_000_000 + "\n", line(2)[:-30])
    ticket(spool, "done", "a", attempts={"cost": 1}, receipt=[1])
    Path(f"{spool.root}/demo/ask/done/b.json").write_text("{")
    assert counted(spool) == {}
