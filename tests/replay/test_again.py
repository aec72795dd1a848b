"""A stage of an item again: what is compared, and that production is not touched."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.errors import BadConfig, BadInput, TryAgain
from rivus.limits import Limits
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.net.offline import Offline
from rivus.replay.many import replaying
from rivus.spool.archive import archive
from tests.replay.house import JOB, Home
from tests.site import Site, site

__all__ = ["site"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def paths(one: Any) -> list[str]:
    return [change.path for change in one.changes]


def test_the_same_code_gives_the_same_and_touches_nothing(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    before = home.snapshot()
    for stage in ("fetch", "extract", "emit"):
        one = home.one(stage)
        assert (one.same, one.outcome, one.notes) == (True, "done", ())
    assert home.snapshot() == before
    assert [name for name in os.listdir(home.scratch) if name != ".state"] == []


def test_another_output_is_named_field_by_field(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    home.mode("upper")
    one = home.one("extract")
    assert (one.same, one.outcome, paths(one)) == (False, "done", ["output.text"])
    assert (one.before["output"]["text"], one.after["output"]["text"]) == ("one", "ONE")


def test_a_file_with_other_bytes_is_a_difference(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    home.mode("file")
    assert paths(home.one("fetch")) == ["files.fetch/raw.txt.bytes", "files.fetch/raw.txt.sha256"]


def test_a_file_that_is_gone_is_told_and_not_compared(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    os.remove(f"{home.spool.files('demo', 'a.json')}/fetch/raw.txt")
    one = home.one("fetch")
    assert one.same and "fetch/raw.txt" in one.notes[0]


def test_a_receipt_cannot_name_a_file_of_somebody_else(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    path = Path(home.spool.root, "demo/fetch/done/a.json")
    ticket = json.loads(path.read_text())
    ticket["receipt"]["files"] = [{"file": "../../../../jobs.d/my.py", "bytes": 1}, "odd", {}]
    path.write_text(json.dumps(ticket))
    one = home.one("fetch")
    assert "../../../../jobs.d/my.py" in one.notes[0] and "jobs.d" not in json.dumps(one.before)


def test_a_handler_alters_copies_only(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    home.mode("spoil")
    before = home.snapshot()
    assert home.one("extract").same
    assert home.snapshot() == before


def test_the_state_of_a_stage_is_a_copy_that_all_tries_share(home: Home) -> None:
    home.work({"id": "a", "title": "one"}, {"id": "b", "title": "two"})
    state = Path(home.spool.state("demo", "fetch"), "calls")
    assert state.read_text() == "xx"
    assert len(list(home.replay("fetch"))) == 2
    assert state.read_text() == "xx"
    assert Path(home.scratch, ".state/calls").read_text() == "xxxx"


def test_children_are_compared_and_not_published(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    assert home.one("emit").before["emitted"] == {"pages": {"a-0": {"n": 0}, "a-1": {"n": 1}}}
    home.mode("more")
    before = home.snapshot()
    one = home.one("emit")
    assert paths(one) == ["emitted.pages.a-2"]
    assert home.snapshot() == before


def test_children_that_are_archived_are_compared_like_others(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    spool = home.spool
    ready = Path(spool.ticket("pages", "read", Box.READY, "a-0.json"))
    done = json.loads(ready.read_text()) | {"output": {"x": 1}, "receipt": {"input": "x"}}
    Path(spool.ticket("pages", "read", Box.DONE, "a-0.json")).write_text(json.dumps(done))
    ready.unlink()
    assert archive(spool, Plan("pages", {"read": ()}), ["a-0.json"], time.time() + 9) == 1
    assert home.one("emit").same


def test_a_skip_and_a_failure_are_results_too(home: Home) -> None:
    home.work({"id": "a", "title": "one"}, {"id": "n", "title": "none"})
    assert home.one("extract", "n").same
    home.mode("skip")
    one = home.one("extract")
    assert (one.outcome, one.reason, paths(one)) == ("skipped", "nothing here", ["output", "skipped"])
    home.mode("empty")
    one = home.one("extract")
    assert one.outcome == "failed" and "text of length 2" in one.reason and one.cls


def test_what_failed_is_compared_with_its_failure(home: Home) -> None:
    home.work({"id": "a", "title": "one", "do": "fail"})
    assert home.one("fetch").same
    home.mode("mended")
    one = home.one("fetch")
    assert (one.outcome, paths(one)) == ("done", ["error", "output", "files"])


@pytest.mark.parametrize(("stage", "key"), [("extract", "a"), ("fetch", "unknown")])
def test_what_has_not_ended_cannot_be_compared(home: Home, stage: str, key: str) -> None:
    home.work({"id": "a", "title": "one", "do": "fail"})
    with pytest.raises(BadInput, match=key):
        home.one(stage, key)


def test_another_input_than_the_recorded_one_is_told(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    path = Path(home.spool.root, "demo/fetch/done/a.json")
    path.write_text(path.read_text().replace('"raw": "one"', '"raw": "other"'))
    one = home.one("extract")
    assert one.same and "another input" in one.notes[0]


def test_what_a_handler_pays_is_counted_and_nothing_else_is_changed(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    home.mode("pay")
    before = home.snapshot()
    assert home.one("fetch").same
    spent = f"{home.spool.root}/_spent"
    assert home.snapshot(lambda path: path.startswith(spent)).keys() - before.keys() == {spent, f"{spent}/demo"}
    (day,) = Path(spent, "demo").glob("*.json")
    assert json.loads(day.read_text())["stages"]["fetch"]["usd"] == 0.5


def test_no_budget_is_exceeded(tmp_path: Path) -> None:
    home = Home(tmp_path, JOB + "budget: {usd: 0.6}\n")
    home.work({"id": "a", "title": "one"}, {"id": "b", "title": "two"}, {"id": "c", "title": "three"})
    home.mode("pay")
    home.one("fetch")
    home.one("fetch")
    with pytest.raises(TryAgain, match="over budget"):
        home.one("fetch")


def test_a_source_that_rests_is_not_asked_unless_offline(tmp_path: Path) -> None:
    home = Home(tmp_path, JOB.replace("retry: []", "limit: slow"))
    (home.folder / "limits.yaml").write_text("slow: {slots: 1}\n")
    home.work({"id": "a", "title": "one"})
    limits = Limits(Path(home.spool.limits), home.replay("fetch")._replay.job.limits)
    assert home.one("fetch").same
    limits.park("slow", None, "leave it", "person", 0.0)
    with pytest.raises(TryAgain, match="leave it"):
        home.one("fetch")
    assert home.one("fetch", offline=True).same


def test_a_job_that_is_broken_cannot_be_replayed(home: Home) -> None:
    home.work({"id": "a", "title": "one"})
    home.mode("halt")
    with pytest.raises(BadConfig, match="no credential"):
        home.one("fetch")
    (home.folder / "demo.yaml").write_text(JOB.replace("my.extract", "broken.extract"))
    (home.folder / "broken.py").write_text("import no_such_module\n")
    with pytest.raises(BadConfig, match="no_such_module"):
        home.one("extract")


def test_offline_the_answers_come_from_the_record(home: Home, site: Site) -> None:
    home.work({"id": "a", "url": site.put("/page", "hello")}, record=True)
    site.put("/page", "something else")
    asked = len(site.asked)
    assert home.one("fetch", offline=True).same
    home.mode("ask")
    one = home.one("fetch", offline=True)
    assert (one.outcome, one.cls) == ("failed", "not_recorded")
    assert one.reason == f"GET {site.url}/page?more is not in the record"
    assert len(site.asked) == asked
    home.mode("")
    assert paths(home.one("fetch")) == ["output.raw"]


def test_a_program_is_not_replayed_offline_where_it_could_reach_the_network(tmp_path: Path) -> None:
    home = Home(tmp_path, JOB.replace("handler: my.emit", "command: ['true']"))
    job = home.replay("fetch", "a")._replay.job
    with pytest.raises(BadConfig, match="namespace"), replaying(home.spool, job, job.stages["emit"], offline=True):
        pass
    with replaying(home.spool, job, job.stages["emit"], offline=True, severed=True) as replay, pytest.raises(Offline):
        socket.create_connection(("127.0.0.1", 9))
    assert replay.offline


def test_offline_without_a_record_says_how_to_get_one(home: Home, site: Site) -> None:
    home.work({"id": "a", "url": site.put("/page", "hello")})
    assert "--record" in home.one("fetch", offline=True).reason
    record = Path(home.spool.record("demo", "fetch", "a.json"))
    record.parent.mkdir()
    record.write_bytes(b"no record")
    assert "cannot be read" in home.one("fetch", offline=True).reason
    assert len(site.asked) == 1


def test_a_record_beyond_its_cap_is_told(home: Home, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivus.net.record.LARGEST_PLAIN", 1000)
    home.work({"id": "a", "url": site.put("/page", "x" * 2000)}, record=True)
    assert "too large" in home.one("fetch", offline=True).reason
