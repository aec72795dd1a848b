"""What a handler may emit, what becomes of it, and of what it may not."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.config import load_job
from rivus.config.schema import Job
from rivus.limits import Limits
from rivus.model.item import Ticket
from rivus.model.outcome import Halt, ItemFailed
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.spool import atomic
from rivus.spool.archive import archive
from rivus.spool.desk import Claim, Desk
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.work import emit as module
from rivus.work.crew import Crew
from rivus.work.emit import ChildRuns, Emitted, Plans
from rivus.work.run import StageRun
from tests.spool.families import EMITTED, PAGES, SPLIT, Workers, claimed, emit, family_spool, finish, plans, published


def emitted(meta: dict[str, Any] | None = None) -> Emitted:
    return Emitted(Ticket("split", "a", {}, meta or {}), "split", plans)


def test_a_child_is_taken_as_it_is_now_and_the_first_of_a_key_counts() -> None:
    some, data = emitted(), {"list": [1]}
    some.add("k", data, "pages")
    data["list"].append(2)
    some.add("k", data, "pages")
    some.add("k", {"own": "job"})
    assert {where: one.data for where, one in some.tickets.items()} == {
        ("pages", "k"): {"list": [1]}, ("split", "k"): {"own": "job"},
    }  # fmt: skip
    assert some.receipt() == {"emitted": {"pages": ["k"], "split": ["k"]}}


@pytest.mark.parametrize(
    ("key", "data", "job", "said"),
    [
        ("", {}, "pages", "not a non-empty string"),
        ("../x", {}, "pages", "as a part of a path"),
        (7, {}, "pages", "not a non-empty string"),
        ("k", [1], "pages", "not an object"),
        ("k", {"x": float("nan")}, "pages", "not JSON"),
        ("k", {"x": {1, 2}}, "pages", "not JSON"),
        ("k", {}, "../pages", "not the name"),
        ("k", {"x": "y" * (16 << 20)}, "pages", "cannot be an item"),
        ("k", {"x": "y" * (15 << 20)}, "pages", "too large"),
    ],
)
def test_what_cannot_be_an_item_fails_the_one_that_emits_it(key: Any, data: Any, job: str, said: str) -> None:
    some = emitted()
    with pytest.raises(ItemFailed, match=said):
        some.add(key, data, job)
    assert len(some) == 0


def test_children_are_counted_weighed_and_not_too_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHILDREN", 2)
    some = emitted()
    some.add("a", {}), some.add("b", {}), some.add("b", {})
    with pytest.raises(ItemFailed, match="more than 2 children"):
        some.add("c", {})
    monkeypatch.setattr(module, "MOST_BYTES", 500)
    with pytest.raises(ItemFailed, match="too large"):
        emitted().add("c", {"x": "y" * 500})
    emitted({"depth": 7}).add("c", {})
    with pytest.raises(ItemFailed, match="8 deep"):
        emitted({"depth": 8}).add("c", {})


def test_another_job_must_be_there_and_sound_and_is_read_again_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "pages.yaml").write_text("enabled: false\nstages: {fetch: {handler: a.b}}")
    (tmp_path / "broken.yaml").write_text("stages: 3")
    find = Plans(SPLIT, tmp_path)
    assert find(None) is SPLIT and find("split") is SPLIT
    assert find("pages") == Plan("pages", {"fetch": ()}) and find("pages") is find("pages")
    (tmp_path / "pages.yaml").write_text("stages: {fetch: {handler: a.b}, more: {handler: a.b}}")
    assert set(find("pages").needs) == {"fetch", "more"}
    with pytest.raises(Halt, match="did you mean 'pages'"):
        find("page")
    with pytest.raises(Halt, match="expected a mapping"):
        find("broken")


def test_lines_of_a_program_are_children_and_others_are_refused(tmp_path: Path) -> None:
    some, file = emitted(), tmp_path / "emit"
    some.add_lines(file)
    file.write_text('{"key": "a", "data": {"n": 1}}\n\n{"key": "b", "data": {}, "job": "pages"}\n')
    some.add_lines(file)
    assert list(some.tickets) == [("split", "a"), ("pages", "b")]
    for line in ('{"key": "a"}', "[]", '{"key": "a", "data": {}, "more": 1}'):
        file.write_text(line)
        with pytest.raises(ValueError, match="RIVUS_EMIT, line 1"):
            some.add_lines(file)
    file.unlink()
    file.symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="cannot be read"):
        some.add_lines(file)


def test_an_own_child_that_runs_with_other_data_puts_the_parent_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    spool = family_spool(tmp_path / "s")
    published(spool, "a")
    with Owner(spool) as owner:
        desk, claim = claimed(spool, owner, "split", "split", "a")
        emit(desk, claim, EMITTED)
        running = claimed(spool, owner, "pages", "fetch", "p1")
        with pytest.raises(ChildRuns, match="runs just now"):
            emit(desk, claim, [("p1", {"n": 5})])
        finish(*running, {"fetch": 1})
        assert emit(desk, claim, [("p1", {"n": 5})]) == {"emitted": {"pages": ["p1"]}}
        assert json.loads(Path(spool.births("pages"), "p1.json").read_text())["data"] == {"n": 5}


@pytest.fixture
def running_child(tmp_path: Path) -> Iterator[tuple[Spool, Job, Owner, tuple[Desk, Claim]]]:
    """A parent whose child runs, in a job that has no second try; it has other data for the child now."""
    (tmp_path / "split.yaml").write_text("stages: {split: {handler: my.split, retry: []}}")
    (tmp_path / "pages.yaml").write_text("stages: {fetch: {handler: my.split}, map: {handler: my.split}}")
    code = "def split(item, ctx):\n    ctx.emit('p1', {'n': 5}, job='pages')\n    return {'of': 1}\n"
    (tmp_path / "my.py").write_text(code)
    spool = family_spool(tmp_path / "s")
    published(spool, "a")
    with Owner(spool) as owner:
        desk, claim = claimed(spool, owner, "split", "split", "a")
        emit(desk, claim, EMITTED)
        desk.give_back(claim)
        yield spool, load_job(tmp_path, "split"), owner, claimed(spool, owner, "pages", "fetch", "p1")


def run_stage(spool: Spool, job: Job, owner: Owner) -> None:
    crew = Crew(spool, owner, Limits(Path(spool.limits), {}), lambda line: None, linger=0.0)
    StageRun(crew, job, job.stages["split"])
    crew.drain()


def test_a_parent_that_is_put_off_for_its_child_has_used_up_no_try(
    running_child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    spool, job, owner, _ = running_child
    for waits in (30, 60):
        run_stage(spool, job, owner)
        later = spool.ticket("split", "split", Box.LATER, "a.json")
        assert os.stat(later).st_mtime - time.time() == pytest.approx(waits, abs=5)
        attempt = json.loads(Path(later).read_text())["attempts"][-1]
        assert (attempt["outcome"], attempt["charged"], attempt["n"]) == ("busy", False, 1)
        assert attempt["reason"] == "its child pages/p1 has other data, and runs just now"
        atomic.rename(later, spool.ticket("split", "split", Box.READY, "a.json"))


def test_a_parent_waits_in_place_for_a_child_that_is_about_to_end(running_child: Any) -> None:
    spool, job, owner, child = running_child
    parent = threading.Thread(target=run_stage, args=(spool, job, owner))
    parent.start()
    here = Path(spool.box("split", "split", Box.RUNNING))
    end = time.monotonic() + 10
    while not list(here.glob("*/a.json")) and time.monotonic() < end:
        time.sleep(0.01)
    finish(*child, {"fetch": 1})
    parent.join()
    assert Path(spool.ticket("split", "split", Box.DONE, "a.json")).exists()
    assert Path(spool.ticket("pages", "fetch", Box.READY, "p1.json")).exists(), "with other data it runs again"


def test_a_child_whose_record_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    spool = family_spool(tmp_path / "s")
    published(spool, "a")
    with Owner(spool) as owner:
        desk, claim = claimed(spool, owner, "split", "split", "a")
        emit(desk, claim, EMITTED)
        Path(spool.births("pages"), "p1.json").write_text("{")
        with pytest.raises(ItemFailed, match="the record of its child pages/p1"):
            emit(desk, claim, EMITTED)


def test_archived_children_are_done_and_their_results_are_given(tmp_path: Path) -> None:
    spool = family_spool(tmp_path / "s")
    published(spool, "a")
    with Owner(spool) as owner:
        work = Workers(spool)
        for place in [("split", "split", "a"), *[("pages", one, key) for one in PAGES.order for key in ("p1", "p2")]]:
            work.run(owner, *place)
        assert archive(spool, PAGES, ["p1.json", "p2.json"], 4e9) == 2
        assert atomic.rename(
            spool.ticket("split", "reduce", Box.READY, "a.json"), spool.ticket("split", "reduce", Box.WAIT, "a.json")
        )
        desk, claim = claimed_again(spool, owner)
        assert emit(desk, claim, EMITTED) == {"emitted": {"pages": ["p1", "p2"]}}, "still its own"
        finish(desk, claim, {"of": 1}, emitted={"pages": ["p1", "p2"]})
        work.run(owner, "split", "reduce", "a")
    assert work.reduced == {"a": [("p1", 1), ("p2", 2)]}


def claimed_again(spool: Any, owner: Owner) -> Any:
    from rivus.spool.hands import redo

    assert redo(spool, "split", "split", "a.json", "")
    return claimed(spool, owner, "split", "split", "a")
