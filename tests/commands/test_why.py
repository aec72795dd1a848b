"""rivus-why: as people and programs read it; it changes nothing and takes no time to speak of."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.commands.test_ls import on_a_terminal
from tests.commands.trees import tree
from tests.conftest import House
from tests.tell.asking_why import inject

LIMITED = CHAIN.replace("retry: [1h]", "retry: [1h], limit: outside")


@pytest.fixture
def chain(house: House) -> House:
    house.job("limits", "outside: {slots: 4, rate: 1000/s, burst: 1000}")
    house.job("demo", LIMITED, steps=STEPS)
    return house


@pytest.fixture
def late(chain: House) -> House:
    """One item that waits in fetch for its time."""
    inject(chain, {"id": "abc", "do": "later"})
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    return chain


def plain_times(text: str) -> str:
    return re.sub(r"20\d\d-[\d:T.-]+Z \(in [\w ]+\)", "TIME", text)


def test_it_prints_the_chain_down_to_the_root_cause_and_the_command_that_overrides_it(late: House) -> None:
    text = plain_times(late.run("rivus-why", "demo/abc", "--stage", "extract").out)
    assert re.sub(r" \[\w+\]", " [CLASS]", text).replace(" [CLASS]", "") == (
        "demo/abc\n"
        "  extract  waits for fetch\n"
        "    fetch  not before TIME: not yet\n"
        "           now: rivus-move retry --stage fetch demo/abc\n"
    )


def test_as_json_it_is_one_object_an_item(late: House) -> None:
    [line] = late.run("rivus-why", "demo/abc", "--json").lines
    assert list(line) == ["job", "key", "reasons"]
    [score] = line["reasons"]
    root = score["causes"][0]["causes"][0]
    assert (score["stage"], score["kind"], root["kind"]) == ("score", "needs", "later")
    assert {"stage", "kind", "what", "why", "until", "override"} <= root.keys()


def test_items_come_as_other_commands_print_them(late: House) -> None:
    listed = late.run("rivus-ls", "demo:fetch/later", "--json").out
    assert late.run("rivus-why", stdin=listed).out.startswith("demo/abc\n  score  waits for extract\n")
    assert late.run("rivus-why", stdin="").out == ""
    done = late.run("rivus-why", "--json", stdin="nonsense\n" + listed, code=65)
    assert [line["key"] for line in done.lines] == ["abc"] and "stdin: line 1" in done.err


def test_what_was_told_overrides_when_it_is_typed(late: House) -> None:
    [line] = late.shell("rivus-ls --json demo:fetch/later").stdout.splitlines()
    text = late.run("rivus-why", stdin=line).out
    late.run(*text.rpartition("now: ")[2].split())
    assert late.box("demo", "fetch", "ready") == ["abc.json"]


def test_the_override_works_on_the_same_folders(chain: House) -> None:
    chain.run("rivus-inject", "demo", "--test", stdin='{"id": "t", "do": "fail"}')
    chain.run("rivus-stage", "fetch", "--test", "--linger", "0s")
    folders = ["--spool", f"{chain.root}/spool", "--jobs", f"{chain.root}/jobs.d"]
    text = chain.run("rivus-why", "demo/t", "--test", *folders).out
    override = text.rpartition("now: ")[2].strip()
    assert override == (
        f"rivus-move --jobs {chain.root}/jobs.d --spool {chain.root}/spool --test retry --stage fetch demo/t"
    )
    chain.run(*override.split())
    assert (chain.root / "spool/_test/demo/fetch/ready/t.json").exists()


def test_all_is_counted_by_reason_the_commonest_first(late: House) -> None:
    inject(late, *({"id": f"n{number}"} for number in range(5)))
    late.run("rivus-limit", "park", "outside", "--why", "they asked us to")
    late.run("rivus-stage", "fetch", "--linger", "0s")
    late.run("rivus-limit", "pause", "demo", "--why", "holidays")
    rows = late.run("rivus-why", "--all").out.splitlines()
    assert re.match(r"     6  demo  the job demo is paused: holidays \(by person, since 20", rows[0])
    assert rows[1:] == ["        now: rivus-limit unpause demo", "        demo/abc demo/n0 demo/n1"]
    late.run("rivus-limit", "unpause", "demo")
    [parked] = late.run("rivus-why", "--all", "--json").lines
    assert (parked["count"], parked["kind"], parked["override"]) == (6, "parked", "rivus-limit resume outside")
    late.run("rivus-limit", "resume", "outside")
    told = [(line["count"], line["kind"]) for line in late.run("rivus-why", "--all", "--json").lines]
    assert told == [(5, "ready"), (1, "later")]
    late.run("rivus-move", "drop", "demo/abc", *(f"demo/n{number}" for number in range(5)))
    assert late.run("rivus-why", "--all").out == ""


def test_two_thousand_items_take_less_than_three_seconds(chain: House) -> None:
    chain.job("demo", LIMITED.replace("retry:", "breaker: 0, retry:"))
    kinds = ["fail", "later", "skip"]
    inject(chain, *({"id": f"k/{number}", "do": kinds[number % 3]} for number in range(1500)))
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    inject(chain, *({"id": f"r{number}"} for number in range(500)))
    for number in range(0, 500, 100):
        chain.run("rivus-move", "hold", f"demo/r{number}", "--stage", "fetch", "--why", "mine")
    start = time.monotonic()
    lines = chain.run("rivus-why", "--all", "--json").lines
    took = time.monotonic() - start
    counts: dict[str, int] = {}
    for line in lines:
        counts[line["kind"]] = counts.get(line["kind"], 0) + line["count"]
    assert counts == {"failed": 500, "later": 500, "ready": 995, "held": 5}
    assert len(lines) <= 6, "few reasons, however many items"
    assert took < 3


def test_a_broken_job_is_told_and_the_exit_code_says_so(late: House) -> None:
    late.job("demo", "stages: 5")
    done = late.run("rivus-why", "demo/abc", code=78)
    assert "  the job demo has no sound file: jobs.d/demo.yaml:1:" in done.out and "  now: rivus-check\n" in done.out
    assert "Traceback" not in done.err


def test_what_is_no_item_does_not_keep_the_others(late: House) -> None:
    done = late.run("rivus-why", "demo/none", "demo/abc", "dema/abc", code=65)
    assert done.out.startswith("demo/none\n  no such item here\ndemo/abc\n  score")
    assert done.out.endswith("dema/abc\n  no such item here: there is no job dema, did you mean 'demo'?\n")


def test_looking_changes_nothing(late: House) -> None:
    inject(late, {"id": "b"})
    before = tree(late.root)
    late.run("rivus-why", "demo/abc", "demo/b")
    late.run("rivus-why", "--all")
    assert tree(late.root) == before


def test_nothing_that_a_source_or_a_person_wrote_reaches_into_the_terminal(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.run("rivus-limit", "pause", "demo", "--why", "\x1b]0;title\x07\nline")
    (chain.root / "spool/demo/fetch/ready/n\x1b[2J.json").write_text("{}")
    shown = on_a_terminal(chain, "rivus-why", "demo/a") + on_a_terminal(chain, "rivus-why", "--all")
    assert b"is paused" in shown
    assert b"\x1b" not in shown and b"\x07" not in shown and b"\r\nline" not in shown


def test_whatever_object_stands_in_a_ticket_is_told_all_the_same(chain: House) -> None:
    inject(chain, {"id": "a"})
    odd = [{"error": "boom"}, {"attempts": 5}, {"attempts": ["x"]}, {"attempts": [{"ended": 5}]}, {"receipt": 1}, {}]
    for box in ("later", "failed", "held", "done"):
        for number, document in enumerate(odd):
            path = chain.root / f"spool/demo/fetch/{box}/{box}{number}.json"
            path.write_text(json.dumps(document))
            os.utime(path, (4e9, 4e9))
    done = chain.run("rivus-why", "--all")
    assert "Traceback" not in done.err
    names = [f"demo/{box}{number}" for box in ("later", "failed", "held", "done") for number in range(len(odd))]
    assert chain.run("rivus-why", *names).out.count("demo/") >= len(names)


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], 2, "name items as JOB/KEY, or give JSON Lines on standard input, or --all"),
        (["--all", "demo/abc"], 2, "name items as JOB/KEY, or give JSON Lines on standard input, or --all"),
        (["demo"], 65, "rivus-why: demo: is not JOB/KEY\n"),
        (["demo/../x"], 65, "rivus-why: demo/../x: the key has . or .. as a part of a path\n"),
    ],
)
def test_what_makes_no_sense_is_said(late: House, argv: list[str], code: int, said: str) -> None:
    done = late.run("rivus-why", *argv, code=code)
    assert done.out == "" and said in done.err and "Traceback" not in done.err
