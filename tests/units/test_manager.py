"""What systemd is asked, and what is made of its answers; systemctl against a real one, see tests/commands."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import which

import pytest

from rivus.errors import Unavailable
from rivus.units.manager import Manager, calendar_fault, manager, verify

needs_analyze = pytest.mark.skipif(which("systemd-analyze") is None, reason="needs systemd-analyze")


@pytest.mark.skipif(os.path.isdir("/run/systemd/system"), reason="systemd runs on this machine")
@pytest.mark.parametrize("user", [True, False])
def test_without_systemd_it_says_so_and_names_cron(user: bool) -> None:
    with pytest.raises(Unavailable, match="rivus-units cron"):
        manager(user)


def test_nothing_to_do_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    quiet = Manager(False)
    for tell in (quiet.enable, quiet.disable, quiet.start, quiet.stop, quiet.restart, quiet.forget):
        tell(())
    assert quiet.show((), ["Id"]) == {}


@needs_analyze
def test_a_calendar_is_judged_by_systemd() -> None:
    assert calendar_fault("Mon..Fri 07:30 America/New_York") == ""
    assert "parse" in calendar_fault("Mon 25:99")
    assert calendar_fault("--help") != ""


@needs_analyze
def test_a_sound_unit_passes_and_what_is_wrong_with_another_is_told_once(tmp_path: Path) -> None:
    good, bad = tmp_path / "rivus-good@x.service", tmp_path / "rivus-bad.service"
    good.write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
    bad.write_text("[Service]\nType=oneshot\nExecStart=/bin/true\nBogus=1\n")
    assert verify([good], user=False) == []
    (line,) = verify([good, bad], user=False)
    assert "Unknown key 'Bogus'" in line
