"""What a stage does about failures: rest, hold, fail, pause, tell; and what a person wrote down wins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.samples import STEPS
from tests.conftest import Done, House

STAGE = "stages: {fetch: {handler: steps.fetch, concurrency: 1, retry: [1h], breaker: 5}}"
LIMITED = "stages: {fetch: {handler: steps.fetch, limit: youtube, concurrency: 1}}"


def inject(house: House, do: str, *keys: str, job: str = "demo") -> None:
    house.run("rivus-inject", job, stdin="\n".join(json.dumps({"id": key, "do": do}) for key in keys))


def work(house: House, do: str, *keys: str) -> Done:
    inject(house, do, *keys)
    return house.run("rivus-stage", "demo:fetch")


def last(house: House, box: str, key: str, job: str = "demo") -> Any:
    return house.ticket(job, "fetch", box, f"{key}.json")["attempts"][-1]


def paused(house: House, job: str = "demo") -> bool:
    return (house.root / "spool" / job / "paused.json").exists()


def verdict(house: House, fingerprint: str, text: str) -> Path:
    path = house.root / "spool/_verdicts" / f"{fingerprint}.yaml"
    path.write_text(text)
    return path


def hook(house: House, event: str, script: str) -> None:
    folder = house.root / "jobs.d/hooks.d"
    folder.mkdir(exist_ok=True)
    path = folder / f"on-{event}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def demo(house: House) -> House:
    house.job("demo", STAGE, steps=STEPS)
    return house


@pytest.fixture
def two(house: House) -> House:
    """Two jobs that use one source."""
    house.job("limits", "youtube: {slots: 1}")
    house.job("demo", LIMITED, steps=STEPS)
    house.job("other", LIMITED)
    return house


def test_a_source_that_blocks_rests_for_every_job_and_charges_nobody(two: House) -> None:
    inject(two, "block", "a", "b", "c")
    inject(two, "well", "x", job="other")
    two.run("rivus-stage", "demo:fetch")
    two.run("rivus-stage", "other:fetch")
    later = two.box("demo", "fetch", "later")
    assert later == ["a.json", "b.json", "c.json"]
    tried = [two.ticket("demo", "fetch", "later", name).get("attempts", []) for name in later]
    [[attempt]] = [attempts for attempts in tried if attempts]
    assert (attempt["outcome"], attempt["charged"]) == ("blocked", False)
    assert (attempt["class"], attempt["action"]) == ("rate_limited", "pause_source")
    assert two.box("other", "fetch", "later") == ["x.json"]
    assert "attempts" not in two.ticket("other", "fetch", "later", "x.json")
    assert not paused(two)

    two.run("rivus-limit", "resume", "youtube")
    assert two.box("demo", "fetch", "ready") == later
    assert two.box("other", "fetch", "ready") == ["x.json"]
    two.run("rivus-stage", "demo:fetch")
    tries = sum(len(two.ticket("demo", "fetch", "later", name).get("attempts", [])) for name in later)
    assert tries == 2, "one more try has found that the source still blocks"


def test_after_a_resume_a_source_that_answers_serves_all(two: House) -> None:
    inject(two, "block", "a")
    two.run("rivus-stage", "demo:fetch")
    inject(two, "well", "x", "y", job="other")
    two.run("rivus-limit", "resume", "youtube")
    two.run("rivus-stage", "other:fetch")
    assert two.box("other", "fetch", "done") == ["x.json", "y.json"]


def test_what_needs_a_person_is_held_with_all_that_is_known(demo: House) -> None:
    done = work(demo, "crash", "a")
    ticket = demo.ticket("demo", "fetch", "held", "a.json")
    attempt = ticket["attempts"][-1]
    assert (attempt["class"], attempt["action"], attempt["outcome"]) == ("handler_bug", "needs_human", "held")
    assert attempt["rule"]
    assert len(attempt["fingerprint"]) == 16
    assert (attempt["handler"], attempt["reason"]) == ("steps.fetch", "oh")
    assert "ZeroDivisionError" in attempt["type"]
    assert ticket["error"]["fingerprint"] == attempt["fingerprint"]
    assert (ticket["error"]["class"], ticket["error"]["at"]) == ("handler_bug", attempt["ended"])
    assert "[handler_bug]" in done.err


def test_a_verdict_written_by_hand_wins_at_once_until_it_is_gone(demo: House) -> None:
    work(demo, "crash", "a")
    kind = last(demo, "held", "a")["fingerprint"]
    path = verdict(demo, kind, "class: gone_permanently\naction: fail_item\nwhy: nobody needs it\n")
    work(demo, "crash", "b")
    attempt = last(demo, "failed", "b")
    assert (attempt["class"], attempt["action"], attempt["rule"]) == (
        "gone_permanently", "fail_item", "verdict by person",
    )  # fmt: skip
    assert attempt["fingerprint"] == kind
    path.unlink()
    work(demo, "crash", "c")
    assert demo.box("demo", "fetch", "held") == ["a.json", "c.json"]


def test_an_expired_verdict_is_none(demo: House) -> None:
    work(demo, "crash", "a")
    kind = last(demo, "held", "a")["fingerprint"]
    verdict(demo, kind, "class: auth\naction: fail_item\nexpires: '2020-01-01T00:00:00Z'\n")
    work(demo, "crash", "b")
    assert demo.box("demo", "fetch", "held") == ["a.json", "b.json"]


def test_a_broken_verdict_is_said_and_passed_over(demo: House) -> None:
    work(demo, "crash", "a")
    path = verdict(demo, last(demo, "held", "a")["fingerprint"], "class: auth\naction: pray\n")
    done = work(demo, "crash", "b")
    assert f"{path.name}:2:" in done.err
    assert "pray" in done.err
    assert last(demo, "held", "b")["class"] == "handler_bug"


def test_five_failures_of_one_kind_in_a_row_pause_the_job(demo: House) -> None:
    done = work(demo, "crash", *"abcdefg")
    assert len(demo.box("demo", "fetch", "held")) == 5
    assert len(demo.box("demo", "fetch", "later")) == 2
    assert "5 failures of one kind in a row" in done.err
    why = json.loads((demo.root / "spool/demo/paused.json").read_text())["why"]
    assert "oh" in why
    demo.run("rivus-limit", "unpause", "demo")
    demo.run("rivus-stage", "demo:fetch")
    assert len(demo.box("demo", "fetch", "held")) == 7, "the count began anew"
    assert not paused(demo)


def test_a_success_in_between_ends_the_row(demo: House) -> None:
    work(demo, "crash", *"abcd")
    work(demo, "well", "e")
    work(demo, "crash", *"fghi")
    assert not paused(demo)
    work(demo, "crash", "j")
    assert paused(demo)


def test_another_kind_in_between_ends_the_row(demo: House) -> None:
    work(demo, "crash", *"abcd")
    work(demo, "fail", "e")
    work(demo, "crash", *"fghi")
    assert not paused(demo)


def test_breaker_0_never_pauses(house: House) -> None:
    house.job("demo", STAGE.replace("breaker: 5", "breaker: 0"), steps=STEPS)
    work(house, "crash", *(f"i{n}" for n in range(12)))
    assert len(house.box("demo", "fetch", "held")) == 12
    assert not paused(house)


def test_a_hook_hears_once_of_twenty_items_of_a_group(house: House) -> None:
    house.job("demo", STAGE.replace("breaker: 5", "breaker: 0"), steps=STEPS)
    hook(house, "failed", "cat >> ../../heard")
    hook(house, "held", "exit 3")
    work(house, "fail", *(f"i{n}" for n in range(10)))
    work(house, "fail", *(f"j{n}" for n in range(10)))
    assert len(house.box("demo", "fetch", "failed")) == 20
    [line] = (house.root / "heard").read_text().splitlines()
    told = json.loads(line)
    assert (told["event"], told["job"], told["stage"]) == ("failed", "demo", "fetch")
    assert told["fingerprint"] == last(house, "failed", "i0")["fingerprint"]
    assert told["reason"] == "this one is bad"


def test_a_hook_that_fails_harms_nothing(demo: House) -> None:
    hook(demo, "failed", "echo broken >&2; exit 3")
    done = work(demo, "fail", "a", "b")
    inject(demo, "well", "c")
    demo.run("rivus-stage", "demo:fetch")
    assert demo.box("demo", "fetch", "failed") == ["a.json", "b.json"]
    assert demo.box("demo", "fetch", "done") == ["c.json"]
    assert "on-failed: ended with 3" in done.err
