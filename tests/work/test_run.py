"""The loop: what becomes of an item for each thing a handler can do, and of the process when it must end."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.conftest import Done, House


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def run_one(house: House, do: str, *more: str) -> Done:
    house.run("rivus-inject", "demo", stdin=json.dumps({"id": "a", "do": do}))
    return house.run("rivus-stage", "demo:fetch", *more)


def where(house: House) -> str:
    boxes = ("ready", "later", "done", "failed", "held")
    return next(box for box in boxes if house.box("demo", "fetch", box) == ["a.json"])


def test_a_result_is_done_with_a_receipt(chain: House) -> None:
    run_one(chain, "well")
    ticket = chain.ticket("demo", "fetch", "done", "a.json")
    assert ticket["output"] == {"raw": "hello "}
    receipt = ticket["receipt"]
    assert {"owner", "host", "attempt", "started", "ended", "handler", "input", "output", "tools"} <= receipt.keys()
    assert receipt["attempt"] == 1
    assert ticket["attempts"][-1]["outcome"] == "done"


def test_nothing_to_do_is_done_and_what_follows_is_skipped_too(chain: House) -> None:
    done = run_one(chain, "skip")
    assert [line["state"] for line in done.lines] == ["skipped"]
    chain.run("rivus-run", "demo")
    receipts = [chain.ticket("demo", stage, "done", "a.json")["receipt"] for stage in ("fetch", "extract", "score")]
    assert [receipt["skipped"] for receipt in receipts] == [
        "nothing here", "fetch had nothing to do", "extract had nothing to do",
    ]  # fmt: skip


def test_an_item_at_fault_has_failed_with_its_reason(chain: House) -> None:
    done = run_one(chain, "fail")
    assert where(chain) == "failed"
    assert chain.ticket("demo", "fetch", "failed", "a.json")["error"]["reason"] == "this one is bad"
    assert done.lines[0]["state"] == "failed"
    assert "this one is bad" in done.err


def test_a_retry_waits_in_later_until_its_time(chain: House) -> None:
    run_one(chain, "later")
    path = chain.root / "spool/demo/fetch/later/a.json"
    assert 3500 < path.stat().st_mtime - time.time() < 4000
    assert json.loads(path.read_text())["attempts"][0]["charged"] is True


def test_what_is_due_within_the_linger_is_waited_for(chain: House) -> None:
    done = run_one(chain, "soon")
    assert [line["state"] for line in done.lines] == ["done"]
    assert chain.ticket("demo", "fetch", "done", "a.json")["receipt"]["attempt"] == 2


@pytest.mark.parametrize("do", ["empty", "none", "nan", "crash", "exit"])
def test_an_empty_or_broken_result_is_never_done_and_waits_for_a_person(chain: House, do: str) -> None:
    done = run_one(chain, do, "--linger", "0s")
    assert where(chain) == "held"
    attempt = chain.ticket("demo", "fetch", "held", "a.json")["attempts"][0]
    assert (attempt["outcome"], attempt["class"], attempt["action"]) == ("held", "handler_bug", "needs_human")
    assert [line["state"] for line in done.lines] == ["held"]


def test_after_the_last_delay_an_item_has_failed_and_a_person_can_retry_it(chain: House) -> None:
    run_one(chain, "later")
    chain.run("rivus-move", "retry", "demo/a")
    assert where(chain) == "ready"
    chain.run("rivus-stage", "demo:fetch")
    assert where(chain) == "failed"
    chain.run("rivus-move", "retry", "demo/a")
    chain.run("rivus-stage", "demo:fetch")
    assert where(chain) == "later"


def test_a_broken_job_is_paused_and_what_it_held_waits_uncharged(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "a", "do": "halt"}\n{"id": "b"}')
    done = chain.run("rivus-stage", "demo:fetch")
    assert "no credential" in done.err
    assert chain.box("demo", "fetch", "ready") == []
    assert "no credential" in json.loads((chain.root / "spool/demo/paused.json").read_text())["why"]
    assert "PAUSED" in chain.run("rivus-ls").out
    later = chain.box("demo", "fetch", "later")
    assert "a.json" in later
    assert chain.ticket("demo", "fetch", "later", "a.json")["attempts"][0]["charged"] is False
    chain.run("rivus-limit", "unpause", "demo")
    assert chain.box("demo", "fetch", "ready") == later


def test_a_handler_that_cannot_be_imported_pauses_the_job(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: broken.fetch}}", broken="import nothing_of_this_name\n")
    house.run("rivus-inject", "demo", stdin='{"id": "a"}')
    assert "nothing_of_this_name" in house.run("rivus-stage", "fetch").err
    assert (house.root / "spool/demo/paused.json").exists()
    assert house.box("demo", "fetch", "later") == ["a.json"]


def test_a_source_that_must_rest_is_parked_for_all_and_charges_nothing(house: House) -> None:
    house.job("limits", "youtube: {slots: 1}")
    house.job("demo", "stages: {fetch: {handler: steps.fetch, limit: youtube, concurrency: 1}}", steps=STEPS)
    house.run("rivus-inject", "demo", stdin='{"id": "a", "do": "block"}')
    house.run("rivus-stage", "fetch")
    house.run("rivus-inject", "demo", stdin='{"id": "b"}')
    house.run("rivus-stage", "fetch")
    assert house.box("demo", "fetch", "later") == ["a.json", "b.json"]
    assert "attempts" not in house.ticket("demo", "fetch", "later", "b.json")
    assert "PARKED" in house.run("rivus-limit").out
    house.run("rivus-limit", "resume", "youtube")
    assert house.box("demo", "fetch", "ready") == ["a.json", "b.json"]


def test_an_unreadable_limit_stops_work(house: House) -> None:
    house.job("limits", "youtube: {slots: 1, rate: 100/s, burst: 10}")
    house.job("demo", "stages: {fetch: {handler: steps.fetch, limit: youtube}}", steps=STEPS)
    house.run("rivus-inject", "demo", stdin='{"id": "a"}')
    folder = house.root / "spool/_limits/youtube"
    folder.mkdir(parents=True)
    (folder / "bucket.json").write_text("garbage")
    assert "rivus-limit reset youtube" in house.run("rivus-stage", "fetch", code=78).err
    assert house.box("demo", "fetch", "done") == []


def test_expectations_are_held(house: House) -> None:
    house.job(
        "demo",
        "stages: {fetch: {handler: steps.fetch, retry: [],"
        " expect: {required: [raw], min_length: {raw: 9}, forbidden: [please LOG in]}}}",
        steps=STEPS,
    )
    house.run("rivus-inject", "demo", stdin='{"id":"s"}\n{"id":"l","title":"Please log IN"}\n{"id":"g","title":"good"}')
    house.run("rivus-stage", "fetch")
    assert house.box("demo", "fetch", "failed") + house.box("demo", "fetch", "held") == ["l.json", "s.json"]
    assert house.box("demo", "fetch", "done") == ["g.json"]


def test_an_item_that_kills_its_worker_ends_in_failed(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "a", "do": "die"}')
    for _ in range(3):
        chain.run("rivus-stage", "demo:fetch", code=-signal.SIGKILL)
    chain.run("rivus-stage", "demo:fetch")
    assert where(chain) == "failed"
    assert "3 workers died" in chain.ticket("demo", "fetch", "failed", "a.json")["error"]["reason"]


def test_a_hung_handler_is_recorded_as_timed_out_and_the_others_are_done(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: steps.fetch, timeout: 500ms, retry: [1h]}}", steps=STEPS)
    others = "\n".join(f'{{"id": "b{n}"}}' for n in range(9))
    house.run("rivus-inject", "demo", stdin='{"id": "a", "do": "hang"}\n' + others)
    house.run("rivus-stage", "demo:fetch")
    assert house.box("demo", "fetch", "later") == ["a.json"]
    assert house.ticket("demo", "fetch", "later", "a.json")["attempts"][0]["outcome"] == "timeout"
    assert len(house.box("demo", "fetch", "done")) == 9


def test_an_async_handler_and_a_command_are_ended_at_their_timeout(house: House) -> None:
    code = "import asyncio\nasync def wait(item, ctx):\n    await asyncio.sleep(600)\n    return {'a': 1}\n"
    house.job("one", "stages: {fetch: {handler: slow.wait, timeout: 300ms, retry: [1h]}}", slow=code)
    house.job("two", "stages: {fetch: {command: [sleep, '600'], timeout: 300ms, retry: [1h]}}")
    for job in ("one", "two"):
        house.run("rivus-inject", job, stdin='{"id": "a"}')
    started = time.monotonic()
    house.run("rivus-stage", "fetch")
    assert time.monotonic() - started < 20
    for job in ("one", "two"):
        assert house.ticket(job, "fetch", "later", "a.json")["attempts"][0]["outcome"] == "timeout"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_with_what_it_held_finished(chain: House, number: int) -> None:
    text = "\n".join(json.dumps({"id": f"i{n}", "do": "slow"}) for n in range(40))
    chain.run("rivus-inject", "demo", stdin=text)
    worker = chain.start("rivus-stage", "demo:fetch")
    chain.wait_for(lambda: bool(list((chain.root / "spool/demo/fetch/running").glob("*/*.json"))), "a claim")
    worker.send_signal(number)
    worker.communicate(timeout=15)
    assert worker.returncode == 130
    assert list((chain.root / "spool/demo/fetch/running").glob("*/*.json")) == []
    assert len(chain.box("demo", "fetch", "ready")) + len(chain.box("demo", "fetch", "done")) == 40


def test_what_cannot_end_in_time_is_given_back_uncounted(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "a", "do": "hang"}')
    worker = chain.start("rivus-stage", "demo:fetch")
    chain.wait_for(lambda: bool(list((chain.root / "spool/demo/fetch/running").glob("*/*.json"))), "a claim")
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=12)
    assert where(chain) == "ready"
    assert "attempts" not in chain.ticket("demo", "fetch", "ready", "a.json")


def test_a_secret_that_a_handler_lets_slip_is_nowhere(house: House) -> None:
    leak = """
