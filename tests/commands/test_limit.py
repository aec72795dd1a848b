"""rivus-limit: what a source bears, who uses it, and a person's word that it, or a job, must rest."""

from __future__ import annotations

import json
import re
import time

import pytest

from rivus.config import load_jobs
from rivus.limits import Limits, LimitStatus
from tests.commands.samples import STEPS
from tests.commands.trees import inject, tree
from tests.conftest import House

JOB = "stages: {fetch: {handler: steps.fetch, limit: outside}, score: {handler: steps.fetch, needs: []}}"
SLOW = """
import time
from rivus.model.outcome import SourceBlocked

def fetch(item, ctx):
    time.sleep(0.3)
    raise SourceBlocked("429", until=time.time() + 3600 + item["n"])
"""


@pytest.fixture
def limited(house: House) -> House:
    house.job("limits", "outside: {slots: 2, rate: 250/h, burst: 10}\nspare: {slots: 1}")
    house.job("demo", JOB, steps=STEPS)
    return house


def status(house: House) -> LimitStatus:
    """How the limit `outside` is now."""
    limits = Limits(house.root / "spool/_limits", load_jobs(house.root / "jobs.d").limits)
    return limits.status("outside")


def test_each_limit_is_shown_with_exactly_these_fields(limited: House) -> None:
    assert limited.run("rivus-limit", "--json").lines == [
        {"limit": "outside", "slots": 2, "held": {}, "rate": "250/1h", "burst": 10, "tokens": 10.0, "broken": [],
         "half_open": False, "trips": 0, "probers": [], "parked": None},
        {"limit": "spare", "slots": 1, "held": {}, "rate": None, "burst": 1, "tokens": None, "broken": [],
         "half_open": False, "trips": 0, "probers": [], "parked": None},
    ]  # fmt: skip
    assert limited.run("rivus-limit").out == (
        "outside:  0 of 2 slots held  10.0 tokens, 250/1h\nspare:  0 of 1 slots held\n"
    )
    assert limited.run("rivus-limit", "show", "spare").out == "spare:  0 of 1 slots held\n"


def test_looking_changes_nothing(limited: House) -> None:
    limited.run("rivus-ls")
    before = tree(limited.root)
    limited.run("rivus-limit")
    assert tree(limited.root) == before


def test_without_limits_there_is_nothing_to_show(house: House) -> None:
    done = house.run("rivus-limit")
    assert (done.out, done.err) == ("", "")


def test_who_holds_a_slot_and_what_is_left_of_the_rate_is_shown(limited: House) -> None:
    inject(limited, {"id": "a", "do": "hang"})
    worker = limited.start("rivus-stage", "demo:fetch")
    limited.wait_for(lambda: bool(list((limited.root / "spool/demo/fetch/running").glob("*/a.json"))), "a claim")
    [shown] = limited.run("rivus-limit", "show", "outside", "--json").lines
    text = limited.run("rivus-limit", "show", "outside").out
    worker.kill()
    worker.communicate()
    assert list(shown["held"].values()) == [[worker.pid]]
    assert 9 <= shown["tokens"] < 9.5
    assert re.match(rf"outside:  1 of 2 slots held \(slot\.\d={worker.pid}\)  9\.\d tokens, 250/1h\n", text)
    assert status(limited).held == {}, "free as soon as it is dead"


def test_a_source_that_a_person_parks_rests_until_it_is_resumed(limited: House) -> None:
    inject(limited, {"id": "a"}, {"id": "b"})
    assert limited.run("rivus-limit", "park", "outside", "--why", "they asked us").out == ""
    [shown] = limited.run("rivus-limit", "show", "outside", "--json").lines
    assert shown["parked"] == {"until": None, "why": "they asked us", "by": "person"}
    assert "PARKED until resumed by person: they asked us" in limited.run("rivus-limit").out
    assert [line["stage"] for line in limited.run("rivus-run").lines] == ["score", "score"], "the rest goes on"
    assert limited.box("demo", "fetch", "later") == ["a.json", "b.json"]
    done = limited.run("rivus-limit", "resume", "outside", "-v")
    assert done.err == "outside: 2 items are ready again\n"
    assert limited.box("demo", "fetch", "ready") == ["a.json", "b.json"]
    assert "attempts" not in limited.ticket("demo", "fetch", "ready", "a.json")
    assert status(limited).parked is None


def test_a_source_can_be_parked_for_a_time_and_the_longest_rest_counts(limited: House) -> None:
    for duration, ends in (("2h", 7200), ("30min", 7200), ("3h", 10800)):
        limited.run("rivus-limit", "park", "outside", "--for", duration)
        rest = status(limited).parked
        assert rest and rest.end - time.time() == pytest.approx(ends, abs=30)


