"""What is looked up once for many items."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rivus.model.times import utc
from rivus.tell.evidence import explains, processes
from tests.commands.samples import CHAIN, STEPS
from tests.conftest import House
from tests.tell.asking_why import evidence, inject


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def test_a_look_tells_the_same_for_its_whole_life(chain: House) -> None:
    inject(chain, {"id": "a"})
    look = evidence(chain)
    assert look.paused("demo") is None
    chain.run("rivus-limit", "pause", "demo")
    assert look.paused("demo") is None and evidence(chain).paused("demo") is not None


def test_an_owner_whose_lock_is_free_is_dead(chain: House) -> None:
    inject(chain, {"id": "a"})
    assert evidence(chain).worker("20260101T000000-1-abcdef01") is None


def test_why_something_was_held_is_read_from_the_newest_day_that_tells(chain: House) -> None:
    inject(chain, {"id": "a"}, {"id": "b"})
    for why in ("old", "new"):
        chain.run("rivus-move", "hold", "demo/a", "--stage", "fetch", "--why", why)
        chain.run("rivus-move", "release", "demo/a")
    journal = chain.root / "spool/_journal"
    [today] = journal.iterdir()
    (journal / "2020-01-01.jsonl").write_text(
        'not JSON "move":"hold"\n["move":"hold"]\n'
        '{"move":"hold","job":"demo","stage":"fetch","key":"b","why":"long ago"}\n'
        '{"move":"hold","job":"demo","stage":"fetch","key":"a","why":"older still"}\n'
    )
    look = evidence(chain)
    assert look.held_why("demo", "fetch", "a.json")["why"] == "new"
    assert look.held_why("demo", "fetch", "b.json")["why"] == "long ago"
    assert look.held_why("demo", "fetch", "a.json")["why"] == "new", "also after an older day was read"
    assert look.held_why("demo", "fetch", "c.json") == {}
    assert today.exists()


def test_of_several_rejected_files_of_one_name_the_newest_tells(chain: House) -> None:
    inject(chain, {"id": "a"})
    for text in ("[1]", "5", "{"):
        path = chain.root / "spool/demo/fetch/ready/x.json"
        path.write_text(text)
        os.utime(path, (1e9, 1e9))
        chain.run("rivus-stage", "fetch")
    found = evidence(chain).rejected("demo", "fetch", "x.json")
    assert found is not None
    assert (Path(found[0]).name, found[1][:8]) == ("demo.fetch.x.json.3", "not JSON")
    assert evidence(chain).rejected("demo", "fetch", "y.json") is None


def test_whatever_lies_in_rejected_ends_nothing(chain: House) -> None:
    inject(chain, {"id": "a"})
    folder = chain.root / "spool/_rejected"
    os.mkfifo(folder / "demo.discover.1.json")
    (folder / "demo.discover.2.json").write_text("[" * 100_000)
    (folder / "demo.discover.3.json").mkdir()
    (folder / "demo.discover.4.json").write_text('{"key": "k"}')
    for number in range(1, 6):
        (folder / f"demo.discover.{number}.json.reason.json").write_text("{" if number == 4 else '{"reason": "r"}')
    found = evidence(chain).rejected_find("demo", "k")
    assert found == (str(folder / "demo.discover.4.json"), "not recorded")
    assert evidence(chain).rejected_find("demo", "other") is None


def test_processes_are_told_with_their_command_lines_cut_and_without_control_characters() -> None:
    waiting = "import sys; print(flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", waiting, "\x1b[31m", "x" * 500]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        told = processes([process.pid])
        process.kill()
    assert told.startswith(f"pid {process.pid} ({sys.executable} -c ") and told.endswith("…)")
    assert "\x1b" not in told and len(told) < 150
    assert processes([process.pid]) == f"pid {process.pid} (gone; a child keeps its lock)"


@pytest.mark.parametrize(
    ("attempt", "changed", "is_why"),
    [
        ({"ended": utc(1000)}, 1001, True),
        ({"ended": utc(1000)}, 1100, False),
        ({"ended": utc(1000), "final": True}, 1001, False),
        ({"ended": "soon"}, 1001, False),
        ({}, 1001, False),
    ],
)
def test_a_try_explains_a_wait_that_began_when_it_ended(
    attempt: dict[str, object], changed: float, is_why: bool
) -> None:
    assert explains(attempt, changed) is is_why
