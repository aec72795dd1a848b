"""Unit files become those that are wanted; nothing else is touched, whatever was there."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rivus.errors import BadConfig, RivusError
from rivus.units.install import compare, diff, install, job_of, write
from rivus.units.manager import Manager

OURS = "# Made by rivus-units from /jobs/a.yaml. Do not edit.\n"
A = {"rivus-discover@a.timer": f"{OURS}[Timer]\n", "rivus-discover@a.service": f"{OURS}[Service]\n"}
B = {"rivus-stage@b:look.path": f"{OURS}[Path]\n", "rivus-b.slice": f"{OURS}[Slice]\n"}


class Killed(Exception):
    """Stands for kill -9 at a call of systemctl."""


@dataclass(frozen=True)
class Script(Manager):
    """Writes down what it is told; dies at the call `die`."""

    user: bool = False
    calls: list[tuple[str, ...]] = field(default_factory=list)
    die: str = ""

    def _call(self, verb: str, *arguments: str) -> str:
        if verb == self.die:
            raise Killed(verb)
        self.calls.append((verb, *(word for word in arguments if not word.startswith("-"))))
        return ""


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def told(wanted: dict[str, str], folder: Path, untouched: Collection[str] = (), start: bool = True) -> list[str]:
    script = Script()
    install(wanted, folder, script, untouched=untouched, start=start)
    return [" ".join(call) for call in script.calls]


def test_new_units_are_written_enabled_and_started_after_one_reload(tmp_path: Path) -> None:
    assert told(A, tmp_path / "deep/er") == [
        "enable rivus-discover@a.timer", "daemon-reload", "start rivus-discover@a.timer",
    ]  # fmt: skip
    assert {name: (tmp_path / "deep/er" / name).read_text() for name in names(tmp_path / "deep/er")} == A


def test_what_is_as_it_should_be_is_left_alone(tmp_path: Path) -> None:
    told(A, tmp_path)
    before = {file: (tmp_path / file).stat().st_ino for file in A}
    assert told(A, tmp_path) == []
    assert {file: (tmp_path / file).stat().st_ino for file in A} == before


def test_a_changed_service_is_never_restarted_and_a_changed_timer_is(tmp_path: Path) -> None:
    told(A, tmp_path)
    service, timer = "rivus-discover@a.service", "rivus-discover@a.timer"
    assert told({**A, service: f"{OURS}new"}, tmp_path) == ["daemon-reload"]
    assert told({timer: f"{OURS}new", service: f"{OURS}new"}, tmp_path) == [
        "daemon-reload", "try-restart rivus-discover@a.timer",
    ]  # fmt: skip


def test_what_is_no_longer_needed_is_stopped_and_removed(tmp_path: Path) -> None:
    told({**A, **B}, tmp_path)
    calls = told(A, tmp_path)
    assert calls[:2] == ["stop rivus-stage@b:look.path", "disable rivus-stage@b:look.path"]
    assert not any(call.startswith(("start", "enable", "try-restart")) for call in calls)
    assert names(tmp_path) == set(A)


def test_the_units_of_a_broken_job_stay_as_they_are(tmp_path: Path) -> None:
    told({**A, **B}, tmp_path)
    assert told(A, tmp_path, untouched={"b"}) == []
    assert names(tmp_path) == {*A, *B}


def test_drop_ins_and_units_of_others_are_never_touched(tmp_path: Path) -> None:
    told(A, tmp_path)
    (tmp_path / "rivus-discover@a.timer.d").mkdir()
    (tmp_path / "rivus-discover@a.timer.d/mine.conf").write_text("[Timer]\n")
    (tmp_path / "rivus-mine.service").write_text("[Service]\n")
    (tmp_path / "other.service").write_text(f"{OURS}pretends")
    (tmp_path / "rivus-link.service").symlink_to(tmp_path / "rivus-discover@a.service")
    told({}, tmp_path)
    assert names(tmp_path) == {"rivus-discover@a.timer.d", "rivus-mine.service", "other.service", "rivus-link.service"}
    assert (tmp_path / "rivus-discover@a.timer.d/mine.conf").exists()


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_name_that_somebody_else_took_is_refused_before_anything_changes(tmp_path: Path, kind: str) -> None:
    taken = tmp_path / "rivus-discover@a.timer"
    if kind == "file":
        taken.write_text("[Timer]\n# mine\n")
    elif kind == "link":
        taken.symlink_to("/dev/null")
    else:
        taken.mkdir()
    with pytest.raises(BadConfig, match=r"rivus-discover@a\.timer was not made by rivus-units"):
        told(A, tmp_path)
    assert names(tmp_path) == {"rivus-discover@a.timer"}


@pytest.mark.parametrize("call", ["enable", "daemon-reload", "start"])
def test_after_a_crash_the_next_installation_does_what_is_left(tmp_path: Path, call: str) -> None:
    with pytest.raises(Killed):
        install(A, tmp_path, Script(die=call))
    assert told(A, tmp_path) == ["enable rivus-discover@a.timer", "daemon-reload", "start rivus-discover@a.timer"]
    assert told(A, tmp_path) == []


def test_a_unit_that_was_removed_after_a_crash_is_not_started(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        install({**A, **B}, tmp_path, Script(die="start"))
    assert "start rivus-discover@a.timer" in told(A, tmp_path)
    assert names(tmp_path) == set(A)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"new": 3}', "null"])
def test_a_list_of_what_is_left_that_cannot_be_read_stops_nothing(tmp_path: Path, text: str) -> None:
    told(A, tmp_path)
    (tmp_path / ".rivus-units.todo").write_text(text)
    assert told(A, tmp_path) == ["daemon-reload"]
    assert names(tmp_path) == set(A)


def test_without_a_start_now_the_next_installation_starts(tmp_path: Path) -> None:
    assert told(A, tmp_path, start=False) == ["enable rivus-discover@a.timer", "daemon-reload"]
    assert json.loads((tmp_path / ".rivus-units.todo").read_text())["new"] == ["rivus-discover@a.timer"]
    assert "start rivus-discover@a.timer" in told(A, tmp_path)


def test_without_a_manager_only_files_are_written(tmp_path: Path) -> None:
    install(A, tmp_path, None)
    assert names(tmp_path) == set(A)


def test_a_diff_names_what_comes_goes_and_changes(tmp_path: Path) -> None:
    told({**A, **B}, tmp_path)
    wanted = {"rivus-discover@a.timer": f"{OURS}[Timer]\nOnBootSec=1\n", "rivus-new.slice": OURS}
    lines = list(diff(compare(wanted, tmp_path), tmp_path))
    assert "+OnBootSec=1" in lines
    assert f"+++ {tmp_path}/rivus-new.slice" in lines
    assert f"--- {tmp_path}/rivus-stage@b:look.path" in lines
    assert list(diff(compare({**A, **B}, tmp_path), tmp_path)) == []


@pytest.mark.parametrize(
    ("unit", "job"),
    [
        ("rivus-stage@dml:fetch.service", "dml"), ("rivus-discover@dml.timer", "dml"), ("rivus-dml.slice", "dml"),
        ("rivus-sweep.service", ""), ("rivus-sweep.slice", "sweep"), ("rivus.slice", ""),
        ("rivus-failure@.service", ""),
    ],
)  # fmt: skip
def test_the_name_of_a_unit_tells_its_job(unit: str, job: str) -> None:
    assert job_of(unit) == job


def test_everybody_may_read_unit_files_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write({"rivus-a.service": "[Service]\n"}, tmp_path)
    finally:
        assert os.umask(before) == 0o077
    assert (tmp_path / "rivus-a.service").stat().st_mode & 0o777 == 0o644


@dataclass(frozen=True)
class Refusing(Script):
    """Starts nothing, as where a port is taken."""

    def start(self, units: Collection[str]) -> None:
        raise RivusError("Job failed.")


def test_a_unit_that_does_not_start_keeps_no_other_from_its_change_and_is_told_once(tmp_path: Path) -> None:
    told(A, tmp_path)
    manager, changed = Refusing(), {name: f"{text}new" for name, text in A.items()}
    with pytest.raises(RivusError, match=r"Job failed.*rivus-doctor"):
        install({**changed, **B}, tmp_path, manager)
    assert ("try-restart", "rivus-discover@a.timer") in [(call[0], call[-1]) for call in manager.calls]
    assert told({**changed, **B}, tmp_path) == []
