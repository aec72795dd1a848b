"""The strategy `items` finds what another job's stage is done with: real tickets in a real spool."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.config.load import load_job
from rivus.limits import Limits
from rivus.model.item import file_name
from rivus.model.outcome import Halt, Json
from rivus.model.states import Box
from rivus.sources.items import items
from rivus.spool.layout import Spool, open_spool
from rivus.spool.owners import Owner
from rivus.work.discover import Discovery
from rivus.work.look import JobLook
from tests.conftest import House

FIRST = "stages:\n  fetch: {command: [cat]}\n  score: {command: [cat]}\n"
SECOND = "discover: {strategy: items, job: first, stage: score%s}\nstages: {keep: {command: [cat]}}\n"
ENDED = "2024-05-01T12:00:00.000Z"


class Chain:
    """Two jobs: the second takes what the first one's stage `score` is done with."""

    def __init__(self, house: House) -> None:
        self.house = house
        house.job("first", FIRST)
        house.job("second", SECOND % "")
        self.spool: Spool = open_spool(str(house.root / "spool"))
        for job in ("first", "second"):
            self.spool.prepare(load_job(house.root / "jobs.d", job).plan)

    def done(self, key: str, score: Json | None, ended: str = ENDED, **data: Any) -> Path:
        """Lays what a stage leaves of an item into `done` of fetch and score; a score of None is a skipped one."""
        for stage, output in (("fetch", {"raw": f"raw {key}"}), ("score", score)):
            receipt = {"ended": ended, **({"skipped": "nothing to do"} if output is None else {})}
            ticket = {"job": "first", "key": key, "data": {"title": key, **data}, "meta": {}, "receipt": receipt}
            path = Path(self.spool.ticket("first", stage, Box.DONE, file_name(key)))
            path.with_name(".draft").write_text(json.dumps({**ticket, **({"output": output} if output else {})}))
            path.with_name(".draft").rename(path)
        return path

    def look(self) -> JobLook:
        return JobLook(self.spool, load_job(self.house.root / "jobs.d", "second"))

    def keys(self, look: JobLook | None = None, **more: Any) -> list[str]:
        return [found.key for found in items(look or self.look(), job="first", stage="score", **more)]

    def discover(self, **more: Any) -> list[str]:
        """One look of the second job, published."""
        job, found = load_job(self.house.root / "jobs.d", "second"), []
        with Owner(self.spool) as owner:
            limits = Limits(Path(self.spool.limits), job.limits)
            Discovery(self.spool, job, owner, limits, lambda line: found.append(line["key"]), **more).run()
        return found


@pytest.fixture
def chain(house: House) -> Iterator[Chain]:
    yield Chain(house)


def settle(path: Path) -> None:
    """Waits until the file system's clock has moved on since this file was laid there."""
    draft = path.with_name(".tick")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        draft.write_text("")
        if draft.stat().st_ctime_ns > path.stat().st_ctime_ns:
            return draft.unlink()
    raise AssertionError("the clock stands still")


def test_an_item_has_its_data_with_the_outputs_laid_over_and_says_where_it_comes_from(chain: Chain) -> None:
    chain.done("a", {"score": {"value": 7}, "title": "better"}, url="https://example.org")
    [found] = items(chain.look(), job="first", stage="score")
    assert found.data == {"title": "better", "url": "https://example.org", "raw": "raw a", "score": {"value": 7}}
    assert found.meta == {"source": {"job": "first", "stage": "score", "key": "a"}}
    assert chain.discover() == ["a"]
    born = chain.house.ticket("second", "discover", "done", "a.json")
    assert born["meta"]["source"]["key"] == "a" and born["meta"]["strategy"] == "items"


def test_an_earlier_stage_has_no_later_outputs(chain: Chain) -> None:
    chain.done("a", {"score": 1})
    [found] = items(chain.look(), job="first", stage="fetch")
    assert found.data == {"title": "a", "raw": "raw a"}


def test_the_last_finished_comes_first(chain: Chain) -> None:
    for key in ("b", "a", "c"):
        settle(chain.done(key, {"score": 1}))
    assert chain.keys() == ["c", "a", "b"]


