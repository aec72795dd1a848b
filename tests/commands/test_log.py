"""rivus-log: as people and programs read it, without and with the system's journal."""

from __future__ import annotations

import json
import re

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import inject
from tests.conftest import ROOT, House
from tests.systemd_box import Box

ODD = 'odd/ä b=c"\\x'
LOUD = STEPS.replace("what = item", 'ctx.log.warning("look\\nRIVUS_KEY=forged"); what = item')
UNIT = ["systemd-run", "--wait", "--collect", "--quiet", "-p", "StandardError=journal", "-p", "StandardOutput=null"]


@pytest.fixture
def failed(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    inject(house, {"id": "a"}, {"id": ODD, "do": "fail"})
    house.run("rivus-stage", "fetch", "--linger", "0s")
    return house


def plain(text: str) -> str:
    text = re.sub(r"20\d\d-[\d:T.-]+Z", "TIME", text)
    return re.sub(r"\d+\.\d s", "SECONDS", re.sub(r"\(20\d+T[\w-]+\)", "(RUN)", text))


def test_it_prints_one_line_for_each_thing_that_happened(failed: House) -> None:
    assert plain(failed.run("rivus-log", f"demo/{ODD}", "--no-journald").out) == (
        f"demo/{ODD}\n"
        "  TIME  discover   found and published\n"
        "  TIME  fetch      begun  (RUN)\n"
        "  TIME  fetch      failed: this one is bad [bad_input]  (SECONDS)\n"
    )


def test_as_json_it_is_one_object_a_line(failed: House) -> None:
    rows = failed.run("rivus-log", "demo/a", "--no-journald", "--json").lines
    assert [(row["job"], row["key"], row["source"], row["stage"], row["what"]) for row in rows] == [
        ("demo", "a", "spool", "discover", "found and published"),
        ("demo", "a", "spool", "fetch", "begun"),
        ("demo", "a", "spool", "extract", "has what it needs; ready"),
        ("demo", "a", "spool", "fetch", "done"),
    ]


def test_items_come_as_other_commands_print_them(failed: House) -> None:
    listed = failed.run("rivus-ls", "--json", "demo:fetch/failed").out
    assert failed.run("rivus-log", "--no-journald", stdin=listed).out.startswith(f"demo/{ODD}\n")


def test_an_unknown_item_is_said_and_the_others_are_told(failed: House) -> None:
    for unknown in ("demo/nobody", "nowhere/a"):
        done = failed.run("rivus-log", unknown, "demo/a", "--no-journald", code=65)
        assert done.err == f"{unknown}: no such item here\n" and done.out.startswith("demo/a\n")


@pytest.mark.parametrize("address", ["demo", "demo/", "demo/../x"])
def test_what_is_no_item_is_refused(failed: House, address: str) -> None:
    assert failed.run("rivus-log", address, code=65).out == ""


def test_without_an_item_it_tells_how_it_is_used(failed: House) -> None:
    assert "name items as JOB/KEY" in failed.run("rivus-log", code=2).err


def test_a_reason_cannot_move_the_cursor(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS.replace("this one is bad", "\\x1b[2Jgone"))
    inject(house, {"id": "x", "do": "fail"})
    house.run("rivus-stage", "fetch", "--linger", "0s")
    assert "\x1b" not in house.run("rivus-log", "demo/x", "--no-journald").out


def test_under_systemd_it_tells_what_was_said_too_and_nothing_that_was_forged(box: Box) -> None:
    for name, text in {"jobs.d/demo.yaml": CHAIN, "jobs.d/steps.py": LOUD, "spool/keep": ""}.items():
        box.write(f"/srv/watch/{name}", text)
    env = {"RIVUS_JOBS": "/srv/watch/jobs.d", "RIVUS_SPOOL": "/srv/watch/spool", "PYTHONDONTWRITEBYTECODE": "1"}
    items = [{"id": ODD, "do": "fail"}, {"id": "a", "do": "later"}]
    box.run(f"{ROOT}/bin/rivus-inject", "demo", input="".join(f"{json.dumps(one)}\n" for one in items), env=env)
    given = [f"--setenv={name}={value}" for name, value in env.items()]
    box.run(*UNIT, *given, "--unit=fetch", f"{ROOT}/bin/rivus-stage", "demo:fetch", "--no-stdin", "--linger", "0s")
    forged = f"MESSAGE=forged\nRIVUS_JOB=demo\nRIVUS_KEY={ODD}\nRIVUS_STAGE=fetch\n"
    box.run("setpriv", "--reuid=65534", "--clear-groups", "logger", "--journald", input=forged)
    assert "forged" in box.journal("RIVUS_JOB=demo")

    out = box.run(f"{ROOT}/bin/rivus-log", f"demo/{ODD}", "demo/a", "--json", env=env).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    said = [row for row in rows if row["source"] == "journal"]
    assert [(row["key"], row["priority"], row.get("class")) for row in said] == [
        (ODD, "4", None), (ODD, "3", "bad_input"), ("a", "4", None), ("a", "6", "transient_network"),
    ]  # fmt: skip
    assert said[0]["what"].endswith("look RIVUS_KEY=forged") and "\n" not in said[0]["what"]
    assert {(row["command"], row["unit"], row["stage"]) for row in said} == {("rivus-stage", "fetch.service", "fetch")}
    assert {row["owner"] for row in said} == {row["owner"] for row in rows if row.get("move") == "claim"}
    times = [row["t"] for row in rows if row["key"] == ODD]
    assert times == sorted(times)
    text = box.run(f"{ROOT}/bin/rivus-log", "demo/a", env=env).stdout
    assert re.search(r"fetch +rivus-stage\[\d+\]: demo:fetch a: not yet \[transient_network\]", text)
    quiet = box.run(f"{ROOT}/bin/rivus-log", "demo/a", "--no-journald", env=env).stdout
    assert "rivus-stage[" not in quiet and "begun" in quiet
