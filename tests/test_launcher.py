"""The launcher of installed commands alone, with releases of a few lines."""

from __future__ import annotations

import fcntl
import importlib.util
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from tests.test_install import ROOT, run, wait_for


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    """A folder with the launcher as rivus-ls, and `release` to make one current."""
    (tmp_path / "bin").mkdir()
    launcher = tmp_path / "bin/rivus"
    launcher.write_text(f"#!{sys.executable} -I\n{(ROOT / 'install/launcher').read_text()}")
    launcher.chmod(0o755)
    (tmp_path / "bin/rivus-ls").symlink_to("rivus")
    return tmp_path / "bin"


def release(bin: Path, name: str, code: str = "") -> Path:
    folder = bin.parent / "lib/rivus" / name
    (folder / "rivus/commands").mkdir(parents=True)
    (folder / "rivus/__init__.py").touch()
    (folder / "rivus/commands/__init__.py").touch()
    (folder / "rivus/commands/ls.py").write_text(f"def main():\n    {code or f'print({name!r})'}\n")
    (folder / "lock").touch()
    swap = bin.parent / "lib/rivus/new"
    swap.symlink_to(name)
    swap.rename(bin.parent / "lib/rivus/current")
    return folder


def load_release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install_release", ROOT / "install" / "release.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_start_while_releases_come_and_go_always_finds_one(bin: Path) -> None:
    release(bin, "0")
    module = load_release()
    ended = threading.Event()

    def upgrade() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            release(bin, str(number))
            module.remove_releases(bin.parent / "lib/rivus", str(number))

    upgrades = threading.Thread(target=upgrade)
    upgrades.start()
    try:
        done = [run(bin / "rivus-ls") for _ in range(60)]
    finally:
        ended.set()
        upgrades.join()
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 60
    assert len({one.stdout for one in done}) > 5, "there were many releases"


def test_a_release_is_held_until_its_process_ends(bin: Path) -> None:
    module = load_release()
    folder = release(bin, "a", "print('here', flush=True); input()")
    process = subprocess.Popen([str(bin / "rivus-ls")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    assert not module.remove_release(folder) and folder.exists()
    process.communicate("\n", timeout=30)
    assert module.remove_release(folder) and not folder.exists()


def test_a_stranger_who_locks_a_release_stops_nobody(bin: Path) -> None:
    with (release(bin, "a") / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(bin / "rivus-ls").stdout == "a\n"


def test_a_command_that_replaces_itself_comes_out_in_the_newer_release(bin: Path) -> None:
    again = "import os, sys; input() and os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])"
    folder = release(bin, "a", again)
    process = subprocess.Popen([str(bin / "rivus-ls")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: locked(folder), "its start")
    release(bin, "b")
    assert process.communicate("again\n", timeout=30)[0] == "b\n"
    assert not locked(folder)


def locked(folder: Path) -> bool:
    with (folder / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_broken_installation_is_said_to_be_one(bin: Path) -> None:
    folder = release(bin, "a")
    shutil.rmtree(folder)
    broken = run(bin / "rivus-ls")
    assert broken.returncode == 78 and "make install again" in broken.stderr and "Traceback" not in broken.stderr
