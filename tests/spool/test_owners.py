"""An owner lives as long as its lock is held, whatever the clock says and whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner, buried, forget_unborn, owners
from rivus.spool.recover import bury, recover
from tests.spool.crash import PLAN, bury_me, fresh_spool
from tests.spool.test_crash import claimed, published

ROOT = Path(__file__).resolve().parents[2]
CLAIMER = """
import sys
from rivus.spool.desk import Desk
from rivus.spool.layout import open_spool
from rivus.spool.owners import Owner
from tests.spool.crash import PLAN
spool = open_spool(sys.argv[1])
owner = Owner(spool)
owner.write(spool.root + "/job/files/x", b"x")
Desk(spool, PLAN, "fetch", owner).claim("a.json")
print(owner.name, flush=True)
sys.stdin.read()
"""
BURIER = """
import sys
from rivus.spool.layout import open_spool
from rivus.spool.owners import buried
spool = open_spool(sys.argv[1])
sys.stdin.readline()
with buried(spool, sys.argv[2]) as dead:
    print(dead, flush=True)
    sys.stdin.read()
"""
COMER = """
import sys
from rivus.spool.layout import open_spool
from rivus.spool.owners import Owner, forget_unborn
from rivus.spool.recover import bury
spool = open_spool(sys.argv[1])
for _ in range(60):
    with Owner(spool) as owner:
        owner.write(spool.root + "/job/files/" + owner.name, b"x")
        bury(spool, owner)
"""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = fresh_spool(tmp_path / "spool")
    published(spool, "a")
    return spool


def start(code: str, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *argv], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.fixture
def worker(spool: Spool) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real process that has claimed `a`, and its owner's name."""
    process = start(CLAIMER, spool.root)
    try:
        yield process, line(process)
    finally:
        process.kill()
        process.communicate()


def is_dead(spool: Spool, name: str) -> bool:
    with buried(spool, name) as dead:
        return dead


def test_an_owner_has_a_name_of_its_own_a_lock_and_a_scratch_folder(spool: Spool) -> None:
    with Owner(spool) as one, Owner(spool) as other:
        assert one.name != other.name
        assert owners(spool) == sorted([one.name, other.name])
        assert sorted(os.listdir(spool.owners)) == sorted(
            [one.name, f"{one.name}.lock", other.name, f"{other.name}.lock"]
        )
        assert str(os.getpid()) in one.name
        assert not is_dead(spool, one.name)
    assert os.listdir(spool.owners) == []


def test_what_is_written_appears_at_once_and_leaves_no_draft(spool: Spool) -> None:
    with Owner(spool) as owner:
        path = f"{spool.root}/job/files/x"
        owner.write(path, b"old")
        owner.write(path, b"new")
        assert Path(path).read_bytes() == b"new"
        assert os.listdir(owner.scratch) == []
        assert owner.draft() != owner.draft()


def test_an_owner_that_ends_takes_its_empty_folders_with_it_and_leaves_its_claims(spool: Spool) -> None:
    published(spool, "b")
    running = spool.box("job", "fetch", Box.RUNNING)
    with Owner(spool) as owner:
        owner.claims("job", "fetch")
        owner.claims("job", "extract")
        claim = claimed(spool, owner)
    assert os.listdir(running) == [owner.name]
    assert os.path.exists(claim.path)
    assert os.listdir(spool.box("job", "extract", Box.RUNNING)) == []
    assert is_dead(spool, owner.name)


def test_a_living_process_is_no_dead_owner_whatever_the_clock_says(
    spool: Spool, worker: tuple[subprocess.Popen[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, name = worker
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    os.utime(f"{spool.owners}/{name}.lock", (1, 1))
    assert not is_dead(spool, name)
    with Owner(spool) as me:
        assert recover(spool, "job", "fetch", me, PLAN) == 0
        assert bury(spool, me) == 0
    assert name in owners(spool)


def test_after_kill_9_the_claims_are_recovered_and_nothing_is_left_of_the_owner(
    spool: Spool, worker: tuple[subprocess.Popen[str], str]
) -> None:
    process, name = worker
    process.kill()
    process.wait()
    assert is_dead(spool, name)
    with Owner(spool) as me:
        assert bury(spool, me) == 0, "it holds a claim still"
        assert recover(spool, "job", "fetch", me, PLAN) == 1
        assert os.listdir(spool.box("job", "fetch", Box.READY)) == ["a.json"]
        assert bury(spool, me) == 1
        assert owners(spool) == [me.name]
    assert os.listdir(spool.box("job", "fetch", Box.RUNNING)) == []


def test_of_processes_that_bury_at_once_exactly_one_gets_to(spool: Spool) -> None:
    owner = Owner(spool)
    bury_me(owner)
    buriers = [start(BURIER, spool.root, owner.name) for _ in range(3)]
    for burier in buriers:
        assert burier.stdin
        burier.stdin.write("go\n")
        burier.stdin.flush()
    assert sorted(line(burier) for burier in buriers) == ["False", "False", "True"]
    assert not is_dead(spool, owner.name), "the one that buries holds it"
    for burier in buriers:
        burier.communicate("")
    assert is_dead(spool, owner.name)


def test_a_dead_owner_that_still_claims_is_not_forgotten(spool: Spool) -> None:
    owner = Owner(spool)
    claimed(spool, owner)
    bury_me(owner)
    with Owner(spool) as me:
        assert bury(spool, me) == 0
    assert owner.name in owners(spool)


def test_what_a_process_left_that_died_before_it_was_an_owner_is_removed(spool: Spool) -> None:
    Path(spool.owners, ".20260101T000000-1-abcd.lock").touch()
    os.mkdir(f"{spool.owners}/scratch-without-a-lock")
    Path(spool.owners, "scratch-without-a-lock", "1").touch()
    with Owner(spool) as me:
        assert bury(spool, me) == 1
        forget_unborn(spool)
        assert owners(spool) == [me.name]
    assert os.listdir(spool.owners) == []


def test_owners_come_and_go_beside_those_who_bury(spool: Spool) -> None:
    comers = [start(COMER, spool.root) for _ in range(3)]
    assert [comer.wait(timeout=60) for comer in comers] == [0, 0, 0]
    for comer in comers:
        comer.communicate()
    assert len(os.listdir(f"{spool.root}/job/files")) == 180
    assert os.listdir(spool.owners) == []
