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
