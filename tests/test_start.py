"""A command that has nothing to do imports nothing heavy: the modules are looked at, not the clock."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from rivus.commands import NAMES
from tests.commands.trees import inject
from tests.conftest import House

HEAVY = {
    "requests", "urllib3", "yt_dlp", "feedparser", "selectolax", "protego", "datasette", "asyncio", "jsonlines",
    "multiprocessing", "http", "email", "sqlite3", "hypothesis", "pytest", "subprocess", "charset_normalizer",
}  # fmt: skip
LATER = {"yaml", "msgspec", "filelock", "logging", "rivus.work.run", "rivus.work.discover"}
"""What only a command that does something needs."""
JOB = """
discover: {strategy: files, glob: "in/*"}
stages: {fetch: {handler: web.page}, look: {handler: youtube.captions}, score: {command: [cat]}}
"""
ARGUMENTS = {"stage": ["fetch"], "show": ["demo/a"], "inject": ["demo"], "move": ["retry"], "why": ["demo/a"]}
ARGUMENTS |= {"units": ["cron"], "log": ["demo/a", "--no-journald"], "dash": ["--port", "1", "--unix", "two places"]}
"""Without an entry a command gets no argument. inject and move end with a word about their usage."""


def imported(house: House, *argv: str) -> set[str]:
    """The packages and modules that a command imports, by their full names."""
    process = house.start(*argv, env={"PYTHONPROFILEIMPORTTIME": "1"}, stdin=subprocess.DEVNULL)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 1 if argv[0] == "rivus-doctor" else 2, 2) and "Traceback" not in err, err
    found = set(re.findall(r"^import time:[^|]*\|[^|]*\| *(\S+)$", err, re.MULTILINE))
    assert "click" in found or argv == ("rivus", "--help")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_command_with_nothing_to_do_starts_without_ballast(house: House, name: str) -> None:
    house.job("demo", JOB)
    inject(house, {"id": "a"})
    (house.root / "spool/demo/fetch/ready/a.json").rename(house.root / "spool/demo/fetch/held/a.json")
    house.run("rivus-index")
    os.utime(house.root / "spool/_index/lock")
    for argv in ([f"rivus-{name}", *ARGUMENTS.get(name, [])], ["rivus", name, "--help"]):
        found = imported(house, *argv)
        allowed = {"email"} if name == "doctor" else set()  # importlib.metadata: the check-up looks at versions
        assert {module.split(".")[0] for module in found} & HEAVY <= allowed, argv
        if "--help" in argv:
            assert found & LATER == set()


def test_the_list_of_commands_starts_without_ballast(house: House) -> None:
    assert {module.split(".")[0] for module in imported(house, "rivus", "--help")} & HEAVY == set()
