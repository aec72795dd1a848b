"""`make install`: a release of its own that runs anywhere, an upgrade that disturbs nobody, and a clean removal."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rivus.commands import NAMES
from tests.machines import make, source_of
from tests.systemd_box import Box

ROOT = Path(__file__).resolve().parent.parent
SLOW = """
import os, time
def look(item, ctx):
    open("began", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    import feedparser, rivus.sources.feed
    return {"files": [feedparser.__file__, rivus.sources.feed.__file__]}
"""
JOB = "discover: {strategy: files, glob: 'in/*'}\nstages: {look: {handler: slow.look}}\n"
SETUP = [sys.executable, "-B", str(ROOT / "install" / "install.py")]
CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def home(tree: Path) -> Path:
    return tree / "usr/local/lib/rivus"


def releases(tree: Path) -> set[str]:
    return {path.name for path in home(tree).iterdir() if path.is_dir() and not path.is_symlink()}


def names(tree: Path) -> set[str]:
    """Files and links below a folder, without what is inside of releases."""
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_symlink() or path.is_file()}
    return {name for name in found if not name.startswith(tuple(f"usr/local/lib/rivus/{r}/" for r in releases(tree)))}


def stamps(tree: Path) -> dict[Path, tuple[int, int]]:
    return {path: (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns) for path in tree.rglob("*") if not path.is_dir()}


def run(*argv: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, argv)], cwd=cwd or "/", env={**CLEAN, **env}, text=True, capture_output=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def tree(installed: Path, tmp_path: Path) -> Path:
    """A copy of the installation, to be changed; its one release is older than the checkout."""
    copy = tmp_path / "tree"
    subprocess.run(["cp", "-a", str(installed), str(copy)], check=True)
    (release,) = releases(copy)
    (home(copy) / release).rename(home(copy) / "0.0.9-old")
    (home(copy) / "current").unlink()
    (home(copy) / "current").symlink_to("0.0.9-old")
    return copy


def test_everything_is_where_a_system_expects_it(installed: Path) -> None:
    there, source = names(installed), source_of(installed)
    assert {f"usr/local/bin/{file.name}" for file in (source / "bin").iterdir()} <= there
    pages = (source / "man").glob("*.[157]")
    assert {f"usr/local/share/man/man{page.suffix[1:]}/{page.name}" for page in pages} <= there
    assert {"usr/local/lib/sysusers.d/rivus.conf", "usr/local/lib/tmpfiles.d/rivus.conf"} <= there
    assert os.readlink(home(installed) / "current") in releases(installed) and len(releases(installed)) == 1
    assert {path.split("/")[0] for path in there} == {"usr", "etc"}


def test_the_first_jobs_folder_has_limits_and_prices_and_no_job_that_runs(installed: Path) -> None:
    jobs = installed / "etc/rivus/jobs.d"
    assert sorted(file.name for file in jobs.glob("*.yaml")) == ["limits.yaml", "prices.yaml"]
    assert (jobs / "dml.yaml.example").read_text() == (source_of(installed) / "jobs.d/dml.yaml").read_text()
    assert run(installed / "usr/local/bin/rivus-check", "--jobs", jobs).returncode == 0


@pytest.mark.parametrize("name", ["rivus", *(f"rivus-{name}" for name in NAMES)])
def test_a_command_runs_its_release_whatever_the_environment_says(installed: Path, tmp_path: Path, name: str) -> None:
    trap = tmp_path / "rivus"
    trap.mkdir()
    (trap / "__init__.py").write_text("raise SystemExit('trapped')")
    link = tmp_path / "links" / name
    link.parent.mkdir()
    link.symlink_to(installed / "usr/local/bin" / name)
    for program in (link, installed / "usr/local/bin" / name):
        done = run(program, "--help", cwd=tmp_path, PYTHONPATH=str(tmp_path), PYTHONSTARTUP=str(trap / "__init__.py"))
        assert (done.returncode, done.stderr) == (0, ""), done
        assert name in done.stdout


def test_nothing_is_compiled_at_a_start(installed: Path) -> None:
    package = home(installed) / "current" / "rivus"
    for module in package.rglob("*.py"):
        assert Path(importlib.util.cache_from_source(str(module))).exists(), module
    for sub in ("__init__", "commands/ls"):
        compiled = Path(importlib.util.cache_from_source(str(package / f"{sub}.py"))).read_bytes()
        assert f"/usr/local/lib/rivus/{os.readlink(home(installed) / 'current')}/rivus".encode() in compiled
        assert str(installed).encode() not in compiled, "the file is named where it will be"


def test_the_units_come_along(installed: Path) -> None:
    templates = home(installed) / "current/rivus/units/templates"
    units = source_of(installed) / "units"
    shipped = {str(file.relative_to(units)) for file in units.rglob("*") if file.is_file()}
    assert shipped and shipped == {str(file.relative_to(templates)) for file in templates.rglob("*") if file.is_file()}


def test_an_upgrade_leaves_what_runs_alone(installed: Path, tree: Path, tmp_path: Path) -> None:
    for folder in ("jobs.d", "spool/job/look/ready"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "jobs.d/job.yaml").write_text(JOB)
    (tmp_path / "jobs.d/slow.py").write_text(SLOW)
    bin = tree / "usr/local/bin"
    (tmp_path / "spool/job/look/ready/a.json").write_text('{"id": "a"}')
    work = subprocess.Popen(
        [str(bin / "rivus-stage"), "--no-stdin", "job:look"], cwd=tmp_path, env=CLEAN, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_for(lambda: (tmp_path / "began").exists() or work.poll() is not None, "the handler")
        said = make(source_of(installed), "install", DESTDIR=tree, PREFIX="/usr/local")
        assert "0.0.9-old" in said and work.poll() is None
        assert os.readlink(home(tree) / "current") != "0.0.9-old" and len(releases(tree)) == 2
        (tmp_path / "go").touch()
        out, err = work.communicate(timeout=30)
    finally:
        work.kill()
    assert work.returncode == 0, err
    assert out.count("/0.0.9-old/") == 2, "what it imported afterwards is of its own release"
    (tmp_path / "spool/job/look/ready/b.json").write_text('{"id": "b"}')
    later = run(bin / "rivus-stage", "--no-stdin", "job:look", cwd=tmp_path)
    assert later.stdout.count(f"/{os.readlink(home(tree) / 'current')}/") == 2, "what starts now is newer"


def test_a_second_installation_changes_nothing_and_removes_what_nobody_runs(installed: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    subprocess.run(["cp", "-a", str(installed), str(tree)], check=True)
    before = stamps(tree)
    mine = tree / "etc/rivus/jobs.d/limits.yaml"
    shutil.copytree(home(tree) / "current" / "rivus", home(tree) / "0.0.9-old" / "rivus")
    (home(tree) / "0.0.9-old" / "lock").touch()
    (home(tree) / ".new-cut-short").mkdir()
    mine.write_text("# mine\n")
    make(source_of(installed), "install", DESTDIR=tree, PREFIX="/usr/local")
    after = stamps(tree)
    assert mine.read_text() == "# mine\n"
    for changing in (mine, home(tree) / "lock", home(tree) / "manifest"):
        before.pop(changing)
        after.pop(changing)
    assert after == before


def test_removal_leaves_only_what_belongs_to_people(installed: Path, tree: Path) -> None:
    spool = tree / "var/lib/rivus/spool"
    spool.mkdir(parents=True)
    (spool / "item.json").write_text("{}")
    (tree / "usr/local/bin/other").write_text("not ours")
    mine = {name for name in names(tree) if name.startswith("etc/")}
    said = make(source_of(installed), "uninstall", DESTDIR=tree, PREFIX="/usr/local")
    assert names_plain(tree) == mine | {"var/lib/rivus/spool/item.json", "usr/local/bin/other"}
    folders = {str(path.relative_to(tree / "usr/local")) for path in (tree / "usr/local").rglob("*") if path.is_dir()}
    sections = {f"share/man/man{section}" for section in "157"}
    assert folders == {"bin", "lib", "share", "share/man"} | sections, "what every system has, and no more"
    assert "/etc/rivus" in said and "/var/lib/rivus" in said
    again = run(*SETUP, "uninstall", "--prefix", "/usr/local", "--destdir", tree)
    assert again.returncode == 1 and "not installed" in again.stderr


def names_plain(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}


def test_it_is_not_removed_under_its_units(tree: Path) -> None:
    unit = tree / "etc/systemd/system/rivus-sweep.timer"
    unit.parent.mkdir(parents=True)
    unit.write_text("# Made by rivus-units from units/rivus-sweep.timer.\n")
    refused = run(*SETUP, "uninstall", "--prefix", "/usr/local", "--destdir", tree)
    assert refused.returncode == 1 and "rivus-units remove" in refused.stderr
    assert (home(tree) / "current").exists()


def test_a_persons_own_units_are_removed_by_a_command_for_them(tree: Path, tmp_path: Path) -> None:
    unit = tree / str(tmp_path).lstrip("/") / ".config/systemd/user/rivus-sweep.timer"
    own = tree / str(tmp_path).lstrip("/") / ".local/lib"
    own.mkdir(parents=True)
    shutil.copytree(home(tree), own / "rivus", symlinks=True)
    unit.parent.mkdir(parents=True)
    unit.write_text("# Made by rivus-units from units/rivus-sweep.timer.\n")
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    refused = run(*SETUP, "uninstall", "--prefix", tmp_path / ".local", "--destdir", tree, **env)
    assert refused.returncode == 1 and refused.stderr.rstrip().endswith("bin/rivus-units remove --user")


def test_the_files_of_what_runs_outlive_a_removal(tree: Path) -> None:
    with (home(tree) / "0.0.9-old" / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        refused = run(*SETUP, "uninstall", "--prefix", "/usr/local", "--destdir", tree)
        assert refused.returncode == 1 and "0.0.9-old" in refused.stderr
        assert (home(tree) / "0.0.9-old/rivus/__init__.py").exists()
    assert run(*SETUP, "uninstall", "--prefix", "/usr/local", "--destdir", tree).returncode == 0
    assert not home(tree).exists()


def test_two_installations_at_once_do_not_meet(tree: Path) -> None:
    with (home(tree) / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = run(*SETUP, "install", "--prefix", "/usr/local", "--destdir", tree)
    assert refused.returncode == 1 and "another installation" in refused.stderr


@pytest.mark.parametrize("prefix", ["relative", "/usr/../etc"])
def test_a_prefix_that_leads_anywhere_is_refused(tmp_path: Path, prefix: str) -> None:
    refused = run(*SETUP, "install", "--prefix", prefix, "--destdir", tmp_path)
    assert refused.returncode == 1 and "absolute path" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_who_may_not_write_there_is_told_what_to_do(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("needs root, to become somebody who may not")
    shutil.copytree(ROOT / "install", tmp_path / "install", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    program = ["setpriv", "--reuid", "65534", "--clear-groups", "--regid", "65534", "/usr/bin/python3", "-B"]
    refused = run(*program, tmp_path / "install/install.py", "install", "--prefix", "/usr/local")
    assert refused.returncode == 1 and "sudo make install" in refused.stderr and "PREFIX=~/.local" in refused.stderr


def test_on_a_machine_the_account_runs_it_and_sees_nothing_else(house_box: Box) -> None:
    confined = ["ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "ReadWritePaths=/var/lib/rivus/spool"]
    options = [part for option in confined for part in ("--property", option)]
    house_box.run("systemd-run", "--pipe", "--quiet", "--uid=rivus", *options, "/usr/local/bin/rivus-sweep")
    owners = house_box.run("stat", "--format=%U %a", "/var/lib/rivus/spool", "/etc/rivus/credentials").stdout
    assert owners == "rivus 750\nroot 700\n"


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