def test_what_was_skipped_or_dropped_or_is_not_done_is_left_out(chain: Chain) -> None:
    chain.done("skipped", None)
    dropped = chain.done("dropped", {"score": 1})
    dropped.write_text(json.dumps({"job": "first", "key": "dropped", "data": {}, "meta": {}}))
    os.rename(chain.done("failed", {"score": 1}), chain.spool.ticket("first", "score", Box.FAILED, "failed.json"))
    chain.done("a", {"score": 1})
    assert chain.keys() == ["a"]
    assert sorted(chain.keys(skipped=True)) == ["a", "skipped"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"job": "other", "key": "k", "data": {}, "meta": {}}'])
def test_what_cannot_be_read_is_said_and_hides_nothing(
    chain: Chain, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chain.done("bad", {"score": 1}).write_text(text)
    chain.done("a", {"score": 1})
    assert chain.keys() == ["a"]
    assert "first:score: bad.json cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "taken"),
    [
        ({"score": 5}, ["five"]),
        ({"score": [5, "x"]}, ["five"]),
        ({"score": {"min": 5}}, ["five", "nine"]),
        ({"score": {"min": 1, "max": 5}}, ["five", "one"]),
        ({"score": {"min": "1"}}, []),
        ({"deep.tags": {"contains": "b"}}, ["nine"]),
        ({"title": {"contains": "NI"}}, ["nine"]),
        ({"title": {"min": "n", "max": "o"}}, ["nine"]),
        ({"score": {"contains": 5}}, []),
        ({"missing": {"max": 5}}, []),
        ({"score.deeper": 5}, []),
        ({"flag": True}, ["one"]),
        ({"flag": 1}, ["five"]),
        ({"score": {"min": 5}, "title": "nine"}, ["nine"]),
        ({"flag": {"min": 0}}, ["five"]),
        ({}, ["five", "nine", "one"]),
    ],
)
def test_where_chooses_by_fields(chain: Chain, where: Any, taken: list[str]) -> None:
    chain.done("one", {"score": 1, "flag": True})
    chain.done("five", {"score": 5.0, "flag": 1})
    chain.done("nine", {"score": 9, "deep": {"tags": ["a", "b"]}})
    assert sorted(chain.keys(where=where)) == taken


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"a": {"least": 5}}, "where.a: 'least' is none of min, max, contains"),
        ({"a": {}}, "where.a"),
        ({"a": {"min": True}}, "where.a.min"),
    ],
)
def test_a_test_that_is_none_halts(chain: Chain, where: Any, said: str) -> None:
    with pytest.raises(Halt, match=said):
        chain.keys(where=where)


def test_fields_choose_what_the_new_item_gets(chain: Chain) -> None:
    chain.done("a", {"score": 1})
    [found] = items(chain.look(), job="first", stage="score", fields=["score", "title", "no"])
    assert found.data == {"score": 1, "title": "a"}


def test_a_span_is_about_when_the_item_was_finished(chain: Chain) -> None:
    for day in (1, 2, 3):
        chain.done(f"d{day}", {"score": 1}, ended=f"2024-05-0{day}T12:00:00.000Z")
    assert sorted(chain.keys(since="2024-05-02", until="2024-05-03")) == ["d2"]
    assert sorted(chain.keys(until="2024-05-03")) == ["d1", "d2"]
    now = chain.done("now", {"score": 1}, ended="2999-05-01T12:00:00.000Z")
    assert chain.keys(since="2998-01-01") == [], f"{now} came to be done long before"
    with pytest.raises(Halt, match="since"):
        chain.keys(since="90d")


@pytest.mark.parametrize(
    ("job", "stage", "said"),
    [
        ("frist", "score", "job: no job 'frist'.*did you mean 'first'"),
        ("first", "scroe", "stage: first has no stage 'scroe'.*did you mean 'score'"),
        ("second", "keep", "job: second cannot be its own source"),
        ("../first", "score", "job: no job"),
    ],
)
def test_a_job_or_stage_that_is_not_there_halts(chain: Chain, job: str, stage: str, said: str) -> None:
    with pytest.raises(Halt, match=said):
        list(items(chain.look(), job=job, stage=stage))


