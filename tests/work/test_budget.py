"""A budget stops a stage before the next item, for the day, in all its processes, and whatever becomes of the tries."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from rivus.model.money import day_of, put_off_until
from rivus.spool.layout import open_spool
from rivus.spool.recount import recount
from tests.conftest import House

JOB = """
stages:
  ask: {handler: pay.ask, concurrency: 1, retry: [1h], timeout: 20s, budget: {usd: 0.05}}
"""
TWO = """
budget: {calls: 3}
stages:
  ask: {handler: pay.ask, concurrency: 1}
  rate: {handler: pay.ask, concurrency: 1}
"""
PAY = """
import os, time
from rivus.model.outcome import ItemFailed, RetryLater, Skip

def ask(item, ctx):
    for cost in item.get("costs", [{"usd": 0.01, "tokens": 10}]):
        ctx.cost(**cost)
    what = item.get("do")
    if what == "die": os.kill(os.getpid(), 9)
    if what == "hang": time.sleep(600)
    if what == "slow": time.sleep(0.05)
    if what == "fail": raise ItemFailed("bad")
    if what == "later": raise RetryLater("not yet", after=3600)
    if what == "skip": raise Skip("nothing here")
    return {"ran": True}
"""


@pytest.fixture(autouse=True)
def _one_day() -> None:
    if time.time() % 86_400 > 86_370:
        pytest.skip("a test that crosses midnight (UTC) would meet two budgets")


@pytest.fixture
def paid(house: House) -> House:
    house.job("demo", JOB, pay=PAY)
    return house


def inject(house: House, count: int, **data: Any) -> None:
    lines = (json.dumps({"id": f"{data.get('do', 'k')}{number}", **data}) for number in range(count))
    house.run("rivus-inject", "demo", stdin="\n".join(lines))


def counts(house: House, stage: str = "ask") -> dict[str, int]:
    boxes = ("ready", "later", "done", "failed", "held")
    return {box: found for box in boxes if (found := len(house.box("demo", stage, box)))}


def account(house: House) -> Any:
    file = house.root / f"spool/_spent/demo/{day_of(time.time())}.json"
    return json.loads(file.read_text())["stages"]


def spent(house: House, stage: str = "ask") -> dict[str, Any]:
    amount = account(house)[stage]
    return {name: amount[name] for name in ("usd", "calls", "tokens", "unknown", "items")}


def recounted(house: House) -> Any:
    days = recount(open_spool(str(house.root / "spool")), "demo", day_of(time.time()), tickets=True)
    return {stage: {**amount.to_json(), "last": None} for stages in days.values() for stage, amount in stages.items()}


def test_a_budget_stops_before_the_next_item_until_the_next_day(paid: House) -> None:
    inject(paid, 8)
    done = paid.run("rivus-stage", "ask")
    assert counts(paid) == {"later": 3, "done": 5}
    assert spent(paid) == {"usd": 0.05, "calls": 5, "tokens": 50, "unknown": 0, "items": 5}
    said = "demo:ask: over budget: 0.0500 of 0.05 USD spent today (stages.ask.budget.usd); nothing starts before the"
    assert done.err.count("over budget") == 1 and done.err.startswith(said)
    folder = paid.root / "spool/demo/ask/later"
    dues = {os.stat(folder / name).st_mtime for name in paid.box("demo", "ask", "later")}
    assert dues == {put_off_until(time.time())}


def test_an_exhausted_budget_is_no_attempt(paid: House) -> None:
    inject(paid, 6)
    paid.run("rivus-stage", "ask")
    (name,) = paid.box("demo", "ask", "later")
    assert "attempts" not in paid.ticket("demo", "ask", "later", name)


def test_another_process_meets_the_same_budget(paid: House) -> None:
    inject(paid, 5)
    paid.run("rivus-stage", "ask")
    inject(paid, 2, do="skip")
    paid.run("rivus-stage", "ask")
    assert counts(paid) == {"later": 2, "done": 5}


def test_processes_at_once_exceed_it_by_no_more_than_what_they_run(paid: House) -> None:
    paid.job("demo", JOB.replace("concurrency: 1", "concurrency: 3"), pay=PAY)
    inject(paid, 40, do="slow")
    workers = [paid.start("rivus-stage", "ask") for _ in range(2)]
    for worker in workers:
        worker.communicate(timeout=60)
    found = counts(paid)
    assert 5 <= found["done"] <= 4 + 2 * 3 and found["later"] == 40 - found["done"]
    assert spent(paid)["calls"] == found["done"]


def test_a_raised_budget_is_seen_by_the_sweep_which_wakes_what_waits(paid: House) -> None:
    inject(paid, 8)
    paid.run("rivus-stage", "ask")
    paid.run("rivus-sweep")
    assert counts(paid) == {"later": 3, "done": 5}, "it is used up still"
    paid.job("demo", JOB.replace("0.05", "0.07"))
    paid.run("rivus-sweep")
    assert counts(paid) == {"ready": 3, "done": 5}
    paid.run("rivus-stage", "ask")
    assert counts(paid) == {"later": 1, "done": 7}
    paid.job("demo", JOB.replace(", budget: {usd: 0.05}", ""))
    paid.run("rivus-sweep")
    assert counts(paid) == {"ready": 1, "done": 7}, "a budget that is gone keeps nothing"


def test_the_sweep_leaves_what_waits_for_itself(paid: House) -> None:
    inject(paid, 1, do="later")
    paid.run("rivus-stage", "ask", "--linger", "0s")
    paid.run("rivus-sweep")
    assert counts(paid) == {"later": 1}


def test_a_new_day_has_a_new_budget(paid: House) -> None:
    inject(paid, 6)
    paid.run("rivus-stage", "ask")
    folder = paid.root / "spool/_spent/demo"
    os.rename(folder / f"{day_of(time.time())}.json", folder / f"{day_of(time.time() - 86_400)}.json")
    journal = paid.root / "spool/_journal"
    for day in journal.iterdir():
        day.unlink()
    (name,) = paid.box("demo", "ask", "later")
    os.utime(paid.root / "spool/demo/ask/later" / name, (time.time(), time.time()))
    paid.run("rivus-stage", "ask")
    assert counts(paid) == {"done": 6}
    assert spent(paid)["calls"] == 1


def test_a_budget_of_the_job_counts_all_stages(house: House) -> None:
    house.job("demo", TWO, pay=PAY)
    inject(house, 2)
    house.run("rivus-run", "demo")
    calls = [amount["calls"] for amount in account(house).values()]
    assert sum(calls) == 3
    assert counts(house, "ask").get("later", 0) + counts(house, "rate").get("later", 0) == 1


def test_calls_of_unknown_cost_stop_the_job(house: House) -> None:
    house.job("demo", "max_unknown: 2\n" + JOB.replace(", budget: {usd: 0.05}", ""), pay=PAY)
    inject(house, 4, costs=[{}])
    house.run("rivus-stage", "ask")
    assert counts(house) == {"later": 2, "done": 2}
    assert spent(house)["unknown"] == 2


@pytest.mark.parametrize(("do", "box"), [("fail", "failed"), ("later", "later"), ("skip", "done"), ("k", "done")])
def test_what_a_try_cost_is_in_its_attempt_its_journal_line_and_the_account(paid: House, do: str, box: str) -> None:
    inject(paid, 1, do=do)
    paid.run("rivus-stage", "ask", "--linger", "0s")
    cost = {"calls": 1, "tokens": 10, "usd": 0.01}
    ticket = paid.ticket("demo", "ask", box, f"{do}0.json")
    assert ticket["attempts"][-1]["cost"] == cost
    assert "receipt" not in ticket or ticket["receipt"]["cost"] == cost
    lines = [json.loads(line) for day in (paid.root / "spool/_journal").iterdir() for line in day.open()]
    assert [line["cost"] for line in lines if "cost" in line] == [cost]
    assert spent(paid)["usd"] == 0.01


def test_what_a_killed_worker_paid_is_counted(paid: House) -> None:
    inject(paid, 1, do="die")
    paid.run("rivus-stage", "ask", code=-signal.SIGKILL)
    assert spent(paid) == {"usd": 0.01, "calls": 1, "tokens": 10, "unknown": 0, "items": 1}


def test_what_a_hung_try_paid_is_in_its_attempt(paid: House) -> None:
    paid.job("demo", JOB.replace("20s", "200ms"))
    inject(paid, 1, do="hang")
    paid.run("rivus-stage", "ask", "--linger", "0s")
    attempt = paid.ticket("demo", "ask", "later", "hang0.json")["attempts"][-1]
    assert (attempt["outcome"], attempt["cost"]["usd"], spent(paid)["usd"]) == ("timeout", 0.01, 0.01)


def test_what_an_interrupted_try_paid_is_in_the_journal_though_it_is_given_back(paid: House) -> None:
    inject(paid, 1, do="hang")
    worker = paid.start("rivus-stage", "ask")
    file = paid.root / f"spool/_spent/demo/{day_of(time.time())}.json"
    paid.wait_for(lambda: file.exists() and bool(account(paid)), "a cost")
    worker.terminate()
    worker.communicate(timeout=30)
    assert worker.returncode == 130 and counts(paid) == {"ready": 1}
    assert recounted(paid) == {"ask": {**account(paid)["ask"], "last": None}}


def test_account_and_recount_agree_after_a_mixed_day(house: House) -> None:
    house.job("demo", TWO.replace("calls: 3", "calls: 500"), pay=PAY)
    for do in ("k", "fail", "later", "skip"):
        inject(house, 3, do=do, costs=[{"usd": 0.000_000_3, "tokens": 1}, {"calls": 2}, {"usd": 0.25}])
    house.run("rivus-run", "demo", "--linger", "0s")
    known = {stage: {**amount, "last": None} for stage, amount in account(house).items()}
    assert known["ask"]["items"] == 12 and known["rate"]["items"] == 3
    assert recounted(house) == known


def test_several_costs_of_a_try_add_up(paid: House) -> None:
    costs = [{"usd": 0.01}, {"calls": 2, "tokens": 5}, {"usd": 0.000_000_4, "calls": 0}]
    inject(paid, 1, costs=costs)
    paid.run("rivus-stage", "ask")
    cost = paid.ticket("demo", "ask", "done", "k0.json")["receipt"]["cost"]
    assert cost == {"calls": 3, "tokens": 5, "unknown": 2, "usd": 0.010_000_4}
    assert spent(paid) == {**cost, "items": 1}


def test_a_model_with_a_price_costs_what_its_tokens_do_and_any_other_costs_nobody_knows(paid: House) -> None:
    (paid.root / "jobs.d/prices.yaml").write_text("small: {input: 0.15, output: 0.60}")
    used = {"input_tokens": 10_000, "output_tokens": 1_000}
    inject(paid, 1, costs=[{"model": "small", **used}, {"model": "large", **used}])
    paid.run("rivus-stage", "ask")
    cost = paid.ticket("demo", "ask", "done", "k0.json")["receipt"]["cost"]
    assert cost == {"calls": 2, "tokens": 22_000, "unknown": 1, "usd": 0.0021}


def test_prices_that_cannot_be_read_make_the_cost_unknown(paid: House) -> None:
    (paid.root / "jobs.d/prices.yaml").write_text("small: {input: 0.15}")
    inject(paid, 1, costs=[{"model": "small", "input_tokens": 10}])
    paid.run("rivus-stage", "ask")
    cost = paid.ticket("demo", "ask", "done", "k0.json")["receipt"]["cost"]
    assert cost == {"calls": 1, "tokens": 10, "unknown": 1}


def test_an_amount_that_makes_no_sense_is_unknown_and_cannot_lower_the_account(paid: House) -> None:
    inject(paid, 1, costs=[{"usd": -5}])
    paid.run("rivus-stage", "ask")
    assert spent(paid) == {"usd": 0.0, "calls": 1, "tokens": 0, "unknown": 1, "items": 1}


def test_an_account_that_cannot_be_read_stops_the_stage(paid: House) -> None:
    inject(paid, 6)
    paid.run("rivus-stage", "ask")
    file = paid.root / f"spool/_spent/demo/{day_of(time.time())}.json"
    file.write_text("{")
    paid.job("demo", JOB.replace("0.05", "9.00"))
    paid.run("rivus-sweep")
    assert counts(paid) == {"later": 1, "done": 5}
    inject(paid, 1, do="skip")
    done = paid.run("rivus-stage", "ask", code=78)
    assert "the budgets stay closed until: rivus-cost demo --rebuild" in done.err
    assert counts(paid) == {"ready": 1, "later": 1, "done": 5}
    paid.run("rivus-cost", "demo", "--rebuild")
    assert spent(paid)["calls"] == 5
    paid.run("rivus-stage", "ask")
    assert counts(paid) == {"later": 1, "done": 6}


def test_a_cost_that_cannot_be_written_keeps_its_result_and_stops_what_comes_next(paid: House) -> None:
    paid.job("demo", JOB.replace(", budget: {usd: 0.05}", ""))
    inject(paid, 3)
    folder = paid.root / "spool/_spent/demo"
    folder.mkdir(parents=True)
    (folder / f"{day_of(time.time())}.json").mkdir()
    done = paid.run("rivus-stage", "ask", code=78)
    assert "cannot be read" in done.err
    assert counts(paid) == {"ready": 2, "done": 1}


def test_a_stage_without_budget_and_costs_touches_no_account(house: House) -> None:
    house.job("demo", JOB.replace(", budget: {usd: 0.05}", ""), pay=PAY)
    inject(house, 2, costs=[])
    house.run("rivus-run", "demo")
    house.run("rivus-sweep")
    assert counts(house) == {"done": 2}
    assert not (house.root / "spool/_spent").exists()
