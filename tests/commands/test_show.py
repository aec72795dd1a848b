"""rivus-show: one item whole."""

from __future__ import annotations

import re

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.commands.test_ls import on_a_terminal
from tests.commands.trees import inject, tree
from tests.conftest import House

FILES = """
def fetch(item, ctx):
    (ctx.workdir / "page.html").write_text("<p>")
    ctx.cost(usd=0.25, tokens=7)
    return {"file": ctx.name(ctx.workdir / "page.html"), "long": "x" * 1000}
"""


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def test_it_shows_data_stages_and_history(chain: House) -> None:
    inject(chain, {"id": "a/b", "title": "t", "n": 5})
    chain.run("rivus-stage", "fetch")
    text = re.sub(r"20\d\d-[\d:T.-]+Z", "TIME", chain.run("rivus-show", "demo/a/b").out)
    rows = text.splitlines()
    assert rows[:6] == [
        "demo/a/b", "  data.id: a/b", "  data.title: t", "  data.n: 5",
        "  meta.discovered: TIME", "  meta.strategy: drop",
    ]  # fmt: skip
    assert f"  fetch: done  ({chain.root}/spool/demo/fetch/done/a%2Fb.json)" in rows
    assert "    output.raw: hello t" in rows and "    receipt.attempt: 1" in rows
    assert f"  extract: ready  ({chain.root}/spool/demo/extract/ready/a%2Fb.json)" in rows
    history = [row.split()[1:3] for row in rows if row.startswith("  TIME")]
    assert history == [["discover", "publish"], ["fetch", "claim"], ["extract", "release"], ["fetch", "finish"]]


def test_as_json_it_has_exactly_these_fields(chain: House) -> None:
    inject(chain, {"id": "a", "do": "fail"}, {"id": "b", "do": "later"})
    chain.run("rivus-stage", "fetch", "--linger", "0s")
    failed, later = chain.run("rivus-show", "demo/a", "demo/b", "--json").lines
    assert list(failed) == ["job", "key", "data", "meta", "stages", "files", "history"]
    assert failed["stages"]["fetch"].keys() == {"state", "path", "error", "attempts"}
    assert failed["stages"]["fetch"]["error"]["reason"] == "this one is bad"
    assert failed["stages"]["extract"].keys() == {"state", "path"}
    assert later["stages"]["fetch"].keys() == {"state", "path", "due", "attempts"}
    assert [entry["move"] for entry in failed["history"]] == ["publish", "claim", "fail"]


def test_files_and_costs_are_shown_and_long_texts_are_cut_but_whole_in_json(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: own.fetch}}", own=FILES)
    inject(house, {"id": "a"})
    house.run("rivus-stage", "fetch")
    text = house.run("rivus-show", "demo/a").out
    assert f"  file: {house.root}/spool/demo/files/a/fetch/page.html\n" in text
    assert f"    output.long: {'x' * 300}… (1000 characters)\n" in text
    assert '    receipt.cost: {"calls": 1, "tokens": 7, "usd": 0.25}\n' in text
    [view] = house.run("rivus-show", "demo/a", "--json").lines
    assert view["stages"]["fetch"]["output"] == {"file": "fetch/page.html", "long": "x" * 1000}
    assert view["stages"]["fetch"]["receipt"]["files"] == [{"file": "fetch/page.html", "bytes": 3}]


def test_an_item_outlives_its_jobs_file(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.job("demo", "stages: 5")
    assert "  fetch: ready  (" in chain.run("rivus-show", "demo/a").out
    (chain.root / "jobs.d/demo.yaml").unlink()
    assert "  fetch: ready  (" in chain.run("rivus-show", "demo/a").out


def test_what_a_source_wrote_does_not_reach_into_the_terminal(chain: House) -> None:
    name, value = "\x1b[31mname", "\x1b]0;title\x07\nline"
    inject(chain, {"id": "a", name: value, "list": [value]})
    shown = on_a_terminal(chain, "rivus-show", "demo/a")
    assert b"data.list" in shown
    assert b"\x1b" not in shown and b"\x07" not in shown and b"\r\nline" not in shown


def test_looking_changes_nothing(chain: House) -> None:
    inject(chain, {"id": "a"})
    chain.run("rivus-stage", "fetch")
    before = tree(chain.root)
    chain.run("rivus-show", "demo/a")
    assert tree(chain.root) == before


def test_a_spoilt_ticket_is_shown_with_what_can_be_read(chain: House) -> None:
    inject(chain, {"id": "a"})
    for stage, text in (("fetch", "{"), ("extract", '{"attempts": 5}'), ("score", '{"id": 5}')):
        box = "ready" if stage == "fetch" else "wait"
        path = chain.root / f"spool/demo/{stage}/{box}/a.json"
        path.unlink()
        path.write_text(text)
    done = chain.run("rivus-show", "demo/a")
    assert "  data.id: a" in done.out and "  extract: wait  (" in done.out and "Traceback" not in done.err


def test_what_is_not_there_is_said(chain: House) -> None:
    inject(chain, {"id": "a"})
    for address, said in (
        ("demo/none", "no such item here"),
        ("none/a", "no such item here"),
        ("../a", "no such item here"),
        ("demo", "is not JOB/KEY"),
        ("demo/", "the key is not a non-empty string"),
        ("demo/../../x", "the key has . or .. as a part of a path"),
    ):
        done = chain.run("rivus-show", address, code=65)
        assert (done.out, done.err) == ("", f"rivus-show: {address}: {said}\n")


def test_a_test_spool_is_another(chain: House) -> None:
    inject(chain, {"id": "u"}, test=True)
    chain.run("rivus-show", "demo/u", code=65)
    assert "spool/_test/demo/fetch/ready/u.json" in chain.run("rivus-show", "demo/u", "--test").out
