"""Which folders a command works on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rivus.config import jobs_folder, spool_folder

CASES = [
    (jobs_folder, "RIVUS_JOBS", "jobs.d", "/etc/rivus/jobs.d"),
    (spool_folder, "RIVUS_SPOOL", "spool", "/var/lib/rivus/spool"),
]


@pytest.mark.parametrize(("folder", "variable", "here", "system"), CASES)
def test_the_option_wins_then_the_environment_then_here_then_the_system(
    folder: Callable[[str | None], Path],
    variable: str,
    here: str,
    system: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "")
    assert folder(None) == Path(system)
    (tmp_path / here).mkdir()
    assert folder(None) == Path(here)
    monkeypatch.setenv(variable, "/from/environment")
    assert folder(None) == Path("/from/environment")
    assert folder("/from/option") == Path("/from/option")


@pytest.mark.parametrize(("folder", "variable", "here", "system"), CASES)
def test_what_does_not_depend_on_who_asks_where_is_the_systems(
    folder: Callable[..., Path], variable: str, here: str, system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / here).mkdir()
    for own in (".config", ".local/state"):
        (tmp_path / own / "rivus" / here).mkdir(parents=True)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert folder(None, here=False) == Path(system)
    assert folder(None, user=True, here=False).is_relative_to(tmp_path)
    monkeypatch.setenv(variable, "/from/environment")
    assert folder(None, here=False) == Path("/from/environment")


@pytest.mark.parametrize(
    ("folder", "variable", "name"),
    [(jobs_folder, "XDG_CONFIG_HOME", "jobs.d"), (spool_folder, "XDG_STATE_HOME", "spool")],
)
def test_a_users_own_folder_comes_before_the_systems_if_it_is_there_and_not_for_root(
    folder: Callable[..., Path], variable: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "rivus" / name
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    system = folder(None)
    assert not system.is_relative_to(tmp_path)
    assert folder(None, user=True) == own
    own.mkdir(parents=True)
    assert folder(None) == own
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert folder(None) == system
    assert folder(None, user=True) == own


def test_a_relative_xdg_folder_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.delenv("RIVUS_SPOOL", raising=False)
    assert spool_folder(None, user=True) == Path("/home/ann/.local/state/rivus/spool")
