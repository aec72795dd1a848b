"""A back-fill asks for a span of the past window by window, and goes on where it ended, whatever ended it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rivus import talk
from rivus.config.load import load_job, load_jobs
from rivus.errors import BadConfig, TryAgain
from rivus.limits import Limits
from rivus.model.outcome import Json
from rivus.spool.layout import open_spool
from rivus.spool.looks import looks
from rivus.spool.owners import Owner
from rivus.spool.pause import pause, unpause
from rivus.tell.checkup.sources import discoveries
from rivus.tell.fsck import fsck
from rivus.work.backfill import BackFill
from rivus.work.discover import Discovery
from rivus.work.span import request
from tests.conftest import House
from tests.spool.crash import bury_me, calls_of, check_conserved, dies_at

OWN = """
import json
import time
from datetime import date, timedelta

from rivus.model.context import Found
from rivus.model.outcome import RetryLater

WINDOW_DAYS = {"days": 10}


def days(look, *, nth: int = 5, since: str | None = None, until: str | None = None):
    with (look.folder / "asked").open("a") as asked:
        asked.write(json.dumps([since, until, look.cursor]) + "\\n")
    if (look.folder / "down").exists():
        raise RetryLater("503")
    if (look.folder / "slow").exists() and since.startswith("2024-03-02"):
        time.sleep(60)
    look.cursor["at"] = until
    day = date.fromisoformat(until[:10])
    title = (look.folder / "title").read_text() if (look.folder / "title").exists() else "old"
    while (day := day - timedelta(days=1)) >= date.fromisoformat(since[:10]):
        if day.day % nth == 0:
            yield Found(day.isoformat(), {"title": title})


def whole(look, *, since: str | None = None, until: str | None = None):
    yield Found(f"{since}..{until}", {})


def no_span(look, *, since: str | None = None):
    yield Found("k", {})


def fetch(item, ctx):
    return {"text": item["title"]}
