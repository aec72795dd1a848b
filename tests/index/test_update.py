"""The index kept in step: what is noticed how, what is made anew, who may write."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from rivus.index.fresh import BEHIND, NEVER, database, is_fresh, lock_file
from rivus.index.update import writing
from rivus.model.states import HOLD, RETRY, Box
from rivus.spool import hands
from rivus.spool.desk import Desk
from rivus.spool.layout import names
from rivus.spool.owners import Owner
from tests.index.site import JOB, Site
from tests.spool.crash import PLAN
from tests.spool.test_crash import ATTEMPT, published

STATES = "SELECT stage, state FROM tickets WHERE key = 'a' ORDER BY stage"
LONG_AGO = 1_600_000_000


def settle(site: Site) -> None:
    """As if the last changes were long ago, so that a directory's time says whether it has changed."""
    for where, _, _ in os.walk(f"{site.spool.root}/job"):
        os.utime(where, (LONG_AGO, LONG_AGO))
    site.update()


def test_a_new_item_is_in_every_table_after_one_update(site: Site) -> None:
    published(site.spool, "a")
    assert site.update().rebuilt == "there is none"
    assert site.rows(STATES) == [("extract", "wait"), ("fetch", "ready"), ("score", "wait")]
    assert site.rows("SELECT key, state, fetch_state FROM job_job") == [("a", "waiting", "ready")]
    assert site.one("SELECT found FROM days WHERE day = '2026-01-01'") == 1


def test_an_item_that_is_worked_on_shows_its_output_cost_and_run(site: Site) -> None:
    published(site.spool, "a")
    site.update()
    with Owner(site.spool) as owner:
        desk = Desk(site.spool, PLAN, "fetch", owner)
        claim = desk.claim("a.json")
        assert claim
        site.update()
        assert site.one("SELECT owner FROM tickets WHERE state = 'running'") == owner.name
        times = {"started": "2026-02-01T00:00:00.000Z", "ended": "2026-02-01T00:00:02.500Z"}
        receipt = {"owner": owner.name, **times, "cost": {"usd": 0.25, "calls": 2, "unknown": 1}}
        desk.finish(claim, {"text": "of floods"}, receipt, {**ATTEMPT, **times, "outcome": "done"})
    site.update()
    query = "SELECT since, duration, usd, calls, cost_unknown FROM tickets WHERE stage = 'fetch'"
    assert site.rows(query) == [("2026-02-01T00:00:02.500Z", 2.5, 0.25, 2, 1)]
    assert site.rows("SELECT n, outcome, duration FROM runs") == [(1, "done", 2.5)]
    assert site.rows("SELECT done, usd FROM days WHERE stage = 'fetch' AND day = '2026-02-01'") == [(1, 0.25)]
    assert site.rows("SELECT usd, calls, cost_unknown FROM runs") == [(0.25, 2, 1)]
    found = "SELECT key FROM job_job WHERE item IN (SELECT rowid FROM search WHERE search MATCH ?)"
    assert (site.rows(found, "flood*"), site.rows(found, "drought")) == ([("a",)], [])


def test_what_a_failed_run_cost_counts_on_its_day(site: Site) -> None:
    published(site.spool, "a")
    site.update()
    with Owner(site.spool) as owner:
        desk = Desk(site.spool, PLAN, "fetch", owner)
        for day in (1, 2, 3):
            claim = desk.claim("a.json")
            assert claim
            ended = f"2026-02-0{day}T00:00:00.000Z"
            attempt = {"ended": ended, "cost": {"usd": day / 4, "calls": 1}}
            if day < 3:
                desk.fail(claim, {"reason": "bad"}, {**attempt, "outcome": "failed"})
                hands.move(site.spool, "job", "fetch", "a.json", RETRY)
            else:
                desk.finish(claim, {"text": "x"}, attempt, {**attempt, "outcome": "done"})
        site.update()
    spent = [("2026-02-01", 0.25), ("2026-02-02", 0.5), ("2026-02-03", 0.75)]
    assert site.rows("SELECT day, usd FROM days WHERE stage = 'fetch' ORDER BY day") == spent
    assert site.differences() == []
    site.update(anew=True)
    assert site.rows("SELECT day, usd FROM days WHERE stage = 'fetch' ORDER BY day") == spent


def test_a_result_whose_run_is_not_on_record_any_more_cost_what_its_receipt_says(site: Site) -> None:
    published(site.spool, "a")
    receipt = {"ended": "2026-02-01T00:00:00.000Z", "cost": {"usd": 0.25, "calls": 1}}
    with Owner(site.spool) as owner:
        desk = Desk(site.spool, PLAN, "fetch", owner)
        claim = desk.claim("a.json")
        assert claim
        desk.finish(claim, {"text": "x"}, receipt, {"outcome": "done", "ended": "2026-03-01T00:00:00.000Z"})
    site.update()
    assert site.rows("SELECT n, outcome, usd FROM runs ORDER BY n") == [(0, "done", 0.25), (1, "done", None)]
    assert site.one("SELECT usd FROM days WHERE day = '2026-02-01'") == 0.25


