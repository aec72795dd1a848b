"""Each command, killed at each of its file-system calls, and the sweep after it killed at each of its own.

A command runs in a forked child whose door to the file system kills it with SIGKILL in place of the n-th call.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

import rivus.index.update  # noqa: F401 - so that not every fork has to import it
from rivus.commands import cost, discover, inject, limit, move, run, stage, stale, sweep
from rivus.config import load_job
from rivus.model.states import Box
from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.stale.survey import Survey
from rivus.tell.costs import accounts
from tests.spool.crash import check_conserved, empty_files

JOB = """
discover: {strategy: files, glob: "in/*", limit: slow}
stages:
  fetch: {handler: steps.ok, concurrency: 1, limit: slow}
  extract: {handler: steps.ok, concurrency: 1}
"""
LIMITS = "slow: {slots: 2, rate: 1000/s, burst: 50}"
STEPS = "def ok(item, ctx):\n    (ctx.workdir / 'f').write_text('x')\n    return {ctx.key: 1}\n"
MODULES = (cost, discover, inject, limit, move, run, stage, stale, sweep)
MAINS = {module.__name__.rpartition(".")[2]: module for module in MODULES}


def fork(argv: list[str], stdin: str = "", kill_at: int | None = None) -> int:
    """Runs a command in a child. Gives its exit code, or -9 if it was killed at the call `kill_at`."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        _become(argv, stdin, kill_at)
    finally:
        os._exit(99)


def _become(argv: list[str], stdin: str, kill_at: int | None) -> None:
    count = 0

    def tap(call: str, *details: object) -> None:
        nonlocal count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    atomic.tap = tap
    read, write = os.pipe()
    os.write(write, stdin.encode())
    os.close(write)
    os.dup2(read, 0)
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    sys.argv = argv
    MAINS[argv[0].removeprefix("rivus-")].main()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """jobs.d of one job, whose spool is made afresh for each crash, in memory where that can be."""
    root = tmp_path_factory.mktemp("house")
    (root / "jobs.d/in").mkdir(parents=True)
    for name, text in {"demo.yaml": JOB, "limits.yaml": LIMITS, "steps.py": STEPS, "in/a": "x", "in/b": "y"}.items():
        (root / "jobs.d" / name).write_text(text)
    return root


def fresh(folder: Path) -> Path:
    memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else folder
    spool = memory / f"rivus-commands-{os.getpid()}"
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir()
    return spool


SOME = '{"id": "a"}\n{"id": "b"}'
ALWAYS = ["--no-stdin"]
CASES: dict[str, tuple[list[list[str]], list[str], str]] = {
    "discover": ([], ["rivus-discover", "demo"], ""),
    "inject": ([], ["rivus-inject", "demo"], SOME),
    "stage": ([["rivus-inject", "demo"]], ["rivus-stage", "demo:fetch", *ALWAYS], ""),
    "run": ([], ["rivus-run", "demo", "--limit", "1"], ""),
    "hold": ([["rivus-inject", "demo"]], ["rivus-move", "hold", "demo/a"], ""),
    "release": ([["rivus-inject", "demo"], ["rivus-move", "hold", "demo/a"]], ["rivus-move", "release", "demo/a"], ""),
    "retry": (
        [["rivus-inject", "demo"], ["rivus-move", "hold", "demo/a"]],
        ["rivus-move", "retry", "--stage", "fetch", "demo/a"],
        "",
    ),
    "drop": ([["rivus-inject", "demo"]], ["rivus-move", "drop", "demo/a"], ""),
    "park": ([["rivus-inject", "demo"]], ["rivus-limit", "park", "slow"], ""),
    "pause": ([["rivus-inject", "demo"]], ["rivus-limit", "pause", "demo"], ""),
    "unpause": (
        [["rivus-inject", "demo"], ["rivus-limit", "pause", "demo"], ["rivus-stage", "demo:fetch", *ALWAYS]],
        ["rivus-limit", "unpause", "demo"],
        "",
    ),
    "sweep": ([["rivus-inject", "demo"]], ["rivus-sweep"], ""),
}


def play(folder: Path, case: str, at: int, then: int | None = None) -> bool:
    """One crash, or two. False when the command has not so many calls."""
    before, argv, stdin = CASES[case]
    root = fresh(folder)
    here = ["--jobs", str(folder / "jobs.d"), "--spool", str(root)]
    for step in before:
        assert fork([*step, *here], SOME) == 0
    died = fork([*argv, *here], stdin, at) == -signal.SIGKILL
    killed = then is not None and fork(["rivus-sweep", *here], "", then) == -signal.SIGKILL
    check(folder, root, here)
    return killed if then is not None else died


