"""Archiving and restoring: an item is whole on one side whatever is interrupted, and is never published twice."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivus.errors import BadConfig, RivusError
from rivus.model.item import Ticket, file_name
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.model.times import utc
from rivus.spool import atomic, hands, known, leaving
from rivus.spool.archive import archive, archived_item, restore
from rivus.spool.backfill import follow_plan
from rivus.spool.desk import Desk
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.publish import complete, publish, settle_left
from tests.spool.crash import (
    PLAN,
    Disk,
    bury_me,
    calls_of,
    check_conserved,
    dies_at,
    fresh_spool,
    places,
    tapped,
)
from tests.spool.test_crash import mend, ticket

NOW = time.time()
LONG_AGO = NOW - 100 * 86_400
SOON = NOW + 60


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder where syncs cost nothing: these tests make thousands."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="rivus-archive-", dir=place) as folder:
        yield Path(folder)


@pytest.fixture
def spool(memory: Path) -> Spool:
    return fresh_spool(memory / "spool")


@pytest.fixture
def owner(spool: Spool) -> Iterator[Owner]:
    with Owner(spool) as owner:
        yield owner


def finished(spool: Spool, owner: Owner, *keys: str, plan: Plan = PLAN, ended: float = LONG_AGO) -> None:
    """Items all of whose stages were done at that time; `fetch` has left a file."""
    publish(spool, plan, [ticket(key) for key in keys], owner)
    for key in keys:
        for stage in plan.order:
            run(spool, owner, plan, stage, file_name(key), ended)
        folder = Path(spool.files("job", file_name(key)), "fetch")
        folder.mkdir(parents=True)
        (folder / "page.html").write_text("long")


def run(spool: Spool, owner: Owner, plan: Plan, stage: str, name: str, ended: float) -> None:
    desk = Desk(spool, plan, stage, owner)
    claim = desk.claim(name)
    assert claim
    receipt = {"owner": owner.name, "ended": utc(ended), "files": [{"file": f"{stage}/page.html", "bytes": 4}]}
    desk.finish(claim, {stage: f"of {name}"}, receipt, {"n": 1, "outcome": "done", "ended": utc(ended)})
    atomic.set_time(spool.ticket("job", stage, Box.DONE, name), ended)


def content(spool: Spool, name: str) -> dict[str, bytes]:
    """The bytes of the birth record and of each ticket in `done`."""
    paths = {stage: spool.ticket("job", stage, Box.DONE, name) for stage in PLAN.order}
    return {what: Path(path).read_bytes() for what, path in {"birth": f"{spool.births('job')}/{name}", **paths}.items()}


def side(spool: Spool, name: str) -> str:
    """Where an item is, after what was left half done is settled; it must be whole there."""
    settle_left(spool, "job")
    if spool.born("job", name):
        check_conserved(spool, {name})
        return "spool"
    assert name not in places(spool) and spool.known("job", name)
    assert not os.path.lexists(spool.files("job", name))
    return "archive"


def test_an_archived_item_leaves_the_spool_and_is_still_known(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a", "b/c")
    finished(spool, owner, "young", ended=NOW)
    assert archive(spool, PLAN, ["a.json", "b%2Fc.json", "young.json", "never.json"], NOW - 86_400) == 2
    assert set(places(spool)) == {"young.json"} and side(spool, "a.json") == "archive"
    assert [spool.known("job", name) for name in ("a.json", "b%2Fc.json", "young.json", "x.json")] == [1, 1, 1, 0]
    assert known.count(spool.archive("job")) == 2
    assert sorted(names(spool.archive("job"))) == [f"{utc(LONG_AGO)[:7]}.jsonl.gz", "known.db"]
    assert publish(spool, PLAN, [ticket("a")], owner) == []


def test_a_restored_item_is_byte_for_byte_what_it_was_without_its_large_files(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a")
    before = content(spool, "a.json")
    archive(spool, PLAN, ["a.json"], NOW)
    item = archived_item(spool, "job", "a.json")
    assert item and item["files"] == [{"file": "fetch/page.html", "bytes": 4}] and item["ended"] == utc(LONG_AGO)
    assert restore(spool, PLAN, "a.json", owner)
    assert content(spool, "a.json") == before and side(spool, "a.json") == "spool"
    assert not os.path.lexists(spool.files("job", "a.json")) and known.count(spool.archive("job")) == 0
    assert not restore(spool, PLAN, "a.json", owner)
    assert archive(spool, PLAN, ["a.json"], LONG_AGO + 1) == 0, "it is as old as its restoring"
    assert archive(spool, PLAN, ["a.json"], SOON) == 1 and side(spool, "a.json") == "archive"


@pytest.mark.parametrize("box", [box for box in Box if box is not Box.DONE])
def test_an_item_with_a_stage_that_is_not_done_stays(spool: Spool, owner: Owner, box: Box) -> None:
    finished(spool, owner, "a")
    path = owner.claims("job", "score") if box is Box.RUNNING else spool.box("job", "score", box)
    os.rename(spool.ticket("job", "score", Box.DONE, "a.json"), f"{path}/a.json")
    assert archive(spool, PLAN, ["a.json"], SOON) == 0
    check_conserved(spool, {"a.json"})


@pytest.mark.parametrize("text", ["{", '{"job": "other", "key": "a", "data": {}, "meta": {}}', "{}"])
def test_an_item_that_cannot_be_read_stays_and_the_others_go(spool: Spool, owner: Owner, text: str) -> None:
    finished(spool, owner, "a", "b")
    broken = Path(spool.ticket("job", "extract", Box.DONE, "a.json"))
    broken.write_text(text)
    assert archive(spool, PLAN, ["a.json", "b.json"], SOON) == 1
    assert broken.read_text() == text and set(places(spool)) == {"a.json"}


def test_items_of_one_month_share_a_file_and_each_is_found_in_it(spool: Spool, owner: Owner) -> None:
    for month in range(3):
        finished(spool, owner, *(f"{month}-{n}" for n in range(3)), ended=LONG_AGO - month * 31 * 86_400)
    everything = [f"{month}-{n}.json" for month in range(3) for n in range(3)]
    for part in (everything[::2], everything[1::2]):
        assert archive(spool, PLAN, part, NOW) == len(part)
    assert sum(1 for name in names(spool.archive("job")) if name.endswith(".gz")) == 3
    for name in everything:
        item = archived_item(spool, "job", name)
        assert item and item["name"] == name and item["stages"]["score"]["output"] == {"score": f"of {name}"}


def ways() -> dict[str, object]:
    def going(spool: Spool, owner: Owner) -> None:
        archive(spool, PLAN, ["a.json", "b.json"], NOW)

    def coming(spool: Spool, owner: Owner) -> None:
        restore(spool, PLAN, "a.json", owner)

    def changing(spool: Spool, owner: Owner) -> None:
        hands.change(spool, PLAN, Ticket("job", "a", {"new": 1}, {}), owner, rerun=False)

    return {"archive": going, "restore": coming, "change": changing}


@pytest.mark.parametrize("way", ways())
def test_wherever_it_dies_an_item_is_whole_on_one_side_and_a_second_run_finishes(memory: Path, way: str) -> None:
    act = ways()[way]
    number = 0
    spool = fresh_spool(memory / "spool")
    with Owner(spool) as owner:
        finished(spool, owner, "a", "b")
        if way != "archive":
            archive(spool, PLAN, ["a.json"], NOW)
    os.rename(spool.root, memory / "before")
    while True:
        number += 1
        shutil.rmtree(spool.root, ignore_errors=True)
        shutil.copytree(memory / "before", spool.root)
        owner = Owner(spool)
        died = dies_at(number, lambda: act(spool, owner))  # type: ignore[operator]  # noqa: B023
        bury_me(owner)
        assert all(spool.known("job", name) for name in ("a.json", "b.json")), number
        sides = {name: side(spool, name) for name in ("a.json", "b.json")}
        with Owner(spool) as again:
            assert publish(spool, PLAN, [ticket("a"), ticket("b")], again) == []
            assert follow_plan(spool, PLAN, again) in (None, 0)
            act(spool, again)  # type: ignore[operator]
            ends = {name: side(spool, name) for name in sides}
            assert ends == {"a.json": "archive", "b.json": "archive"} if way == "archive" else ends["a.json"] == "spool"
            for name in [name for name, where in ends.items() if where == "archive"]:
                assert restore(spool, PLAN, name, again) and side(spool, name) == "spool"
        if not died:
            assert number > 10
            return


@pytest.mark.parametrize("syncs", [True, False])
def test_without_power_an_item_is_whole_on_one_side_and_only_because_of_the_syncs(memory: Path, syncs: bool) -> None:
    disk = Disk(str(memory / "spool"))
    spool = fresh_spool(memory / "spool")
    with tapped(disk.tap), Owner(spool) as owner:
        finished(spool, owner, "a", "b")
        start = len(disk.calls)
        archive(spool, PLAN, ["a.json"], NOW)
        archive(spool, PLAN, ["b.json"], NOW)
        restore(spool, PLAN, "a.json", owner)
    if syncs:
        assert left_whole(memory, disk, start) == {"archive", "spool"}
    else:
        with pytest.raises((AssertionError, BadConfig, FileNotFoundError)):
            left_whole(memory, disk, start, syncs=False)


def left_whole(memory: Path, disk: Disk, start: int, syncs: bool = True) -> set[str]:
    """On which sides the items are, whenever the power fails from the call `start` on."""
    found = set()
    for upto in range(start, len(disk.calls) + 1):
        for make in disk.images(upto, syncs):
            image = fresh_spool(memory / "image")
            make(image.root)
            mend(image, [])
            for name in ("a.json", "b.json"):
                found.add(where := side(image, name))
                if where == "archive":
                    item = archived_item(image, "job", name)
                    assert item and item["stages"].keys() == PLAN.needs.keys()
    return found


def test_more_than_fits_into_the_memory_goes_in_parts(
    spool: Spool, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rivus.spool.archive.ROOM", 2000)
    monkeypatch.setattr("rivus.spool.archive.MEMBER", 1000)
    finished(spool, owner, *"abcdefg")
    os.makedirs(f"{spool.files('job', 'a.json')}/score")
    Path(os.fsdecode(f"{spool.files('job', 'a.json')}/score/".encode() + b"\xff")).write_text("odd")
    everything = [file_name(key) for key in "abcdefg"]
    assert archive(spool, PLAN, ["none.json", *everything], NOW) == 7
    for name in everything:
        item = archived_item(spool, "job", name)
        assert item and item["name"] == name and side(spool, name) == "archive"


def test_a_torn_member_is_passed_over_and_cut_off(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a", "b")
    archive(spool, PLAN, ["a.json"], NOW)
    [file] = Path(spool.archive("job")).glob("*.gz")
    whole = file.read_bytes()
    for torn in (whole[: len(whole) // 2], b"\0" * 100, whole[:3]):
        file.write_bytes(whole + torn)
        Path(spool.archive("job"), "known.db").unlink()
        assert spool.known("job", "a.json") and not spool.known("job", "x.json")
    assert archive(spool, PLAN, ["b.json"], NOW) == 1
    assert file.read_bytes().startswith(whole) and b"\0" * 100 not in file.read_bytes()
    Path(spool.archive("job"), "known.db").unlink()
    assert all(archived_item(spool, "job", name) for name in ("a.json", "b.json"))


@pytest.mark.parametrize("break_it", ["missing", "empty", "noise", "older", "other form", "page"])
def test_an_index_that_is_missing_broken_or_old_is_made_anew(spool: Spool, owner: Owner, break_it: str) -> None:
    finished(spool, owner, "a", "b")
    archive(spool, PLAN, ["a.json"], NOW)
    database = Path(spool.archive("job"), "known.db")
    older = database.read_bytes()
    archive(spool, PLAN, ["b.json"], NOW)
    now = database.read_bytes()
    database.unlink()
    other = older[:68] + b"\0\0\0\7" + older[72:]
    texts = {"empty": b"", "noise": b"noise" * 1000, "older": older, "other form": other}
    texts["page"] = now[:4096] + now[4096:][::-1]
    if break_it in texts:
        database.write_bytes(texts[break_it])
    assert spool.known("job", "a.json") and spool.known("job", "b.json") and not spool.known("job", "c.json")
    assert known.count(spool.archive("job")) == 2


def test_a_damaged_archive_never_means_unknown(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a", "b")
    for name in ("a.json", "b.json"):
        archive(spool, PLAN, [name], NOW)
    [file] = Path(spool.archive("job")).glob("*.gz")
    file.write_bytes(b"\xff" * 20 + file.read_bytes()[20:])
    assert spool.known("job", "a.json")
    with pytest.raises(BadConfig, match="no whole member"):
        restore(spool, PLAN, "a.json", owner)
    Path(spool.archive("job"), "known.db").unlink()
    with pytest.raises(RivusError, match="damaged at byte 0"):
        publish(spool, PLAN, [ticket("new")], owner)
    assert places(spool) == {}


def test_a_file_that_was_cut_short_is_not_written_to(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a", "b")
    archive(spool, PLAN, ["a.json"], NOW)
    [file] = Path(spool.archive("job")).glob("*.gz")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BadConfig, match="put the whole file back"):
        archive(spool, PLAN, ["b.json"], NOW)
    assert side(spool, "b.json") == "spool"


def test_a_file_that_was_cut_short_is_damaged_and_not_torn_also_without_its_index(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a")
    archive(spool, PLAN, ["a.json"], NOW)
    [file] = Path(spool.archive("job")).glob("*.gz")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    Path(spool.archive("job"), "known.db").unlink()
    with pytest.raises(BadConfig, match="cut off after byte 0"):
        publish(spool, PLAN, [ticket("a")], owner)
    file.write_bytes(whole)
    assert list(publish(spool, PLAN, [ticket("a")], owner)) == [] and side(spool, "a.json") == "archive"


def test_what_is_dropped_in_with_the_key_of_an_archived_item_is_refused(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a")
    whole = content(spool, "a.json")["score"]
    archive(spool, PLAN, ["a.json"], NOW)
    ready = Path(spool.box("job", "fetch", Box.READY), "a.json")
    for text in (b'{"id": "a"}', whole):
        ready.write_bytes(text)
        assert Desk(spool, PLAN, "fetch", owner).claim("a.json") is None
        reasons = [path.read_text() for path in Path(spool.rejected).glob("*.reason.json")]
        assert all("rivus-prune --restore job/a puts it back" in one for one in reasons) and reasons
    assert places(spool) == {} and side(spool, "a.json") == "archive"
    waiting = Path(spool.box("job", "score", Box.WAIT), "a.json")
    waiting.write_bytes(whole)
    with pytest.raises(ValueError, match="is archived"):
        complete(spool, PLAN, "score", "a.json", owner)


def test_a_copy_of_a_ticket_is_refused_while_its_item_is_on_its_way(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a")
    Path(spool.box("job", "fetch", Box.READY), "a.json").write_bytes(content(spool, "a.json")["fetch"])
    leaving.make_places(spool, "job", PLAN.order)
    assert leaving.take(spool, "job", PLAN.order, "a.json")
    assert Desk(spool, PLAN, "fetch", owner).claim("a.json") is None
    assert side(spool, "a.json") == "spool"


def test_a_stage_goes_before_what_it_is_made_from(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a")
    went: list[str] = []

    def tap(call: str, *paths: str) -> None:
        went.extend(paths[1].split("/")[-2:-1] if call == "rename" and "/.leaving/" in paths[1] else [])

    with tapped(tap):
        archive(spool, PLAN, ["a.json"], NOW)
    assert went == ["score", "extract", "fetch"]


def test_an_archived_item_that_changes_is_put_back_first_and_one_that_does_not_stays(
    spool: Spool, owner: Owner
) -> None:
    finished(spool, owner, "a")
    archive(spool, PLAN, ["a.json"], NOW)
    assert not hands.change(spool, PLAN, ticket("a"), owner, rerun=True) and side(spool, "a.json") == "archive"
    assert hands.change(spool, PLAN, Ticket("job", "a", {"new": 1}, {}), owner, rerun=True)
    assert side(spool, "a.json") == "spool" and list(names(spool.box("job", "fetch", Box.READY))) == ["a.json"]
    assert json.loads(content_of_birth(spool, "a.json"))["data"] == {"new": 1}


def content_of_birth(spool: Spool, name: str) -> bytes:
    return Path(spool.births("job"), name).read_bytes()


def test_an_item_restored_into_a_changed_job_gets_the_tickets_of_its_new_stages(spool: Spool, owner: Owner) -> None:
    finished(spool, owner, "a")
    archive(spool, PLAN, ["a.json"], NOW)
    longer = Plan("job", {**PLAN.needs, "mail": ("score",)})
    spool.prepare(longer)
    follow_plan(spool, longer, owner)
    assert restore(spool, longer, "a.json", owner)
    assert follow_plan(spool, longer, owner) == 1
    check_conserved(spool, {"a.json"}, longer)


def test_of_a_retry_and_an_archiving_at_the_same_moment_one_wins_and_nothing_is_lost(
    spool: Spool, owner: Owner
) -> None:
    keys = [f"k{number}" for number in range(60)]
    finished(spool, owner, *keys)
    moved: list[str] = []

    def retry() -> None:
        for key in keys:
            if hands.redo(spool, "job", "extract", file_name(key), "stale"):
                moved.append(file_name(key))

    person = threading.Thread(target=retry)
    person.start()
    for start in range(0, len(keys), 7):
        archive(spool, PLAN, [file_name(key) for key in keys[start : start + 7]], NOW)
    person.join()
    check_conserved(spool, set(moved))
    assert {file_name(key) for key in keys} - set(moved) == {
        name for key in keys if side(spool, name := file_name(key)) == "archive"
    }
    assert set(names(spool.box("job", "extract", Box.READY))) == set(moved)


def test_a_job_without_an_archive_pays_one_look(spool: Spool, owner: Owner) -> None:
    assert not spool.known("job", "a.json")
    assert calls_of(lambda: spool.known("job", "a.json")) == 0 and not os.path.lexists(spool.archive("job"))
