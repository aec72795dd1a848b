"""What was spent adds up by job, stage and day, and stands beside the budgets of today."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rivus.config import Jobs, load_jobs
from rivus.limits.spending import Spending
from rivus.model.money import Spent, day_of
from rivus.model.outcome import Json
from rivus.spool.layout import Spool, open_spool
from rivus.tell.costs import accounts, budgets, summed

OLD, NEW = "2026-01-30", "2026-01-31"
JOB = """
max_unknown: 7
budget: {usd: 9, calls: 90}
stages:
  ask: {handler: x.y, budget: {usd: 2}}
  free: {handler: x.y}
"""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = open_spool(str(tmp_path))
    spending = Spending(spool)
    spending.add("demo", "ask", Spent(1.0, 2, 10, 0, 2), OLD)
    spending.add("demo", "ask", Spent(0.5, 1, 5, 0, 1), NEW)
    spending.add("demo", "free", Spent(0.0, 3, 0, 3, 1), NEW)
    spending.add("other", "ask", Spent(4.0, 1, 0, 0, 1), NEW)
    return spool


def sums(spool: Spool, by: str, *jobs: str, since: str = OLD) -> dict[str, tuple[float, int]]:
    rows, wrong = accounts(spool, jobs, since)
    assert wrong == []
    return {row[by]: (row["usd"], row["calls"]) for row in summed(rows, by)}


def demo(tmp_path: Path, text: str = JOB) -> Jobs:
    (tmp_path / "demo.yaml").write_text(text)
    return load_jobs(tmp_path)


def test_costs_add_up_by_job_stage_and_day(spool: Spool) -> None:
    assert sums(spool, "job") == {"demo": (1.5, 6), "other": (4.0, 1)}
    assert sums(spool, "stage") == {"demo:ask": (1.5, 3), "demo:free": (0.0, 3), "other:ask": (4.0, 1)}
    assert sums(spool, "day") == {OLD: (1.0, 2), NEW: (4.5, 5)}


def test_only_the_jobs_and_the_days_that_were_asked_for_count(spool: Spool) -> None:
    assert sums(spool, "job", "demo", since=NEW) == {"demo": (0.5, 4)}


def test_a_row_tells_unknown_calls_and_tries_too(spool: Spool) -> None:
    rows, _ = accounts(spool, ["demo"], NEW)
    whole: Json = {"job": "demo", "usd": 0.5, "calls": 4, "tokens": 5, "unknown": 3, "items": 2}
    assert list(summed(rows, "job")) == [whole]


def test_an_account_that_cannot_be_read_does_not_hide_the_others(spool: Spool) -> None:
    (Path(spool.root) / f"_spent/demo/{OLD}.json").write_text("{")
    rows, (wrong,) = accounts(spool, [], OLD)
    assert len(rows) == 3 and f"{OLD}.json cannot be read" in wrong


def test_a_budget_stands_beside_what_was_spent_of_it_today_and_this_month(spool: Spool, tmp_path: Path) -> None:
    Spending(spool).add("demo", "ask", Spent(0.25, 1), day_of(time.time()))
    Spending(spool).add("demo", "free", Spent(0.5, 2), day_of(time.time()))
    stage, whole = budgets(spool, demo(tmp_path), [])
    assert (stage["budget"], stage["usd"], "calls" in stage) == ("demo:ask", 2, False)
    assert (stage["today"]["usd"], stage["today"]["calls"], stage["month"]["usd"]) == (0.25, 1, 0.25)
    assert (whole["budget"], whole["usd"], whole["calls"], whole["max_unknown"]) == ("demo", 9, 90, 7)
    assert (whole["today"]["usd"], whole["month"]["calls"]) == (0.75, 3)


def test_a_job_without_budgets_has_none(spool: Spool, tmp_path: Path) -> None:
    jobs = demo(tmp_path, "stages: {ask: {handler: x.y}}")
    assert list(budgets(spool, jobs, [])) == []
    assert list(budgets(spool, demo(tmp_path), ["other"])) == []