def check(folder: Path, root: Path, here: list[str]) -> None:
    assert fork(["rivus-sweep", *here]) == 0
    fork(["rivus-limit", "resume", "slow", *here])
    fork(["rivus-limit", "unpause", "demo", *here])
    fork(["rivus-stage", "demo:fetch", *ALWAYS, *here])
    fork(["rivus-stage", "demo:extract", *ALWAYS, *here])
    assert fork(["rivus-sweep", *here]) == 0
    spool = Spool(str(root), f"{root}/_limits")
    plan = load_job(folder / "jobs.d", "demo").plan
    if os.path.isdir(spool.births("demo")):
        check_conserved(spool, set(), plan)
        assert not os.listdir(spool.box("demo", "fetch", Box.READY))
    assert not empty_files(str(root))
    assert os.listdir(spool.rejected) == []
    assert os.listdir(spool.owners) == []


@pytest.mark.parametrize("case", CASES)
def test_a_command_killed_at_any_call_loses_nothing(folder: Path, case: str) -> None:
    at = 0
    while play(folder, case, at := at + 1):
        pass
    assert at > 3


@pytest.mark.torture
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("case", CASES)
def test_a_command_and_the_sweep_after_it_killed_at_any_pair_of_calls_lose_nothing(folder: Path, case: str) -> None:
    pairs(folder, case, every=1)


@pytest.mark.parametrize("case", ["discover", "inject", "stage", "drop"])
def test_a_command_killed_and_the_sweep_after_it_killed_too_lose_nothing(folder: Path, case: str) -> None:
    pairs(folder, case, every=9)


def pairs(folder: Path, case: str, every: int) -> None:
    at = 1
    while True:
        then = 1 + at % every
        while play(folder, case, at, then):
            then += every
        if not play(folder, case, at):
            return
        at += every


OLDER = {
    "demo.yaml": "stages: {fetch: {handler: steps.ok, auto_bless: cosmetic}, extract: {handler: steps.ok}}",
    "steps.py": "def ok(item, ctx):\n    ctx.cost(usd=0.25)\n    return {ctx.key: 1}\n",
    "doctor.yaml": "llm: {command: [./model.sh]}",
    "model.sh": """#!/bin/sh\necho '{"verdict": "cosmetic", "why": "the same"}'\n""",
}
NEWER = OLDER["steps.py"].replace("1}", "0 + 1}")
LATER = {
    "reset": ["rivus-stale", "reset", "demo:fetch"],
    "bless": ["rivus-stale", "bless", "demo:fetch", "--why", "the same"],
    "judge": ["rivus-stale", "judge", "demo:fetch"],
    "rebuild": ["rivus-cost", "--rebuild", "demo"],
}
"""Commands about results that are there, made by older code."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """jobs.d, and a spool with two items done, whose code was edited since; to be copied."""
    root = tmp_path_factory.mktemp("results")
    for name in ("jobs.d", "spool"):
        (root / name).mkdir()
    for name, text in OLDER.items():
        (root / "jobs.d" / name).write_text(text)
    (root / "jobs.d/model.sh").chmod(0o755)
    here = ["--jobs", str(root / "jobs.d"), "--spool", str(root / "spool")]
    assert fork(["rivus-inject", "demo", *here], SOME) == fork(["rivus-run", "demo", *here]) == 0
    (root / "jobs.d/steps.py").write_text(NEWER)
    return root


def kill_later(results: Path, case: str, at: int) -> bool:
    """One crash of a command about results; after it the same command does the whole. False as in `play`."""
    root = fresh(results)
    shutil.copytree(results / "spool", root, dirs_exist_ok=True)
    here = ["--jobs", str(results / "jobs.d"), "--spool", str(root)]
    died = fork([*LATER[case], *here], "", at) == -signal.SIGKILL
    (root / "_verdicts/ledger.json").unlink(missing_ok=True)  # the next day has come
    assert fork([*LATER[case], *here]) == fork(["rivus-run", "demo", *here]) == fork(["rivus-sweep", *here]) == 0
    spool, job = Spool(str(root), f"{root}/_limits"), load_job(results / "jobs.d", "demo")
    check_conserved(spool, {"a.json", "b.json"}, job.plan)
    assert not empty_files(str(root)) and os.listdir(spool.owners) == []
    assert case == "rebuild" or Survey(spool, job).counts["fetch"].stale == 0
    spent = sum(row.spent.usd for row in accounts(spool, ["demo"], "2000-01-01")[0])
    assert spent == (1.5 if case == "reset" else 1.0)
    return died


@pytest.mark.parametrize("case", LATER)
def test_a_command_about_results_killed_at_some_calls_loses_nothing(results: Path, case: str) -> None:
    at = 1
    while kill_later(results, case, at):
        at += 6
    assert at > 1


@pytest.mark.torture
@pytest.mark.parametrize("case", LATER)
def test_a_command_about_results_killed_at_any_call_loses_nothing(results: Path, case: str) -> None:
    at = 0
    while kill_later(results, case, at := at + 1):
        pass
    assert at > 3