"""
JOB = "discover: {strategy: own.days%s}\nstages: {fetch: {handler: own.fetch}}\n"
SPAN = ("2024-03-01", "2024-04-01")
WINDOWS = [["2024-03-22", "2024-04-01"], ["2024-03-12", "2024-03-22"], ["2024-03-02", "2024-03-12"],
           ["2024-03-01", "2024-03-02"]]  # fmt: skip
KEYS = ["2024-03-30", "2024-03-25", "2024-03-20", "2024-03-15", "2024-03-10", "2024-03-05"]
DAY = 86400.0


@pytest.fixture
def own(house: House) -> House:
    house.job("demo", JOB % "", own=OWN)
    return house


def discovery(house: House, owner: Owner, emit: Callable[[Json], None] = lambda line: None, **more: Any) -> Discovery:
    job = load_job(house.root / "jobs.d", "demo")
    return Discovery(owner.spool, job, owner, Limits(Path(owner.spool.limits), job.limits), emit, **more)


def fill(house: House, since: str = SPAN[0], until: str | None = SPAN[1], now: float | None = None, **more: Any) -> Any:
    """One call of a back-fill; gives the keys it has published."""
    found: list[str] = []
    with Owner(open_spool(str(house.root / "spool"))) as owner:
        look = discovery(house, owner, lambda line: found.append(line["key"]), **more)
        BackFill(look, request(since, until, now or time.time())).run()
    return found


def asked(house: House, days: bool = True) -> list[list[str]]:
    """The windows that the source was asked for since the last time; `days`: without the time of day."""
    path = house.root / "jobs.d/asked"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    path.unlink(missing_ok=True)
    assert all(cursor == {} for _, _, cursor in lines)
    return [[text[: 10 if days else None] for text in line[:2]] for line in lines]


def note(house: House) -> Any:
    return json.loads((house.root / "spool/demo/discover/backfill.json").read_text())


def journal(house: House) -> list[Any]:
    lines = [line for file in (house.root / "spool/_journal").iterdir() for line in file.read_text().splitlines()]
    return [entry for entry in map(json.loads, lines) if entry["move"] == "backfill"]


def test_a_span_is_cut_into_windows_and_the_newest_comes_first(own: House) -> None:
    assert fill(own) == KEYS
    assert asked(own) == WINDOWS
    assert own.box("demo", "fetch", "ready") == sorted(f"{key}.json" for key in KEYS)
    birth = own.ticket("demo", "discover", "done", "2024-03-30.json")
    assert birth["meta"]["backfill"] == "2024-03-22T00:00:00Z/2024-04-01T00:00:00Z"
    told = note(own)
    assert [told[name] for name in ("strategy", "since", "until", "left", "seen", "new")] == [
        "own.days", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z", "2024-03-01T00:00:00Z", 6, 6,
    ]  # fmt: skip


def test_a_source_without_windows_is_asked_once(own: House) -> None:
    own.job("demo", (JOB % "").replace("own.days", "own.whole"))
    assert fill(own) == ["2024-03-01T00:00:00Z..2024-04-01T00:00:00Z"]


def test_the_jobs_own_cursor_and_looks_are_left_alone(own: House) -> None:
    (own.root / "spool/demo/discover").mkdir(parents=True)
    cursor = own.root / "spool/demo/discover/cursor.json"
    cursor.write_text('{"at": "now"}')
    fill(own)
    assert cursor.read_text() == '{"at": "now"}'
    assert looks(open_spool(str(own.root / "spool")), "demo") == []
    assert [(entry["since"][:10], entry["seen"], entry["new"]) for entry in journal(own)] == [
        ("2024-03-22", 2, 2), ("2024-03-12", 2, 2), ("2024-03-02", 2, 2), ("2024-03-01", 0, 0),
    ]  # fmt: skip


def test_the_check_of_the_spool_knows_what_a_back_fill_leaves(own: House) -> None:
    fill(own)
    assert fsck(open_spool(str(own.root / "spool")), load_jobs(own.root / "jobs.d")) == []


def test_what_was_filled_in_is_no_sign_of_how_often_there_is_something_new(own: House) -> None:
    fill(own)
    assert discoveries(open_spool(str(own.root / "spool")), "demo") == []


def test_the_same_request_goes_on_with_what_is_left(own: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert fill(own, most=3) == KEYS[:3]
    assert asked(own) == WINDOWS[:2]
    assert "not finished: what lies before 2024-03-22T00:00:00Z is left" in capsys.readouterr().err
    assert fill(own) == KEYS[3:]
    assert asked(own) == WINDOWS[1:]


def test_a_finished_one_is_looked_at_again_and_another_span_begins_anew(
    own: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "level", 1)
    fill(own)
    assert "is finished: 6 seen, 6 new" in capsys.readouterr().err
    asked(own)
    assert fill(own) == []
    assert "was finished; it is looked at again" in capsys.readouterr().err
    assert asked(own) == WINDOWS
    fill(own, most=3)
    asked(own)
    fill(own, until="2024-03-31", most=1)
    assert asked(own)[0] == ["2024-03-21", "2024-03-31"]


def test_a_duration_keeps_its_meaning_until_it_is_done(own: House) -> None:
    now = 1_711_929_600.0  # 2024-04-01
    assert fill(own, "20d", None, now, most=3) == KEYS[:3]
    assert asked(own) == [["2024-03-22", "2024-04-01"], ["2024-03-12", "2024-03-22"]]
    assert fill(own, "20d", None, now + DAY) == [KEYS[3]]
    assert asked(own) == [["2024-03-12", "2024-03-22"]]
    fill(own, "20d", None, now + DAY)
    assert asked(own) == [["2024-03-23", "2024-04-02"], ["2024-03-13", "2024-03-23"]]


def test_what_the_source_is_given_in_the_job_counts_as_another_request(own: House) -> None:
    fill(own, most=3)
    own.job("demo", JOB % ", nth: 7")
    asked(own)
    assert fill(own) == ["2024-03-28", "2024-03-21", "2024-03-14", "2024-03-07"]
    assert asked(own) == WINDOWS


def test_max_new_holds_for_a_call(own: House) -> None:
    own.job("demo", JOB % ", max_new: 4")
    assert [fill(own), fill(own), fill(own)] == [KEYS[:4], KEYS[4:], []]


def test_a_backlog_or_a_pause_ends_the_call_and_the_next_goes_on(
    own: House, capsys: pytest.CaptureFixture[str]
) -> None:
    own.job("demo", JOB % ", max_backlog: 3")
    assert fill(own) == KEYS[:4]
    assert "4 items wait already" in capsys.readouterr().err
    own.job("demo", JOB % "")
    spool = open_spool(str(own.root / "spool"))
    with Owner(spool) as owner:
        pause(spool, "demo", "holidays", "me", owner)
    assert fill(own) == []
    unpause(spool, "demo")
    assert fill(own) == KEYS[4:]


def test_every_window_takes_a_token_and_what_is_missing_is_waited_for_another_time(own: House) -> None:
    own.job("limits", "outside: {rate: 2/d, burst: 2}")
    own.job("demo", JOB % ", limit: outside")
    with pytest.raises(TryAgain):
        fill(own)
    assert asked(own) == WINDOWS[:2]
    assert note(own)["left"] == "2024-03-12T00:00:00Z"


def test_a_window_that_fails_is_asked_for_again(own: House) -> None:
    (own.root / "jobs.d/down").touch()
    with pytest.raises(TryAgain):
        fill(own)
    (own.root / "jobs.d/down").unlink()
    asked(own)
    assert fill(own) == KEYS
    assert asked(own) == WINDOWS


def test_a_dry_run_shows_everything_and_notes_nothing(own: House) -> None:
    assert fill(own, dry=True) == KEYS
    assert not (own.root / "spool/demo").exists()


def test_what_has_changed_is_treated_as_in_any_look(own: House) -> None:
    own.job("demo", JOB % ", on_change: update")
    fill(own)
    (own.root / "jobs.d/title").write_text("new")
    assert fill(own) == []
    assert own.ticket("demo", "discover", "done", "2024-03-30.json")["data"] == {"title": "new"}


@pytest.mark.parametrize("text", ["{", "{}", '{"asked": 5}', "[]"])
def test_a_note_that_cannot_be_read_is_none(own: House, text: str) -> None:
    fill(own)
    (own.root / "spool/demo/discover/backfill.json").write_text(text)
    asked(own)
    fill(own)
    assert asked(own) == WINDOWS and note(own)["left"] == "2024-03-01T00:00:00Z"


@pytest.mark.parametrize("change", [{"left": "2025-01-01"}, {"left": None}, {"since": "x"}, {"until": 5}])
def test_a_note_that_makes_no_sense_is_none(own: House, change: Json) -> None:
    fill(own, most=3)
    (own.root / "spool/demo/discover/backfill.json").write_text(json.dumps({**note(own), **change}))
    asked(own)
    fill(own)
    assert asked(own) == WINDOWS


def test_a_source_without_dates_is_refused_with_the_names_of_those_that_have_them(own: House) -> None:
    own.job("demo", (JOB % "").replace("own.days", "own.no_span"))
    with pytest.raises(BadConfig, match=r"own.no_span cannot .*: .*feed, files, finnhub_calendar, .*items.*youtube"):
        fill(own)


@pytest.mark.parametrize("days", ["0", "'x'", "-1", "1.5"])
def test_a_window_that_is_none_is_refused(own: House, days: str) -> None:
    own.job("demo", JOB % "", own=OWN.replace('"days": 10', f'"days": {days}'))
    with pytest.raises(BadConfig, match="WINDOW_DAYS"):
        fill(own)


def test_whatever_call_it_dies_at_nothing_is_lost_and_the_next_call_ends_it(own: House, tmp_path: Path) -> None:
    def spool_at(number: int) -> Any:
        root = tmp_path / f"spool{number}"
        root.mkdir()
        spool = open_spool(str(root))
        return spool, Owner(spool)

    def act(owner: Owner) -> Callable[[], object]:
        return lambda: BackFill(discovery(own, owner), request("2024-03-12", SPAN[1], 0)).run()

    total = calls_of(act(spool_at(0)[1]))
    assert total > 40
    for number in range(1, total + 1):
        spool, owner = spool_at(number)
        assert dies_at(number, act(owner))
        bury_me(owner)
        asked(own)
        with Owner(spool) as again:
            act(again)()
        plan = load_job(own.root / "jobs.d", "demo").plan
        check_conserved(spool, {f"{key}.json" for key in KEYS[:4]}, plan)
        assert asked(own) in (WINDOWS[:2], WINDOWS[1:2])
        told = json.loads(Path(f"{spool.root}/demo/discover/backfill.json").read_text())
        assert told["left"] == told["since"]


def test_killed_it_goes_on_where_it_was(own: House) -> None:
    fill(own, most=3)
    (own.root / "jobs.d/slow").touch()
    asked(own)
    process = own.start("rivus-discover", "demo", "--since", SPAN[0], "--until", SPAN[1])
    assert process.stdout
    assert json.loads(process.stdout.readline())["key"] == KEYS[3]
    own.wait_for(lambda: note(own)["left"] == "2024-03-12T00:00:00Z", "the end of the window")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=20)
    (own.root / "jobs.d/slow").unlink()
    asked(own)
    assert fill(own) == KEYS[4:]
    assert asked(own) == WINDOWS[2:]
