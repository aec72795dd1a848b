"""rivus-inject: items by hand or from JSON Lines, durable before they are printed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import tree
from tests.conftest import House

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def lines(*documents: Any) -> str:
    return "\n".join(map(json.dumps, documents))


def keys(out: str) -> list[str]:
    return [json.loads(line)["key"] for line in out.splitlines()]


def test_what_is_new_is_printed_with_exactly_these_fields(chain: House) -> None:
    done = chain.run("rivus-inject", "demo", stdin=lines({"id": "a/b", "title": "ä"}))
    [line] = done.lines
    assert list(line) == ["job", "key", "data", "meta"]
    assert re.fullmatch(TIME, line["meta"].pop("discovered"))
    assert line == {
        "job": "demo", "key": "a/b", "data": {"id": "a/b", "title": "ä"}, "meta": {"strategy": "inject"},
    }  # fmt: skip
    assert (done.err, "ä" in done.out) == ("", True)
    assert chain.box("demo", "fetch", "ready") == chain.box("demo", "score", "wait") == ["a%2Fb.json"]


def test_what_is_known_is_passed_over_in_silence(chain: House) -> None:
    assert keys(chain.run("rivus-inject", "demo", stdin=lines({"id": "a"}, {"id": "b"}, {"id": "a"})).out) == ["a", "b"]
    done = chain.run("rivus-inject", "demo", stdin=lines({"id": "b", "title": "new"}, {"id": "c"}))
    assert (keys(done.out), done.err) == (["c"], "")
    assert chain.ticket("demo", "fetch", "ready", "b.json")["data"] == {"id": "b"}


def test_addresses_are_items_too(chain: House) -> None:
    urls = ["https://e.org/a?b=1", "https://e.org/b"]
    done = chain.run("rivus-inject", "demo", "--url", urls[0], "--url", urls[1], "--url", urls[0])
    assert [(line["key"], line["data"]) for line in done.lines] == [(url, {"url": url}) for url in urls]


def test_what_enters_at_a_later_stage_begins_there(chain: House) -> None:
    done = chain.run("rivus-inject", "demo", "extract", stdin=lines({"id": "a", "raw": "abc"}))
    assert done.lines[0]["meta"]["entered"] == "extract"
    assert chain.ticket("demo", "fetch", "done", "a.json")["receipt"] == {"skipped": "the item entered at extract"}
    assert chain.box("demo", "extract", "ready") == ["a.json"]
    assert [line["state"] for line in chain.run("rivus-run").lines] == ["done", "done"]
    assert chain.ticket("demo", "score", "done", "a.json")["output"] == {"value": 3}
    assert "entered" not in chain.run("rivus-inject", "demo", "fetch", "--url", "u").lines[0]["meta"]


def test_what_another_command_printed_can_be_put_in_again(chain: House) -> None:
    chain.job("copy", CHAIN)
    out = chain.run("rivus-inject", "demo", stdin=lines({"id": "a", "title": "t"})).out
    assert chain.run("rivus-inject", "demo", stdin=out).out == ""
    assert "of job 'demo'" in chain.run("rivus-inject", "copy", stdin=out, code=65).err
    moved = json.dumps({**json.loads(out), "job": "copy"})
    assert chain.run("rivus-inject", "copy", stdin=moved).lines[0]["data"] == {"id": "a", "title": "t"}


def test_a_bad_line_is_named_and_the_others_are_items(chain: House) -> None:
    bad = [
        '{"key": "../x"}',
        '{"id": 1.5}',
        '{"title": "no key"}',
        "[]",
        "nonsense",
        '{"id": "n", "x": NaN}',
        '{"id": "\\ud800"}',
    ]
    done = chain.run("rivus-inject", "demo", stdin="\n".join(['{"id": "a"}', *bad, "", '{"id": 7}']), code=65)
    assert keys(done.out) == ["a", "7"]
    assert done.err.count("\n") == done.err.count("stdin: ") == len(bad)
    assert "line 6" in done.err and "Traceback" not in done.err


def test_more_than_one_batch_is_all_there(chain: House) -> None:
    done = chain.run("rivus-inject", "demo", stdin=lines(*({"id": f"i{number}"} for number in range(300))))
    assert keys(done.out) == [f"i{number}" for number in range(300)]
    assert len(chain.box("demo", "discover", "done")) == len(chain.box("demo", "fetch", "ready")) == 300


def test_a_dry_run_prints_what_would_be_new_and_changes_nothing(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin=lines({"id": "a"}))
    before = tree(chain.root)
    done = chain.run("rivus-inject", "demo", "--dry-run", stdin=lines({"id": "a"}, {"id": "b"}))
    assert keys(done.out) == ["b"]
    assert tree(chain.root) == before


def test_a_dry_run_prints_what_comes_twice_once_as_the_real_one_does(chain: House) -> None:
    twice = lines({"id": "b"}, {"id": "b"})
    assert keys(chain.run("rivus-inject", "demo", "--dry-run", stdin=twice).out) == ["b"]
    assert keys(chain.run("rivus-inject", "demo", stdin=twice).out) == ["b"]


def test_a_dry_run_in_an_empty_spool_makes_no_folder_of_the_job(chain: House) -> None:
    assert keys(chain.run("rivus-inject", "demo", "--dry-run", "--url", "u").out) == ["u"]
    assert tree(chain.root / "spool", "_") == {}


def test_a_test_puts_it_beside_production(chain: House) -> None:
    chain.run("rivus-inject", "demo", "--test", "--url", "u")
    assert tree(chain.root / "spool", "_") == {}
    assert (chain.root / "spool/_test/demo/fetch/ready/u.json").exists()
    assert keys(chain.run("rivus-inject", "demo", "--url", "u").out) == ["u"]


@pytest.mark.parametrize(
    ("argv", "stdin", "code", "said"),
    [
        (["demo"], None, 2, "nothing to add"),
        ([], None, 2, "Missing argument 'JOB'"),
        (["none", "--url", "u"], None, 78, "rivus-inject: no job 'none' in jobs.d\n"),
        (["../x", "--url", "u"], None, 78, "rivus-inject: no job '../x' in jobs.d"),
        (["demo", "nowhere", "--url", "u"], None, 78, "rivus-inject: demo has no stage 'nowhere'\n"),
        (["demo", "--url", ""], None, 65, "rivus-inject: the key is not a non-empty string\n"),
        (["demo", "--url", "a\nb"], None, 65, "rivus-inject: the key holds control characters\n"),
        (["demo"], "", 0, ""),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(
    chain: House, argv: list[str], stdin: str | None, code: int, said: str
) -> None:
    done = chain.run("rivus-inject", *argv, stdin=stdin, code=code)
    assert done.out == "" and said in done.err and "Traceback" not in done.err
    assert not list((chain.root / "spool").glob("*/*/ready/*"))


def test_the_folders_can_be_named_by_options_and_by_the_environment(chain: House, tmp_path: Path) -> None:
    away = tmp_path / "away"
    (away / "jobs.d").mkdir(parents=True)
    (away / "spool").mkdir()
    folders = {"RIVUS_JOBS": str(chain.root / "jobs.d"), "RIVUS_SPOOL": str(chain.root / "spool")}
    House(away).run("rivus-inject", "demo", "--url", "a", env=folders)
    options = ["--jobs", folders["RIVUS_JOBS"], "--spool", str(away / "spool")]
    House(away).run("rivus-inject", "demo", "--url", "b", *options, env=folders)
    assert chain.box("demo", "fetch", "ready") == ["a.json"]
    assert (away / "spool/demo/fetch/ready/b.json").exists()
