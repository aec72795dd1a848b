"""Fixtures: an installation, and machines that a test may install to, break and kill; see tests/systemd_box.py."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.systemd_box import Box, Unavailable, booted

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ("Makefile", "README.md", "bin", "install", "jobs.d", "man", "pyproject.toml", "rivus", "units")
"""What an installation is made of."""


class MachineMaker(Protocol):
    def __call__(self, layers: Sequence[Path] = (), binds: Sequence[Path] = (), alone: bool = False) -> Box: ...


@pytest.fixture
def boot() -> Iterator[MachineMaker]:
    """`boot(layers=, binds=, alone=)` gives a machine that runs; all are gone after the test."""
    with ExitStack() as machines:

        def machine(layers: Sequence[Path] = (), binds: Sequence[Path] = (), alone: bool = False) -> Box:
            try:
                return machines.enter_context(booted(layers, binds, alone))
            except Unavailable as reason:
                pytest.skip(str(reason))

        yield machine


@pytest.fixture
def box(boot: MachineMaker) -> Box:
    """A machine with a systemd of its own, and this machine's files."""
    return boot()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make install PREFIX=/usr/local` puts below DESTDIR, made once for all tests; for reading and as a layer."""
    base = tmp_path_factory.getbasetemp()
    tree = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "installed"
    with tree.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            copy_source(source_of(tree))
            make(source_of(tree), "install", DESTDIR=tree.with_suffix(".new"), PREFIX="/usr/local")
            tree.with_suffix(".new").rename(tree)
    return tree


def source_of(installed: Path) -> Path:
    """The copy of the checkout that it was made of: the checkout itself may be edited while tests run."""
    return installed.with_suffix(".source")


def copy_source(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    left_out = shutil.ignore_patterns("__pycache__")
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=left_out)
        else:
            shutil.copy2(ROOT / name, target / name)


def make(source: Path, goal: str, **variables: object) -> str:
    """`make GOAL NAME=VALUE …` in a checkout; gives what it said."""
    done = subprocess.run(
        ["make", "--silent", goal, *(f"{name}={value}" for name, value in variables.items())],
        cwd=source, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def house_box(boot: MachineMaker, installed: Path) -> Box:
    """A machine on which rivus is installed in /usr/local, with its account and folders and an empty jobs.d."""
    box = boot(layers=[installed], alone=True)
    box.run("systemd-sysusers", "/usr/local/lib/sysusers.d/rivus.conf")
    box.run("sh", "-c", "rm -rf /etc/rivus/jobs.d/* && systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/rivus.conf")
    return box
