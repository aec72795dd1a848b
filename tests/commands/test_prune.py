"""rivus-prune: silent, daily, and what it took away can be put back."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from rivus.config import load_jobs
from rivus.index.compare import differences
from rivus.index.update import update, writing
from rivus.model.states import Box
from rivus.spool import known
from rivus.spool.layout import Spool, open_spool
from rivus.spool.owners import Owner
from rivus.tell.fsck import fsck
from tests.conftest import House
from tests.spool.test_archive import finished

JOB = "stages: {fetch: {command: [cat]}, extract: {command: [cat]}, score: {command: [cat]}}\nkeep: {done: 90d}\n"


@pytest.fixture
def spool(house: House) -> Spool:
    """A job with two items that ended 100 days ago, and a new one."""
    house.job("job", JOB)
    spool = open_spool(str(house.root / "spool"))
    spool.prepare(load_jobs(house.root / "jobs.d").jobs["job"].plan)
    with Owner(spool) as owner:
        finished(spool, owner, "a", "b/c")
        finished(spool, owner, "young", ended=time.time())
    return spool


def test_what_is_old_goes_silently_is_shown_all_the_same_and_comes_back(house: House, spool: Spool) -> None:
    due = house.run("rivus-prune", "--dry-run").out
    assert sorted(due.splitlines()) == ["job/a\tarchive", "job/b/c\tarchive"]
    assert not Path(spool.archive("job")).exists()
    done = house.run("rivus-prune")
    assert (done.out, done.err) == ("", "") and house.box("job", "score", "done") == ["young.json"]
    assert house.run("rivus-prune", "--json").lines == [{"job": "job", "archived": 0, "files": 0}, {"journal": 0}]
    assert "(archived: 2)" in house.run("rivus-ls").out
    shown = house.run("rivus-show", "--json", "job/b/c").lines[0]
    assert shown["archived"] and shown["stages"]["score"]["output"] == {"score": "of b%2Fc.json"}
    assert shown["history"][-1]["move"] == "archive"
    assert "rivus-prune --restore" in house.run("rivus-why", "job/a").out
    assert "is archived; rivus-prune --restore" in house.run("rivus-stage", "job:score", "job/a").err
    assert "is archived; rivus-prune --restore" in house.run("rivus-replay", "job/a", "score", code=65).err
    item = json.dumps({"job": "job", "key": "a", "data": {"url": "u"}})
    assert house.run("rivus-inject", "job", stdin=item).out == ""
    assert known.find(spool.archive("job"), "a.json")
    house.run("rivus-prune", "--restore", "job/b/c", "--restore", "job/a")
    assert not known.find(spool.archive("job"), "a.json"), "what another process has changed is seen"
    assert house.box("job", "fetch", "done") == ["a.json", "b%2Fc.json", "young.json"]
    assert "not archived" in house.run("rivus-prune", "--restore", "job/a", code=1).err


def test_a_wrong_call_changes_nothing(house: House, spool: Spool) -> None:
    house.run("rivus-prune", "--restore", "job/a", "job", code=2)
    house.run("rivus-prune", "nojob", code=78)
    assert len(house.box("job", "score", "done")) == 3


def test_the_index_forgets_and_learns_again_what_goes_and_comes_back(house: House, spool: Spool) -> None:
    jobs = load_jobs(house.root / "jobs.d")

    def rows() -> list[str]:
        import sqlite3

        with writing(spool, None):
            update(spool, jobs)
            assert list(differences(spool, jobs)) == []
        with sqlite3.connect(f"{spool.root}/index.db") as db:
            return [row[0] for row in db.execute("SELECT key FROM items ORDER BY key")]

    from rivus.spool.archive import archive, restore

    plan = jobs.jobs["job"].plan
    assert rows() == ["a", "b/c", "young"]
    archive(spool, plan, ["a.json", "b%2Fc.json"], time.time() - 86_400)
    assert rows() == ["young"] and fsck(spool, jobs) == []
    with Owner(spool) as owner:
        restore(spool, plan, "a.json", owner)
    assert rows() == ["a", "young"] and fsck(spool, jobs) == []


def test_the_check_of_the_spool_says_when_the_archive_is_damaged(house: House, spool: Spool) -> None:
    jobs = load_jobs(house.root / "jobs.d")
    from rivus.spool.archive import archive

    archive(spool, jobs.jobs["job"].plan, ["a.json"], time.time() - 86_400)
    [file] = Path(spool.archive("job")).glob("*.gz")
    whole = file.read_bytes()
    for broken in (whole[:-9], b"\xff" * 30 + whole[30:], b""):
        file.write_bytes(broken)
        [finding] = fsck(spool, jobs)
        assert finding.grave and file.name in finding.what
    file.write_bytes(whole)
    assert fsck(spool, jobs) == []
    os.rename(spool.ticket("job", "score", Box.DONE, "young.json"), f"{spool.archive('job')}/young.json")
    assert any("young.json" in finding.what for finding in fsck(spool, jobs))
