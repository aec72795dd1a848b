"""Reasons as lines, as JSON, and counted."""

from __future__ import annotations

import pytest

from rivus.model.reason import Kind, Reason, Tally, lines_of, with_options

LATER = Reason(
    "fetch", Kind.LATER, "not before", why="HTTP 503 [transient_network]", until=3600.0, override="rivus-move x"
)
EXTRACT = Reason("extract", Kind.NEEDS, "waits for fetch", causes=(LATER,))
CHAIN = Reason("score", Kind.NEEDS, "waits for extract", causes=(EXTRACT,))


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (LATER, "not before 1970-01-01T01:00:00.000Z (in 54min): HTTP 503 [transient_network]"),
        (Reason("s", Kind.RUNNING, "running", "by pid 5", until=361.0),
         "running, by pid 5, at most until 1970-01-01T00:06:01.000Z (in 1s)"),
        (Reason("s", Kind.NO_TOKEN, "no token of x (2/h)", until=100.0),
         "no token of x (2/h) before 1970-01-01T00:01:40.000Z (now)"),
        (Reason("s", Kind.PARKED, "parked", why="429", until=420.0),
         "parked until 1970-01-01T00:07:00.000Z (in 1min): 429"),
        (Reason("s", Kind.PARKED, "parked", why="429"), "parked until a person resumes it: 429"),
        (Reason("s", Kind.READY, "ready", "next in line"), "ready, next in line"),
    ],
)  # fmt: skip
def test_a_line_tells_what_until_when_and_why(reason: Reason, line: str) -> None:
    assert reason.line(360.0) == line


def test_causes_stand_below_what_they_cause() -> None:
    paused = Reason("", Kind.PAUSED, "the job is paused", override="rivus-limit unpause demo")
    assert list(lines_of([paused, CHAIN], 360.0, "--test")) == [
        "  the job is paused",
        "  now: rivus-limit --test unpause demo",
        "  score  waits for extract",
        "    extract  waits for fetch",
        "      fetch  not before 1970-01-01T01:00:00.000Z (in 54min): HTTP 503 [transient_network]",
        "             now: rivus-move --test x",
    ]


def test_as_json_it_has_only_what_there_is() -> None:
    assert CHAIN.to_json("--test") == {
        "stage": "score", "kind": "needs", "what": "waits for extract", "causes": [
            {"stage": "extract", "kind": "needs", "what": "waits for fetch", "causes": [
                {"stage": "fetch", "kind": "later", "what": "not before", "why": "HTTP 503 [transient_network]",
                 "until": "1970-01-01T01:00:00.000Z", "override": "rivus-move --test x"},
            ]},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("override", "shown"),
    [
        ("rivus-sweep", "rivus-sweep --test"),
        ("rivus-move a b", "rivus-move --test a b"),
        ("mv a b", "mv a b"),
        ("", ""),
    ],
)
def test_options_go_to_commands_of_ours_alone(override: str, shown: str) -> None:
    assert with_options(override, "--test") == shown
    assert with_options(override, "") == override


def failed(key: str, why: str, group: str = "") -> Reason:
    return Reason("fetch", Kind.FAILED, "failed", key, why, override=f"rivus-move retry demo/{key}", group=group)


def test_items_with_one_fingerprint_are_one_group_whatever_their_texts_say() -> None:
    tally = Tally()
    for key in "abcde":
        tally.add("demo", key, [failed(key, f"404 of {key}", "ff00")])
    [group] = tally.groups()
    assert group.to_json() == {
        "count": 5, "job": "demo", "stage": "fetch", "kind": "failed", "what": "failed", "why": "404 of a",
        "group": "ff00", "override": "rivus-doctor retry ff00", "items": ["demo/a", "demo/b", "demo/c"],
    }  # fmt: skip


def test_without_a_fingerprint_the_texts_tell_them_apart() -> None:
    tally = Tally()
    for key, why in (("a", "x"), ("b", "y"), ("c", "y")):
        tally.add("demo", key, [failed(key, why)])
    two, one = tally.groups()
    assert (two.count, two.override) == (2, "rivus-move retry demo/b …")
    assert (one.count, one.override) == (1, "rivus-move retry demo/a")


def test_a_group_ends_when_its_first_item_may_go_on() -> None:
    tally = Tally()
    for key, until in (("a", 9.0), ("b", 5.0), ("c", 7.0)):
        tally.add("demo", key, [Reason("fetch", Kind.LATER, "not before", until=until, override=f"rivus-x {key}")])
    assert tally.groups()[0].line(0.0) == "not before 1970-01-01T00:00:05.000Z (in 5s)"


def test_a_whole_job_that_rests_stands_for_all_that_would_go_on_by_itself() -> None:
    tally = Tally()
    paused = Reason("", Kind.PAUSED, "the job is paused")
    tally.add("demo", "a", [paused, CHAIN])
    tally.add("demo", "b", [paused, failed("b", "x"), Reason("left", Kind.READY, "ready")])
    tally.add("demo", "c", [Reason("", Kind.DONE, "done")])
    assert [(group.count, group.first.kind) for group in tally.groups()] == [(2, "paused"), (1, "failed")]
