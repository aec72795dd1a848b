"""What every command shares: --test works beside production, under its limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rivus.commands import NAMES, frame
from tests.commands.samples import CHAIN, STEPS
from tests.commands.test_rivus import ARGUMENTS
from tests.commands.trees import inject, tree
from tests.conftest import ROOT, House

LINES: dict[str, list[str]] = {
    "discover": ["", "--dry-run"],
    "stage": ["fetch", "demo:fetch demo/new"],
    "run": ["demo", "demo --from-prod 2", "demo --from-prod 2 --from-stage extract"],
    "inject": ["demo --url u", "demo score --url v"],
    "ls": ["", "demo:fetch"],
    "move": ["retry demo/bad", "hold demo/bad", "release demo/bad", "retry --stage fetch demo/good", "drop demo/later"],
    "limit": ["", "pause demo", "unpause demo"],
    "doctor": ["", "--fsck", "failures", "backtest", "diagnose", "explain demo/bad"],
    "stale": ["", "reset demo:fetch", "bless demo:fetch --why test"],
    "index": ["", "--rebuild", "--check"],
    "dash": ["--port 0 --idle 0.1s"],
    "cost": ["", "--rebuild"],
}
"""What is tried of each command, if one line is not enough."""
FORKS = """
import importlib, json, os, sys
import rivus.commands.crews, rivus.config.load, rivus.doctor.consult, rivus.limits, rivus.work.discover, rivus.work.run
import rivus.net.session
for name, words in json.load(sys.stdin):
    child = os.fork()
    if not child:
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        os.dup2(2, 1)
        sys.argv = [f"rivus-{name}", *words]
        importlib.import_module(f"rivus.commands.{name}").main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Commands in processes of their own that share the start of one."""


def run_all(house: House, lines: list[tuple[str, list[str]]]) -> tuple[list[int], str]:
    """The exit codes of these commands, run one after the other, and what they said."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS], input=json.dumps(lines), capture_output=True, text=True, timeout=60,
        cwd=house.root, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return [int(code) for code in done.stdout.split()], done.stderr


@pytest.fixture
def site(house: House) -> House:
    """A job with a budget and a limit, whose items are done, failed and put off, in production and in a test."""
    (house.root / "jobs.d/limits.yaml").write_text("net: {slots: 2}\n")
    limited = CHAIN.replace("handler: steps.fetch,", "handler: steps.fetch, limit: net, budget: {usd: 1, per: day},")
    house.job("demo", limited + 'discover: {strategy: files, glob: "in/*"}\n', steps=STEPS)
    (house.root / "jobs.d/in").mkdir()
    (house.root / "jobs.d/in/x").write_text("x")
    items = [{"id": "good"}, {"id": "bad", "do": "fail"}, {"id": "later", "do": "later"}]
    for test in (False, True):
        inject(house, *items, test=test)
    codes, said = run_all(house, [("run", ["demo"]), ("index", []), ("run", ["demo", "--test"])])
    assert codes == [0, 0, 0], said
    for test in (False, True):
        inject(house, {"id": "new"}, test=test)
    return house


def test_no_command_with_test_touches_production(site: House) -> None:
    lines = [
        (name, ["--test", *(line.split() if isinstance(line, str) else line)])
        for name in NAMES
        for line in LINES.get(name, [ARGUMENTS.get(name, [])])
        if name != "units"  # units are production's
    ]
    before, beside = tree(site.root, "_test", "_limits"), tree(site.root / "spool/_test")
    codes, said = run_all(site, lines)
    assert tree(site.root, "_test", "_limits") == before
    assert tree(site.root / "spool/_test") != beside
    odd = [(line, code) for line, code in zip(lines, codes, strict=True) if code not in (0, 1, 65)]
    assert not odd, said
    assert "a bug of rivus" not in said


def test_limits_are_productions_and_what_a_test_costs_stands_in_an_account_of_its_own(house: House) -> None:
    (house.root / "jobs.d/limits.yaml").write_text("net: {slots: 2}\n")
    paid = STEPS.replace('    return {"raw"', '    ctx.cost(usd=2)\n    return {"raw"')
    house.job("demo", CHAIN.replace("steps.extract", "steps.extract, limit: net"), steps=paid)
    inject(house, {"id": "a"}, test=True)
    codes, said = run_all(house, [("limit", ["park", "net"]), ("run", ["--test", "--linger", "0s"])])
    assert codes == [0, 0], said
    assert house.box("_test/demo", "extract", "later") == ["a.json"]
    [account] = (house.root / "spool/_test/_spent/demo").glob("*.json")
    assert json.loads(account.read_text())["stages"]["fetch"]["usd"] == 2
    assert not (house.root / "spool/_spent").exists()


def test_a_further_command_is_told_with_the_options_that_lead_to_the_same_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVUS_JOBS", "/usual")
    monkeypatch.setenv("RIVUS_SPOOL", "/usual")
    assert frame.House(Path("/usual"), Path("/usual"), test=False, allow_network=False).options() == ""
    odd = frame.House(Path("/usual"), tmp_path / "a b", test=True, allow_network=False)
    assert odd.options() == f"--spool '{tmp_path}/a b' --test"
