"""What the network said is kept beside the item, for the last good result, whole or not at all."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rivus.model.item import Ticket
from rivus.net.record import Exchange, Recorder, read_record
from rivus.spool.hands import redo
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.work.attempt import Result
from rivus.work.crew import Crew
from rivus.work.recording import keep_record
from tests.replay.house import Home
from tests.site import Site, site
from tests.spool.crash import dies_at, fresh_spool, tapped

__all__ = ["site"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def record(home: Home, key: str = "a") -> Path:
    return Path(home.spool.record("demo", "fetch", f"{key}.json"))


def texts(path: Path) -> list[str]:
    return [exchange.body.decode() for exchange in read_record(path.read_bytes())[1]]


def again(home: Home) -> None:
    assert redo(home.spool, "demo", "fetch", "a.json", "a test")
    home.work(record=True)


def test_only_what_is_asked_to_be_kept_is_kept(home: Home, site: Site) -> None:
    home.work({"id": "a", "url": site.put("/a", "one")})
    assert not record(home).exists()
    home.work({"id": "b", "url": site.put("/b", "two")}, record=True)
    assert texts(record(home, "b")) == ["two"]


def test_the_record_is_that_of_the_last_good_result(home: Home, site: Site) -> None:
    home.work({"id": "a", "url": site.put("/a", "one")}, record=True)
    site.put("/a", "two")
    again(home)
    assert texts(record(home)) == ["two"]
    assert home.one("fetch", offline=True).same
    site.put("/a", "three")
    home.mode("blocked")
    again(home)
    assert texts(record(home)) == ["two"]


def test_the_record_of_another_try_is_told(home: Home, site: Site) -> None:
    home.work({"id": "a", "url": site.put("/a", "one")}, record=True)
    assert redo(home.spool, "demo", "fetch", "a.json", "a test")
    home.work()
    assert "another try" in home.one("fetch", offline=True).notes[0]


def test_a_try_that_asks_nothing_leaves_no_record(home: Home) -> None:
    home.work({"id": "a", "title": "one"}, record=True)
    assert not record(home).exists()


def test_a_failure_is_recorded_while_there_is_no_result(home: Home, site: Site) -> None:
    site.pages["/a"] = (200, {"Content-Type": "text/plain; charset=utf-8"}, b"")
    (home.folder / "my.py").write_text((home.folder / "my.py").read_text().replace('"raw": ctx', '"": ctx'))
    (home.folder / "demo.yaml").write_text(
        (home.folder / "demo.yaml").read_text().replace("timeout: 20s", "expect: {required: [raw]}, timeout: 20s")
    )
    home.work({"id": "a", "url": f"{site.url}/a"}, record=True)
    assert texts(record(home)) == [""]


def kept(spool: Spool, owner: Owner, body: str, receipt: Any = None) -> None:
    recorder = Recorder()
    recorder.keep(Exchange("GET", "http://x/", "", 200, body=body.encode()))
    crew = Crew(spool, owner, None, lambda line: None)  # type: ignore[arg-type]
    keep_record(crew, Ticket("job", "a", {}, {}, receipt=receipt), "fetch", recorder, Result(None, {}, "", 0.0, 1.0))


@pytest.mark.parametrize("old", [None, "old"])
def test_a_crash_leaves_the_old_record_or_the_new_one(tmp_path: Path, old: str | None) -> None:
    for number in range(1, 20):
        spool = fresh_spool(tmp_path / "spool")
        path = Path(spool.record("job", "fetch", "a.json"))
        with Owner(spool) as owner:
            if old:
                kept(spool, owner, old)
            died = dies_at(number, partial(kept, spool, owner, "new"))
            assert (texts(path) if path.exists() else [old]) in ([old], ["new"])
        assert os.listdir(spool.owners) == []
        if not died:
            assert texts(path) == ["new"] and number > 4
            return
    pytest.fail("it never came to an end")


def test_a_crash_around_the_record_is_mended_by_the_next_try(tmp_path: Path, site: Site) -> None:
    def fresh(name: str) -> Home:
        (tmp_path / name).mkdir()
        return Home(tmp_path / name)

    item, calls = {"id": "a", "url": site.put("/a", "one")}, list[bool]()
    first = fresh("first")
    with tapped(lambda call, *rest: calls.append(call == "rename" and str(rest[1]).endswith(".http.gz"))):
        first.work(item, record=True)
    there = calls.index(True) + 1
    for number in range(there - 1, there + 4):
        home = fresh(str(number))
        assert dies_at(number, partial(home.work, item, record=True))
        home.work(item, record=True)
        assert home.spool.ended("demo", ("fetch",), "a.json")
        assert texts(record(home)) == ["one"] and home.one("fetch", offline=True).same