def test_a_job_that_has_never_run_has_nothing(house: House) -> None:
    house.job("first", FIRST)
    house.job("second", SECOND % "")
    spool = open_spool(str(house.root / "spool"))
    look = JobLook(spool, load_job(house.root / "jobs.d", "second"))
    assert list(items(look, job="first", stage="score")) == []


def test_what_is_known_is_not_even_read(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    for key in ("a", "b", "k" * 1000):
        known = chain.done(key, {"score": 1})
    assert sorted(chain.discover()) == ["a", "b", "k" * 1000]
    known.write_text("{")
    chain.done("c", {"score": 1})
    assert chain.discover() == ["c"]
    assert capsys.readouterr().err == ""


def test_what_did_not_pass_is_not_read_again_until_it_changes(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    chain.house.job("second", SECOND % ", where: {score: {min: 5}}")
    low = chain.done("low", {"score": 1})
    chain.done("high", {"score": 9})
    assert chain.discover() == ["high"]
    low.write_text("{")
    came = low.stat().st_ctime_ns
    cursor = chain.house.root / "spool/second/discover/cursor.json"
    about = json.loads(cursor.read_text())["of"]
    for after, read in ((came - 1, True), (came, False)):  # as if the look had been then
        cursor.write_text(json.dumps({"of": about, "after": after}))
        assert chain.discover() == []
        assert ("low.json cannot be read" in capsys.readouterr().err) == read
    chain.done("low", {"score": 6})
    assert chain.discover() == ["low"]


def test_what_came_just_before_a_look_is_looked_at_again_and_what_is_older_is_not(chain: Chain) -> None:
    came = chain.done("a", {"score": 1}).stat().st_ctime_ns
    chain.keys(look := chain.look())
    assert came - 3 * 10**9 < look.cursor["after"] < came


def test_another_filter_looks_at_everything_again(chain: Chain) -> None:
    chain.done("low", {"score": 1})
    look = chain.look()
    assert chain.keys(look, where={"score": 9}) == []
    look.cursor["after"] = time.time_ns() - 1
    assert chain.keys(look, where={"score": 9}) == []
    assert chain.keys(look, where={"score": 1}) == ["low"]


def test_a_clock_that_was_set_back_hides_nothing(chain: Chain) -> None:
    chain.done("a", {"score": 1})
    chain.keys(look := chain.look())
    look.cursor["after"] = time.time_ns() + 3600 * 10**9
    assert chain.keys(look) == ["a"]
    assert look.cursor["after"] < time.time_ns()


def test_a_look_that_is_cut_short_leaves_the_rest_for_the_next(chain: Chain) -> None:
    for key in ("a", "b", "c"):
        settle(chain.done(key, {"score": 1}))
    assert [chain.discover(most=2), chain.discover(), chain.discover()] == [["c", "b"], ["a"], []]


def test_a_result_that_was_made_anew_is_a_change(chain: Chain) -> None:
    chain.house.job("second", SECOND % ", on_change: update")
    chain.done("a", {"score": 1})
    assert chain.discover() == ["a"]
    chain.done("a", {"score": 2})
    assert chain.discover() == []
    assert chain.house.ticket("second", "discover", "done", "a.json")["data"]["score"] == 2


def test_two_jobs_are_chained_by_commands(house: House) -> None:
    house.job("first", "stages: {score: {command: [jq, -c, '{score: .n}']}}\n")
    house.job("second", SECOND % ", where: {score: {min: 2}}")
    house.run("rivus-inject", "first", stdin='{"key": "a", "n": 1}\n{"key": "b", "n": 2}\n')
    house.run("rivus-run", "first")
    done = house.run("rivus-run", "second")
    assert [(line["key"], line["data"]) for line in done.lines] == [("b", {"key": "b", "n": 2, "score": 2})]