def test_no_time_at_all_is_not_for_ever(limited: House) -> None:
    process = limited.start("rivus-limit", "park", "outside", "--for", "0s")
    process.communicate(timeout=30)
    assert process.returncode == 2 or status(limited).parked is None


def test_to_resume_a_job_hints_at_what_lets_it_go_on(limited: House) -> None:
    limited.run("rivus-limit", "pause", "demo")
    assert limited.run("rivus-limit", "resume", "demo", code=65).err == (
        "rivus-limit: demo is a job, not a limit; to let it go on: rivus-limit unpause demo\n"
    )
    assert "there is no limit 'demmo'" in limited.run("rivus-limit", "resume", "demmo", code=78).err


def test_whatever_waited_for_a_source_is_ready_when_it_is_resumed(limited: House) -> None:
    limited.job("demo", "stages: {fetch: {handler: slow.fetch, limit: outside, concurrency: 2}}", slow=SLOW)
    inject(limited, {"id": "a", "n": 0}, {"id": "b", "n": 60})
    limited.run("rivus-stage", "fetch")
    assert limited.box("demo", "fetch", "later") == ["a.json", "b.json"]
    limited.run("rivus-limit", "resume", "outside")
    assert limited.box("demo", "fetch", "ready") == ["a.json", "b.json"]


def test_a_paused_job_runs_nothing_until_it_is_unpaused(limited: House) -> None:
    inject(limited, {"id": "a"})
    limited.run("rivus-limit", "pause", "demo", "--why", "holidays")
    limited.run("rivus-limit", "pause", "demo", "--why", "a second reason")
    assert json.loads((limited.root / "spool/demo/paused.json").read_text())["why"] == "holidays"
    assert limited.run("rivus-run").out == ""
    assert limited.box("demo", "fetch", "later") == limited.box("demo", "score", "later") == ["a.json"]
    limited.run("rivus-sweep")
    assert limited.box("demo", "fetch", "later") == ["a.json"]
    assert limited.run("rivus-limit", "unpause", "demo", "-v").err == "demo: 2 items are ready again\n"
    assert len(limited.run("rivus-run").lines) == 2


def test_a_job_that_has_no_folder_yet_or_no_file_any_more_can_be_paused(limited: House) -> None:
    limited.run("rivus-limit", "pause", "demo")
    (limited.root / "jobs.d/demo.yaml").unlink()
    limited.run("rivus-limit", "unpause", "demo")
    limited.run("rivus-limit", "pause", "demo")
    assert (limited.root / "spool/demo/paused.json").exists()


def test_a_limit_that_cannot_be_read_is_said_and_can_be_made_anew(limited: House) -> None:
    inject(limited, {"id": "a"})
    limited.run("rivus-stage", "fetch")
    for file in ("bucket.json", "parked.json"):
        (limited.root / "spool/_limits/outside" / file).write_text("{")
        [broken] = status(limited).broken
        assert file in broken and "rivus-limit reset outside" in broken
        assert "BROKEN: " in limited.run("rivus-limit").out
        limited.run("rivus-limit", "reset", "outside")
        assert status(limited).broken == ()
    assert (status(limited).tokens or 0) < 0.1, "an empty bucket, never a full one"


def test_a_test_shares_the_limits_and_has_pauses_of_its_own(limited: House) -> None:
    limited.run("rivus-limit", "park", "outside", "--test")
    limited.run("rivus-limit", "pause", "demo", "--test")
    assert status(limited).parked
    assert (limited.root / "spool/_test/demo/paused.json").exists()
    assert not (limited.root / "spool/demo").exists()


def test_a_broken_job_does_not_hide_the_limits(limited: House) -> None:
    limited.job("broken", "stages: 5")
    done = limited.run("rivus-limit", code=78)
    assert done.out.startswith("outside:") and "broken.yaml:1:" in done.err
    limited.run("rivus-limit", "park", "outside")


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["show", "none"], 78, "rivus-limit: there is no limit 'none' (defined: outside, spare)\n"),
        (["park", "../x"], 78, "rivus-limit: there is no limit '../x' (defined: outside, spare)\n"),
        (["pause", "../demo"], 65, "rivus-limit: ../demo: no such job\n"),
        (["park"], 2, "park what?"),
        (["park", "outside", "--for", "soon"], 2, "'soon' is not a duration"),
        (["stop", "outside"], 2, "'stop' is not one of"),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(limited: House, argv: list[str], code: int, said: str) -> None:
    done = limited.run("rivus-limit", *argv, code=code)
    assert done.out == "" and said in done.err and "Traceback" not in done.err
    assert tree(limited.root / "spool", "_") == {} and list((limited.root / "spool/_limits").glob("*")) == []
