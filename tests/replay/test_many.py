"""Many replays: which items, how they end, what their sum says."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from rivus.errors import BadInput
from rivus.replay.again import Replayed
from rivus.replay.many import done
from rivus.replay.show import Summary, difference, line_of
from tests.replay.house import JOB, Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, JOB.replace("timeout: 20s", "timeout: 20s, concurrency: 3"))


def items(count: int) -> list[dict[str, str]]:
    return [{"id": f"k{number}", "title": f"t{number}"} for number in range(count)]


def test_a_sample_is_spread_over_the_keys_and_always_the_same(home: Home) -> None:
    home.work(*items(9))
    assert done(home.spool, "demo", "fetch", 3) == ["k0.json", "k3.json", "k6.json"]
    assert done(home.spool, "demo", "fetch", 50) == [f"k{number}.json" for number in range(9)]


def test_where_nothing_is_done_there_is_no_sample(home: Home) -> None:
    home.work()
    with pytest.raises(BadInput, match="nothing"):
        home.replay("fetch")


def test_each_item_of_a_sample_ends_once(home: Home) -> None:
    home.work(*items(7))
    replays = home.replay("extract")
    assert sorted(one.key for one in replays) == [f"k{number}" for number in range(7)]
    assert replays.left == 0


def test_a_handler_that_hangs_counts_as_timed_out_and_nothing_more_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rivus.replay.many.GRACE", 0.1)
    home = Home(tmp_path, JOB.replace("timeout: 20s", "timeout: 100ms, concurrency: 1"))
    home.work(*items(3))
    home.mode("hang")
    began, replays = time.monotonic(), home.replay("fetch")
    (only,) = replays
    assert time.monotonic() - began < 10
    assert (only.key, only.outcome, replays.left) == ("k0", "failed", 2)
    assert "could not be ended" in only.reason


def test_who_stops_it_waits_for_nothing(home: Home) -> None:
    home.work(*items(2))
    home.mode("hang")
    replays, state = home.replay("fetch"), Path(home.scratch, ".state/calls")

    def stop_once_it_runs() -> None:
        deadline = time.monotonic() + 20
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        replays.stop()

    threading.Thread(target=stop_once_it_runs).start()
    assert list(replays) == [] and replays.left == 2


def test_a_source_that_wants_to_rest_is_not_asked_again(tmp_path: Path) -> None:
    home = Home(tmp_path, JOB.replace("timeout: 20s", "timeout: 20s, concurrency: 1"))
    home.work(*items(3))
    home.mode("blocked")
    replays = home.replay("fetch")
    assert [one.reason for one in replays] == ["go away"] and replays.left == 2


def test_the_sum_groups_failures_and_fields_and_names_the_most_different(home: Home) -> None:
    home.work(*items(6))
    home.mode("odd")
    summary = Summary()
    for one in home.replay("extract"):
        summary.add(one)
    lines = list(summary.lines("demo", "extract", 0))
    assert lines[0] == "demo:extract  4 same, 0 different, 2 failed"
    assert lines[1].startswith("  failed 2: an odd one [") and lines[1].endswith("such as demo/k1")
    assert not summary.all_same


def test_fields_in_lists_are_counted_together_with_their_lengths() -> None:
    summary = Summary()
    for key, text in {"a": "one", "b": "one two three", "c": "one two"}.items():
        after = {"output": {"parts": [{"text": text}, {"text": "x"}], "n": 2}}
        summary.add(replayed(key, {"output": {"parts": [{"text": "one"}, {"text": "y"}], "n": 2}}, after))
    lines = list(summary.lines("demo", "x", 0))
    assert lines[:2] == [
        "demo:x  0 same, 3 different, 0 failed",
        "  output.parts.*.text  3 changed, length +0 to +10, median +0",
    ]
    assert [line.split()[2] for line in lines[2:]] == ["demo/b", "demo/c", "demo/a"]


def test_children_are_counted_together_whatever_their_keys() -> None:
    summary = Summary()
    for key in ("a", "b"):
        before, after = ({f"{key}.{n}/1": {"n": add + n} for n in range(3)} for add in (0, 1))
        summary.add(replayed(key, {"emitted": {"pages": before}}, {"emitted": {"pages": after}}))
    assert list(summary.lines("demo", "x", 0))[1:-2] == ["  emitted.pages.*  2 changed"]


def replayed(key: str, before: dict[str, object], after: dict[str, object]) -> Replayed:
    return Replayed(key, "done", before, after, 0.25)


def test_a_difference_reads_as_of_diff() -> None:
    before = {"output": {f"f{number:02}": number for number in range(30)}}
    after = {"output": {**before["output"], "f20": "x\x1b[31m"}}
    lines = list(difference("demo", "x", replayed("a", before, after)))
    assert lines[:3] == ["--- demo/a x on record", "+++ demo/a x now", "@@ -20,7 +20,7 @@"]
    assert [line for line in lines[3:] if line[0] != " "] == ['-    "f20": 20,', '+    "f20": "x\\u001b[31m",']
    assert len(lines) == 11
    assert list(difference("demo", "x", replayed("a", before, before))) == []


def test_a_difference_at_the_ends_is_whole() -> None:
    lines = list(difference("demo", "x", replayed("a", {"output": {"n": [1]}}, {"output": {"n": [1, 2, 2]}})))
    text = "  {,   'output': {,     'n': [,-      1,+      1,,+      2,,+      2,     ],   }, }"
    assert ",".join(lines[3:]).replace('"', "'") == text.removeprefix(" ")


def test_huge_texts_that_differ_everywhere_take_no_time() -> None:
    before = {"output": {"n": list(range(20_000))}}
    after = {"output": {"n": [str(number) for number in range(20_000)]}}
    assert len(list(difference("demo", "x", replayed("a", before, after)))) > 40_000


def test_a_line_says_what_is_needed_to_go_on() -> None:
    one = replayed("a", {"output": {"n": 1}}, {"output": {"n": 2}})
    assert line_of("demo", "x", one) == {
        "job": "demo", "key": "a", "stage": "x", "same": False, "outcome": "done", "reason": None,
        "changed": ["output.n"], "duration_ms": 250,
    }  # fmt: skip