def test_a_move_in_the_journal_is_seen_without_a_look_at_the_directories(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(site.spool, "a")
    site.update()
    monkeypatch.setattr("rivus.index.update.changed_items", lambda *args: ({}, True))
    hands.move(site.spool, "job", "fetch", "a.json", HOLD)
    assert site.update().items == 1
    assert ("fetch", "held") in site.rows(STATES)


def test_a_touch_in_later_is_seen_though_no_directory_has_changed(site: Site) -> None:
    published(site.spool, "a")
    later = site.spool.ticket("job", "fetch", Box.LATER, "a.json")
    os.rename(site.spool.ticket("job", "fetch", Box.READY, "a.json"), later)
    settle(site)
    os.utime(later, (1_900_000_000, 1_900_000_000))
    site.update()
    assert site.one("SELECT due FROM tickets WHERE stage = 'fetch'") == "2030-03-17T17:46:40.000Z"


def test_a_directory_that_changed_a_moment_ago_is_listed_again(site: Site) -> None:
    published(site.spool, "a")
    settle(site)
    ready, held = (site.spool.box("job", "fetch", box) for box in (Box.READY, Box.HELD))
    now = time.time()
    for folder in (ready, held):
        os.utime(folder, (now, now))
    site.update()
    os.rename(f"{ready}/a.json", f"{held}/a.json")
    for folder in (ready, held):
        os.utime(folder, (now, now))  # the clock of the file system has not moved on
    site.update()
    assert ("fetch", "held") in site.rows(STATES)


def test_with_patience_a_slow_directory_waits_and_the_index_is_not_called_fresh(site: Site) -> None:
    published(site.spool, "a")
    settle(site)
    db = sqlite3.connect(database(site.spool))
    db.execute("UPDATE folders SET took = 1000")
    db.commit()
    ready, held = (site.spool.ticket("job", "fetch", box, "a.json") for box in (Box.READY, Box.HELD))
    os.rename(ready, held)
    site.update(patient=True)
    assert ("fetch", "ready") in site.rows(STATES)
    assert os.stat(lock_file(site.spool)).st_mtime == NEVER
    assert not is_fresh(site.spool, site.folder, time.time())
    site.update()
    assert ("fetch", "held") in site.rows(STATES)


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but long enough" * 99, None])
def test_a_damaged_file_is_made_anew(site: Site, damage: bytes | None) -> None:
    published(site.spool, "a")
    site.update()
    path = Path(database(site.spool))
    raw = path.read_bytes()
    path.write_bytes(raw[:8192] + b"\xff" * (len(raw) - 8192) if damage is None else damage)
    assert site.update().rebuilt
    assert site.differences() == []


def test_other_columns_make_it_anew_and_a_broken_job_keeps_its_own(site: Site) -> None:
    published(site.spool, "a")
    site.update()
    site.write(JOB.replace("title: data.title", "title: data.name"))
    assert "other jobs, columns or stages" in site.update().rebuilt
    site.write("stages: [")
    assert site.update().rebuilt == ""
    assert site.one("SELECT problem FROM jobs")
    assert site.rows("SELECT title FROM job_job") == [(None,)]


def test_an_index_of_another_version_is_made_anew(site: Site) -> None:
    site.update()
    db = sqlite3.connect(database(site.spool))
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert site.update().rebuilt == "it is of another version"


def test_who_reads_the_old_build_reads_on(site: Site) -> None:
    published(site.spool, "a")
    site.update()
    reader = sqlite3.connect(f"file:{database(site.spool)}?mode=ro", uri=True)
    assert reader.execute("SELECT count(*) FROM items").fetchone() == (1,)
    published(site.spool, "b")
    site.update(anew=True)
    site.update()
    assert reader.execute("SELECT count(*) FROM items").fetchone() == (1,)
    assert site.one("SELECT count(*) FROM items") == 2
    reader.close()


def test_old_and_unfinished_builds_are_removed(site: Site) -> None:
    for _ in range(3):
        site.update(anew=True)
    Path(site.spool.root, "_index", ".9.db").write_text("half")
    site.update()
    assert sorted(os.listdir(f"{site.spool.root}/_index")) == ["3.db", "lock"]


def test_a_second_writer_is_told(site: Site) -> None:
    with writing(site.spool, None) as first, writing(site.spool, None) as second:
        assert (first, second) == (True, False)


def test_the_journal_may_be_cut_rotated_or_full_of_nonsense(site: Site) -> None:
    published(site.spool, "a")
    settle(site)
    for day in names(site.spool.journal):
        with open(f"{site.spool.journal}/{day}", "ab") as file:
            file.write(b'{"job": "../x", "key": 5}\nnot json\n[1]\n{"job": "job", "key": "../../../etc/passwd"}\n')
            file.write(b'\xff\n{"job"')
    site.update()
    for day in list(names(site.spool.journal)):
        os.unlink(f"{site.spool.journal}/{day}")
    hands.move(site.spool, "job", "fetch", "a.json", HOLD)
    site.update()
    assert site.differences() == []


def test_an_index_is_fresh_until_something_happens(site: Site) -> None:
    published(site.spool, "a")
    site.update()
    later = time.time() + 1
    os.utime(lock_file(site.spool), (later - 0.5, later - 0.5))
    assert is_fresh(site.spool, site.folder, later)
    assert not is_fresh(site.spool, site.folder, later - 1), "a time that is still to come says nothing"
    os.utime(site.spool.box("job", "fetch", Box.HELD), (later, later))
    assert not is_fresh(site.spool, site.folder, later)
    assert BEHIND > 0


def test_a_limit_is_sampled_and_old_samples_go(site: Site) -> None:
    (site.folder / "limits.yaml").write_text("tube: {slots: 2}")
    site.write(JOB)
    site.update()
    assert site.rows("SELECT name, slots, held FROM limits") == [("tube", 2, 0)]
    db = sqlite3.connect(database(site.spool))
    db.execute("UPDATE limits SET t = '2020-01-01T00:00:00.000Z'")
    db.commit()
    site.update()
    assert site.one("SELECT t > '2021' FROM limits") == 1
