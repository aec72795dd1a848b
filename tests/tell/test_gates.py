"""What keeps every item of a job or of a source, as workers and people make it so."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from rivus.model.times import utc
from tests.commands.samples import CHAIN, STEPS
from tests.conftest import House
from tests.tell.asking_why import inject, kinds, obey, reasons

LIMITED = CHAIN.replace("retry: [1h]", "retry: [1h], limit: outside")


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


@pytest.fixture
def limited(house: House) -> House:
    house.job("limits", "outside: {slots: 1, rate: 2/h, burst: 2}")
    house.job("demo", LIMITED, steps=STEPS)
    return house


@pytest.fixture
def busy(limited: House) -> Iterator[subprocess.Popen[str]]:
    """A worker that has the only slot and hangs."""
    inject(limited, {"id": "busy", "do": "hang"})
    worker = limited.start("rivus-stage", "demo:fetch")
    folder = limited.root / "spool/demo/fetch/running"
    limited.wait_for(lambda: bool(list(folder.glob("*/busy.json"))), "a claim")
    yield worker
    worker.kill()
    worker.communicate()


PAID = """
stages:
  ask: {handler: pay.ask, concurrency: 1, budget: {calls: 1}}
"""


@pytest.fixture
def spent(house: House) -> House:
    """A job whose budget of one call is used up by one item, while another waits."""
    house.job("demo", PAID, pay="def ask(item, ctx):\n    ctx.cost(usd=0.01)\n    return {'x': 1}\n")
    inject(house, {"id": "a"}, {"id": "b"})
    house.run("rivus-stage", "ask")
    return house


def waiting(house: House) -> str:
    (name,) = house.box("demo", "ask", "later")
    return name.removesuffix(".json")


def test_what_waits_for_a_budget_says_since_when_until_when_and_what_to_raise(spent: House) -> None:
    (reason,) = reasons(spent, waiting(spent))
    assert (reason.kind, reason.what) == ("budget", "over budget (stages.ask.budget.calls)")
    assert reason.why.startswith(f"1 of 1 calls made today, since {utc(time.time())[:10]}T")
    assert reason.until is not None and reason.until % 86_400 == 0 and 0 < reason.until - time.time() <= 86_400
    assert reason.override == f"raise stages.ask.budget.calls in {spent.root}/jobs.d/demo.yaml"


def test_what_is_ready_while_the_budget_is_used_up_says_so_first(spent: House) -> None:
    inject(spent, {"id": "c"})
    assert kinds(reasons(spent, "c")) == ["budget", "ready"]


def test_a_raised_budget_leaves_the_waking_to_the_sweep(spent: House) -> None:
    key = waiting(spent)
    spent.job("demo", PAID.replace("calls: 1", "calls: 2"))
    (reason,) = reasons(spent, key)
    assert (reason.kind, reason.what) == ("overdue", "today's budget has room again, and nobody has woken it yet")
    obey(spent, reason)
    assert kinds(reasons(spent, key)) == ["ready"]


def test_an_account_that_cannot_be_read_says_what_mends_it(spent: House) -> None:
    key = waiting(spent)
    (spent.root / f"spool/_spent/demo/{utc(time.time())[:10]}.json").write_text("{")
    (reason,) = reasons(spent, key)
    assert (reason.kind, reason.what) == ("budget", "what was spent today cannot be read")
    obey(spent, reason)
    assert [one.what for one in reasons(spent, key)] == ["over budget (stages.ask.budget.calls)"]


def test_a_paused_job_comes_first_and_says_why_since_when_and_by_whom(chain: House) -> None:
    inject(chain, {"id": "a", "do": "halt"}, {"id": "b"})
    chain.run("rivus-limit", "pause", "demo", "--why", "holidays")
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    first, second = reasons(chain, stage="fetch")
    assert (first.stage, first.kind, first.what) == ("", "paused", "the job demo is paused")
    assert first.why.startswith("holidays (by person, since 20")
    assert (second.kind, second.what) == ("paused", "put off until the job is resumed")
    assert first.override == second.override
    obey(chain, first)
    assert kinds(reasons(chain, stage="fetch")) == ["ready"]


def test_a_job_that_paused_itself_says_for_what(chain: House) -> None:
    inject(chain, {"id": "a", "do": "halt"})
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    if not (chain.root / "spool/demo/paused.json").exists():
        pytest.skip("no rule pauses a job for this error")
    assert "no credential" in reasons(chain)[0].why and "demo:fetch a" in reasons(chain)[0].why


def test_a_disabled_job_runs_when_it_is_named(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.job("demo", "enabled: false\n" + CHAIN)
    first, second = reasons(chain, stage="fetch")
    assert (first.kind, first.what, second.kind) == ("disabled", "the job demo is disabled", "ready")
    obey(chain, first)
    assert kinds(reasons(chain)) == ["done"]


def test_a_broken_job_says_where_and_what_its_items_are_in(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.job("demo", "stages: {fetch: {hander: x}}\nsta: 5")
    found = reasons(chain)
    assert (found[0].kind, found[0].override) == ("broken", "rivus-check")
    assert "demo.yaml:1:" in found[0].why and found[0].why.endswith("more)")
    assert {reason.stage: str(reason.kind) for reason in found[1:]} == {
        "extract": "needs", "fetch": "ready", "score": "needs",
    }  # fmt: skip
    (chain.root / "jobs.d/demo.yaml").unlink()
    assert reasons(chain)[0].why == "there is no file for it"


def test_a_job_without_its_limits_is_broken(limited: House) -> None:
    inject(limited, {"id": "a"})
    limited.job("limits", "outside: {slots: x}")
    assert "limits.yaml is broken" in reasons(limited)[0].why


def test_a_parked_source_says_until_when_why_and_by_whom(limited: House) -> None:
    inject(limited, {"id": "a", "do": "block"})
    limited.run("rivus-stage", "fetch", "--linger", "0s")
    [found] = reasons(limited, stage="fetch")
    assert (found.kind, found.what) == ("parked", "the source outside is parked")
    assert found.until is not None and 3000 < found.until - time.time() < 4000
    assert "429" in found.why and "(by demo:fetch a, since 20" in found.why
    obey(limited, found)
    assert kinds(reasons(limited, stage="fetch")) == ["ready"]


def test_a_source_that_a_person_parked_waits_for_a_person(limited: House) -> None:
    inject(limited, {"id": "a"})
    limited.run("rivus-limit", "park", "outside", "--why", "they asked us to")
    assert kinds(reasons(limited, stage="fetch")) == ["parked", "ready"], "before a worker has met it"
    limited.run("rivus-stage", "fetch", "--linger", "0s")
    [found] = reasons(limited, stage="fetch")
    assert (found.until, found.override) == (None, "rivus-limit resume outside")
    assert found.why.startswith("they asked us to (by person, ")
    assert "parked until a person resumes it: they" in found.line(time.time())


def test_an_item_with_a_time_of_its_own_waits_for_that_and_for_its_source(limited: House) -> None:
    inject(limited, {"id": "a", "do": "later"})
    limited.run("rivus-stage", "fetch", "--linger", "0s")
    limited.run("rivus-limit", "park", "outside", "--for", "2h")
    assert kinds(reasons(limited, stage="fetch")) == ["parked", "later"]


def test_while_a_source_that_rested_is_tried_with_one_item_the_others_wait(limited: House) -> None:
    limited.job("limits", "outside: {slots: 2}")
    limited.run("rivus-limit", "park", "outside", "--for", "10ms", "--why", "429")
    inject(limited, {"id": "busy", "do": "hang"})
    worker = limited.start("rivus-stage", "demo:fetch", "demo/busy")
    limited.wait_for(lambda: bool(list((limited.root / "spool/demo/fetch/running").glob("*/busy.json"))), "a claim")
    inject(limited, {"id": "a"})
    probe, ready = reasons(limited, stage="fetch")
    limited.run("rivus-stage", "demo:fetch", "--linger", "0s")
    [put_off] = reasons(limited, stage="fetch")
    worker.kill()
    worker.communicate()
    assert (probe.kind, probe.what) == ("probed", "the source outside has rested and is tried with one item")
    assert f"by pid {worker.pid} (" in probe.detail and probe.why == "it rested because of 429"
    assert (ready.kind, put_off.kind) == ("ready", "probed")
    assert put_off.until is not None and 0 < put_off.until - time.time() <= 30
    assert kinds(reasons(limited, stage="fetch")) == ["later"], "the one who tried is dead"


@pytest.mark.usefixtures("busy")
def test_a_full_limit_says_who_holds_it(limited: House, busy: subprocess.Popen[str]) -> None:
    inject(limited, {"id": "a"})
    full, ready = reasons(limited, stage="fetch")
    assert (full.kind, full.what) == ("full", "all 1 slots of outside are taken")
    assert full.detail.startswith(f"by pid {busy.pid} (") and "rivus-stage demo:fetch" in full.detail
    assert full.override == f"raise outside.slots in {limited.root}/jobs.d/limits.yaml"
    assert (ready.kind, ready.detail) == ("ready", "next in line; 1 run now")


def test_without_a_token_it_says_when_the_next_one_comes(limited: House) -> None:
    inject(limited, {"id": "a"}, {"id": "b"}, {"id": "c"})
    limited.run("rivus-stage", "fetch", "--linger", "0s")
    late = limited.box("demo", "fetch", "later")[0].removesuffix(".json")
    [found] = reasons(limited, late, "fetch")
    assert (found.kind, found.what) == ("no token", "no token of outside (2/1h)")
    assert found.until is not None and 1700 < found.until - time.time() <= 1801
    limited.run("rivus-move", "retry", f"demo/{late}")
    assert kinds(reasons(limited, late, "fetch")) == ["no token", "ready"]
    limited.job("limits", "outside: {slots: 1, rate: 2000/s, burst: 2}")
    assert kinds(reasons(limited, late, "fetch")) == ["ready"], "as the override said"


def test_a_limit_that_cannot_be_read_says_so(limited: House) -> None:
    inject(limited, {"id": "a"}, {"id": "b"})
    limited.run("rivus-stage", "fetch", "demo/b")
    (limited.root / "spool/_limits/outside/bucket.json").write_text("{")
    found = reasons(limited, stage="fetch")
    assert kinds(found) == ["limit", "ready"]
    assert "bucket.json cannot be read" in found[0].why
    obey(limited, found[0])
    assert kinds(reasons(limited, stage="fetch")) == ["no token", "ready"]
