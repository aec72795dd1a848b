"""The accounts of a spool: added to by many processes at once, closed when they make no sense, never a fresh start."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from rivus.config import Job, load_job
from rivus.errors import BadConfig
from rivus.limits.spending import UNKNOWN, Spending, has_budget, overdrawn, unknown_allowed
from rivus.model.money import Spent
from rivus.spool.journal import record
from rivus.spool.layout import Spool, open_spool

DAY = "2026-01-31"
CENT = Spent(0.01, 1, 10, 0, 1, f"{DAY}T09:00:00.000Z")
STAGES = """
stages:
  ask: {handler: x.y, budget: {usd: 0.05, calls: 9}}
  free: {handler: x.y}
"""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return open_spool(str(tmp_path))


def job(tmp_path: Path, text: str) -> Job:
    (tmp_path / "demo.yaml").write_text(text)
    return load_job(tmp_path, "demo")


def fields(one: Job, stage: str, **stages: Spent) -> list[str]:
    return [found.field for found in overdrawn(one, stage, stages)]


def spoil(spool: Spool, text: str) -> None:
    folder = Path(spool.root) / "_spent/demo"
    folder.mkdir(parents=True)
    (folder / f"{DAY}.json").write_text(text)


def spend(root: str, times: int) -> None:
    for _ in range(times):
        Spending(open_spool(root)).add("demo", "ask", CENT, DAY)


def test_a_day_without_costs_is_empty(spool: Spool) -> None:
    assert Spending(spool).today("demo", DAY) == {}
    assert Spending(spool).days("demo") == [DAY]


def test_each_stage_and_day_has_its_own_account(spool: Spool) -> None:
    spending = Spending(spool)
    spending.add("demo", "ask", CENT, DAY)
    spending.add("demo", "ask", CENT, DAY)
    spending.add("demo", "score", CENT, DAY)
    spending.add("demo", "ask", CENT, "2026-02-01")
    assert spending.read("demo", DAY) == {"ask": CENT + CENT, "score": CENT}
    assert spending.days("demo") == [DAY, "2026-02-01"]
    assert spending.jobs() == ["demo"]


def test_looking_makes_no_file(spool: Spool) -> None:
    assert Spending(spool).read("demo", DAY) is None
    assert not (Path(spool.root) / "_spent").exists()


def test_processes_that_spend_at_once_lose_nothing(spool: Spool) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=spend, args=(spool.root, 25)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    found = Spending(spool).read("demo", DAY)
    assert found is not None and (found["ask"].calls, found["ask"].usd) == (100, 1.0)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stages": 1}', '{"stages": {"ask": {"usd": 0}}}'])
def test_an_account_that_makes_no_sense_is_closed(spool: Spool, text: str) -> None:
    spoil(spool, text)
    for use in (lambda: Spending(spool).today("demo", DAY), lambda: Spending(spool).add("demo", "ask", CENT, DAY)):
        with pytest.raises(BadConfig, match="rivus-cost demo --rebuild --since 2026-01-31"):
            use()


def test_a_negative_amount_does_not_open_an_account(spool: Spool) -> None:
    spoil(spool, json.dumps({"stages": {"ask": CENT.to_json() | {"usd": -100.0}}}))
    with pytest.raises(BadConfig):
        Spending(spool).today("demo", DAY)


def test_a_file_that_was_removed_is_no_new_budget(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_769_850_000.0)  # 2026-01-31
    for number in range(3):
        ended = f"{DAY}T09:00:0{number}.000Z"
        cost = {"usd": 0.01, "calls": 1, "tokens": 10}
        record(spool, "defer", "demo", "ask", "a", owner="o", ended=ended, cost=cost)
    assert Spending(spool).today("demo", DAY)["ask"].usd == 0.03
    Spending(spool).add("demo", "ask", CENT, DAY)
    assert Spending(spool).today("demo", DAY)["ask"].usd == 0.04
    (Path(spool.root) / f"_spent/demo/{DAY}.json").unlink()
    Spending(spool).add("demo", "ask", CENT, DAY)
    assert Spending(spool).today("demo", DAY)["ask"].usd == 0.04


def test_counting_anew_mends_an_account_and_never_makes_less_of_it(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_769_850_000.0)
    spending = Spending(spool)
    spending.add("demo", "ask", CENT + CENT, DAY)  # by a worker that was killed
    cost = {"usd": 0.01, "calls": 1, "tokens": 10}
    record(spool, "finish", "demo", "score", "a", owner="o", ended=f"{DAY}T09:00:00.000Z", cost=cost)
    assert spending.rebuild("demo", DAY) == 1
    assert spending.read("demo", DAY) == {"ask": CENT + CENT, "score": CENT}
    (Path(spool.root) / f"_spent/demo/{DAY}.json").write_text("spoilt")
    spending.rebuild("demo", DAY)
    assert spending.read("demo", DAY) == {"score": CENT}


def test_a_budget_is_used_up_when_it_is_reached(tmp_path: Path) -> None:
    demo = job(tmp_path, STAGES)
    assert fields(demo, "ask", ask=Spent(0.0499, 8)) == []
    assert fields(demo, "ask", ask=Spent(0.05, 8)) == ["stages.ask.budget.usd"]
    assert fields(demo, "ask", ask=Spent(0.06, 9)) == ["stages.ask.budget.usd", "stages.ask.budget.calls"]
    assert fields(demo, "free", ask=Spent(9, 99)) == []
    assert (has_budget(demo, "ask"), has_budget(demo, "free")) == (True, False)


def test_a_budget_of_the_job_is_for_all_its_stages_together(tmp_path: Path) -> None:
    demo = job(tmp_path, f"budget: {{calls: 5}}\n{STAGES}")
    assert fields(demo, "free", ask=Spent(0.01, 3), free=Spent(0.0, 1)) == []
    assert fields(demo, "free", ask=Spent(0.01, 3), free=Spent(0.0, 2)) == ["budget.calls"]
    assert has_budget(demo, "free")


def test_a_budget_of_nothing_lets_nothing_start(tmp_path: Path) -> None:
    demo = job(tmp_path, f"budget: {{usd: 0, calls: 5}}\n{STAGES}")
    assert fields(demo, "free") == ["budget.usd"]


def test_calls_of_unknown_cost_stop_a_job(tmp_path: Path) -> None:
    demo = job(tmp_path, f"max_unknown: 3\n{STAGES}")
    assert fields(demo, "free", ask=Spent(unknown=2)) == []
    assert fields(demo, "free", ask=Spent(unknown=2), free=Spent(unknown=1)) == ["max_unknown"]


def test_a_budget_in_dollars_alone_is_not_emptied_by_calls_of_unknown_cost(tmp_path: Path) -> None:
    assert unknown_allowed(job(tmp_path, STAGES)) is None, "calls hold it"
    demo = job(tmp_path, STAGES.replace(", calls: 9", ""))
    assert fields(demo, "ask", ask=Spent(unknown=UNKNOWN - 1)) == []
    assert fields(demo, "ask", ask=Spent(unknown=UNKNOWN)) == ["max_unknown"]
