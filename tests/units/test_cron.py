"""The crontab says what the timers do, or says that it cannot."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rivus.config import load_jobs
from rivus.units.cron import crontab
from rivus.units.place import Place

NOW = datetime(2026, 11, 21, 12, tzinfo=ZoneInfo("UTC"))


def lines(tmp_path: Path, discover: str, now: datetime = NOW, name: str = "demo") -> list[str]:
    """The crontab's lines about one job, without the folders."""
    job = f"discover: {{strategy: files, glob: x{discover}}}\nstages: {{look: {{command: [cat]}}}}"
    (tmp_path / f"{name}.yaml").write_text(job)
    jobs = load_jobs(tmp_path)
    assert not jobs.problems
    place = Place(user=False, bin=Path("/b"), jobs=Path("/j"), spool=Path("/s"), units=Path("/u"))
    text = crontab(jobs.jobs, place, now)
    return [line.replace(" --jobs /j --spool /s", "") for line in text.splitlines() if f"{name}" in line]


def fields(tmp_path: Path, discover: str, now: datetime = NOW) -> str:
    return " ".join(lines(tmp_path, discover, now)[-1].split()[:5])


@pytest.mark.parametrize(
    ("every", "wanted"),
    [("1min", "* * * * *"), ("30s", "* * * * *"), ("15min", "8-59/15 * * * *"), ("1h", "53 * * * *"),
     ("1d", "53 19 * * *"), ("6h", "53 1-23/6 * * *"), ("3w", "53 19 * * 2")],
)  # fmt: skip
def test_an_interval_becomes_fields_at_a_minute_of_the_jobs_own(tmp_path: Path, every: str, wanted: str) -> None:
    said = fields(tmp_path, f", every: {every}")
    assert said.count("*") == wanted.count("*") and said.partition("/")[2] == wanted.partition("/")[2]
    assert fields(tmp_path, f", every: {every}") == said


def test_what_cron_cannot_say_exactly_is_said_in_a_comment(tmp_path: Path) -> None:
    note, line = lines(tmp_path, ", every: 45min")
    assert note == "# demo: cron cannot say every 45min: every 30min"
    assert line.endswith("-59/30 * * * * /b/rivus-run demo >/dev/null")


@pytest.mark.parametrize(
    ("calendar", "wanted"),
    [("Mon..Fri 07:30", "30 7 * * 1,2,3,4,5"), ("daily", "0 0 * * *"), ("hourly", "0 * * * *"), ("07:05", "5 7 * * *"),
     ("Sat..Mon *-*-* 23:00:00", "0 23 * * 0,1,6"), ("Sunday 0:00", "0 0 * * 0"), ("weekly", "0 0 * * 1")],
)  # fmt: skip
def test_a_time_of_the_day_becomes_fields(tmp_path: Path, calendar: str, wanted: str) -> None:
    assert fields(tmp_path, f', calendar: "{calendar}"') == wanted


def test_a_time_elsewhere_is_moved_by_todays_clocks_and_its_day_with_it(tmp_path: Path) -> None:
    assert fields(tmp_path, ', calendar: "Mon..Fri 07:30 America/New_York"') == "30 12 * * 1,2,3,4,5"
    summer = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("UTC"))
    assert fields(tmp_path, ', calendar: "Mon..Fri 07:30 America/New_York"', summer) == "30 11 * * 1,2,3,4,5"
    assert fields(tmp_path, ', calendar: "Mon 22:00 America/New_York"') == "0 3 * * 2"
    assert fields(tmp_path, ', calendar: "Mon 02:00 Asia/Tokyo"') == "0 17 * * 0"
    assert "clocks have changed" in lines(tmp_path, ', calendar: "Mon 02:00 Asia/Tokyo"')[0]


@pytest.mark.parametrize("calendar", ["*-*-1 04:00", "Mon *:0/15", "07:30 Nowhere/There", "*:30 Asia/Tokyo"])
def test_a_calendar_beyond_cron_is_left_to_a_person_and_never_guessed(tmp_path: Path, calendar: str) -> None:
    note, line = lines(tmp_path, f', calendar: "{calendar}"')
    assert calendar in note
    assert line.startswith("# WHEN /b/rivus-run demo")


def test_a_job_that_a_person_starts_has_its_stages_run_each_minute(tmp_path: Path) -> None:
    assert lines(tmp_path, "")[-1] == "* * * * * /b/rivus-stage --no-stdin demo:look >/dev/null"


def test_a_percent_sign_in_a_folder_does_not_end_the_command(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("stages: {look: {command: [cat]}}")
    place = Place(user=False, bin=Path("/b"), jobs=Path("/j"), spool=Path("/s"), units=Path("/u"))
    object.__setattr__(place, "spool", Path("/a%b; c"))
    text = crontab(load_jobs(tmp_path).jobs, place, NOW)
    assert r"--spool '/a\%b; c'" in text


def test_a_job_that_is_switched_off_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "off.yaml").write_text("enabled: false\nstages: {look: {command: [cat]}}")
    place = Place(user=False, bin=Path("/b"), jobs=Path("/j"), spool=Path("/s"), units=Path("/u"))
    text = crontab(load_jobs(tmp_path).jobs, place, NOW)
    assert "off" not in text and "* * * * * /b/rivus-sweep" in text and "/b/rivus-doctor" in text


def test_what_the_check_up_finds_is_mailed_and_items_are_not(tmp_path: Path) -> None:
    place = Place(user=False, bin=Path("/b"), jobs=Path("/j"), spool=Path("/s"), units=Path("/u"))
    sweep, doctor = crontab({}, place, NOW).splitlines()[-2:]
    assert sweep.endswith("/b/rivus-sweep --jobs /j --spool /s >/dev/null")
    assert doctor.endswith("/b/rivus-doctor --jobs /j --spool /s")