def fetch(item, ctx):
    token = ctx.secret("api_key")
    ctx.log.warning("using %s", token)
    if item["id"] == "bad":
        raise ValueError(f"https://example.org/?key={token}")
    return {"text": f"the token is {token}"}
"""
    house.job("demo", "stages: {fetch: {handler: leak.fetch, retry: []}}", leak=leak)
    house.run("rivus-inject", "demo", stdin='{"id": "good"}\n{"id": "bad"}')
    done = house.run("rivus-stage", "demo:fetch", "-vv", env={"RIVUS_SECRET_API_KEY": "s3cret-value"})
    assert "[secret api_key]" in done.out
    written = "".join(path.read_text() for path in (house.root / "spool").rglob("*") if path.is_file())
    assert "[secret api_key]" in written
    assert "s3cret" not in done.out + done.err + written


def test_what_a_handler_prints_is_not_among_the_items(house: House) -> None:
    noisy = "import os, subprocess\ndef fetch(item, ctx):\n    print('noise')\n    os.write(1, b'noise\\n')\n"
    house.job("demo", "stages: {fetch: {handler: noisy.fetch}}", noisy=noisy + "    return {'ok': 1}\n")
    house.run("rivus-inject", "demo", stdin='{"id": "a"}')
    done = house.run("rivus-stage", "demo:fetch")
    assert [line["key"] for line in done.lines] == ["a"]
    assert done.err.count("noise") == 2


FORK = """
import os
def fetch(item, ctx):
    child = os.fork()
    if not child:
        if item["id"] == "raises": raise ValueError("in the child")
        return {"who": "child"}
    return {"who": "parent", "child": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}
