"""Whatever happens to a spool, in any order: an index kept in step says what one made from the files alone says."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import rule

from rivus.model.item import file_name
from rivus.model.states import BOXES, Box
from rivus.spool import hands
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from tests.index.site import JOB, Site
from tests.spool.crash import PLAN
from tests.spool.test_crash import ticket
from tests.spool.test_machine import KEYS, STAGES, SpoolMachine

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck))


def lose_lines(spool: Spool, kept: float) -> None:
    """Cuts the newest day of the journal, in place."""
    for day in sorted(names(spool.journal))[-1:]:
        path = Path(spool.journal, day)
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[: int(len(lines) * kept)]))


class IndexMachine(SpoolMachine):
    """The moves of SpoolMachine, and what may happen to what the index reads."""

    site: Site | None = None

    @rule()
    def the_index_is_brought_up_to_date(self) -> None:
        if self.site is None:
            self.site = Site(self.root, JOB, self.spool)
        self.site.update()
        assert self.site.differences() == []

    @rule(key=KEYS, stage=STAGES, seconds=st.integers(-(10**9), 10**10))
    def a_person_touches_a_ticket(self, key: str, stage: str, seconds: int) -> None:
        path = self.spool.ticket("job", stage, Box.LATER, file_name(key))
        if os.path.lexists(path):
            os.utime(path, (seconds, seconds))

    @rule(kept=st.sampled_from([0.0, 0.5, 0.9]))
    def the_journal_loses_lines(self, kept: float) -> None:
        lose_lines(self.spool, kept)

    @rule()
    def a_day_of_the_journal_is_removed(self) -> None:
        for day in names(self.spool.journal):
            os.unlink(f"{self.spool.journal}/{day}")

    @rule(key=KEYS, title=st.sampled_from(["new", "\0", "é" * 2000, ""]), rerun=st.booleans())
    def discovery_finds_a_change(self, key: str, title: str, rerun: bool) -> None:
        if file_name(key) in self.known:
            found = ticket(key)
            found.data = {"title": title}
            with Owner(self.spool) as owner:
                hands.change(self.spool, PLAN, found, owner, rerun)

    @rule(key=KEYS, stage=STAGES)
    def a_person_drops_a_ticket(self, key: str, stage: str) -> None:
        if file_name(key) in self.known:
            with Owner(self.spool) as owner:
                hands.drop(self.spool, PLAN, stage, file_name(key), "enough", owner)

    @rule()
    def the_index_is_deleted(self) -> None:
        if os.path.lexists(f"{self.spool.root}/index.db"):
            os.unlink(f"{self.spool.root}/index.db")

    def teardown(self) -> None:
        try:
            if hasattr(self, "root"):
                self.the_index_is_brought_up_to_date()
        finally:
            super().teardown()
            shutil.rmtree(f"{getattr(self, 'root', '')}.jobs", ignore_errors=True)


IndexMachine.TestCase.settings = settings(QUICK, stateful_step_count=25, max_examples=40)
TestIndex = IndexMachine.TestCase

PLACES = st.tuples(st.sampled_from([*PLAN.needs]), st.sampled_from([*BOXES]))
NAMES = st.sampled_from(["a.json", "b.json", "x", "é.json", os.fsdecode(b"\xff.json"), "-z.json"])
Act = Callable[[Spool], None]


def _path(spool: Spool, place: tuple[str, Box], name: str) -> Path:
    stage, box = place
    folder = Path(spool.box("job", stage, box), *(["some owner"] if box is Box.RUNNING else []))
    folder.mkdir(exist_ok=True)
    return folder / name


def _copy(spool: Spool, name: str, one: tuple[str, Box], other: tuple[str, Box]) -> None:
    if _path(spool, one, name).is_file():
        _write(spool, name, other, _path(spool, one, name).read_text())


def _move(spool: Spool, name: str, one: tuple[str, Box], other: tuple[str, Box]) -> None:
    if _path(spool, one, name).is_file():
        os.rename(_path(spool, one, name), _path(spool, other, name))


def _write(spool: Spool, name: str, one: tuple[str, Box], text: str) -> None:
    draft = Path(spool.root, "_owners", "draft")
    draft.write_text(text)
    os.rename(draft, _path(spool, one, name))


def _remove(spool: Spool, name: str, one: tuple[str, Box]) -> None:
    _path(spool, one, name).unlink(missing_ok=True)


def _birth(spool: Spool, name: str, text: str) -> None:
    draft = Path(spool.root, "_owners", "draft")
    draft.write_text(text)
    os.rename(draft, f"{spool.births('job')}/{name}")


def _gone(spool: Spool, stage: str) -> None:
    shutil.rmtree(spool.box("job", stage, Box.RUNNING))
    os.mkdir(spool.box("job", stage, Box.RUNNING))


FULL = """{"job": "job", "key": "a", "data": {}, "meta": {"discovered": "2026-01-01"},
  "output": {"text": [1, {"a": "\\u0000"}], "value": 99999999999999999999999},
  "receipt": {"ended": "2026-02-01T00:00:00Z", "cost": {"usd": 0.1, "calls": 3}},
  "attempts": [{"outcome": "done", "ended": "2026-02-01T00:00:00Z"}, {"outcome": {}, "reason": {}}, 5]}"""
FAILED = """{"job": "job", "key": "b", "data": {"title": 1e308}, "meta": {}, "attempts": [
  {"outcome": "failed", "reason": "r", "class": "auth", "fingerprint": "0123456789abcdef", "ended": 1}]}"""
TEXTS = st.sampled_from(["{}", "[", '{"id": "b", "title": "t"}', FULL, FAILED])
ACTS = st.one_of(
    st.builds(lambda *args: lambda spool: _copy(spool, *args), NAMES, PLACES, PLACES),
    st.builds(lambda *args: lambda spool: _move(spool, *args), NAMES, PLACES, PLACES),
    st.builds(lambda *args: lambda spool: _write(spool, *args), NAMES, PLACES, TEXTS),
    st.builds(lambda *args: lambda spool: _birth(spool, *args), NAMES, TEXTS),
    st.builds(lambda *args: lambda spool: _remove(spool, *args), NAMES, PLACES),
    st.builds(lambda *args: lambda spool: _gone(spool, *args), STAGES),
)


@given(st.lists(st.lists(ACTS, max_size=8), min_size=1, max_size=6))
@settings(QUICK, max_examples=60)
def test_whatever_hands_do_without_a_word_in_the_journal_is_seen(rounds: list[list[Act]]) -> None:
    root = Path(tempfile.mkdtemp(prefix="rivus-index-", dir=MEMORY))
    try:
        site = Site(root / "spool")
        with Owner(site.spool) as owner:
            publish(site.spool, PLAN, [ticket("a"), ticket("b")], owner)
        for acts in rounds:
            for act in acts:
                act(site.spool)
            site.update()
            assert site.differences() == []
    finally:
        shutil.rmtree(root)