"""


def test_what_a_handler_forks_has_no_part_in_what_follows(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: forks.fetch}}", forks=FORK)
    house.run("rivus-inject", "demo", stdin='{"id": "returns"}\n{"id": "raises"}')
    lines = house.run("rivus-stage", "demo:fetch").lines
    assert sorted(line["key"] for line in lines) == ["raises", "returns"], "each is told once"
    for key, code in (("returns", 0), ("raises", 1)):
        ticket = house.ticket("demo", "fetch", "done", f"{key}.json")
        assert ticket["output"] == {"who": "parent", "child": code} and len(ticket["attempts"]) == 1


PIPE = """
import os
from rivus.model.outcome import RetryLater
def fetch(item, ctx):
    there = sorted(os.listdir(ctx.workdir))
    os.mkfifo(ctx.workdir / "pipe")
    os.symlink("/etc/hostname", ctx.workdir / "link")
    (ctx.workdir / "page").write_text("page")
    if ctx.attempt == 1:
        raise RetryLater("once more", after=0.05)
    return {"there": there}
"""


def test_a_pipe_in_a_workdir_is_no_file_and_keeps_nobody_waiting(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: fifos.fetch, retry: [1s]}}", fifos=PIPE)
    house.run("rivus-inject", "demo", stdin='{"id": "a"}')
    house.run("rivus-stage", "demo:fetch")
    ticket = house.ticket("demo", "fetch", "done", "a.json")
    assert ticket["output"] == {"there": []}, "the second try began in an empty folder"
    assert ticket["receipt"]["files"] == [{"file": "fetch/page", "bytes": 4}]
