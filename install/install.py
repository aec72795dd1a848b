"""`make install` and `make uninstall`: python3 install.py install|uninstall --prefix DIR [--destdir DIR]

Contract: Python 3.11 with pip or ensurepip, and a package index that pip reaches; nothing else. A release is one folder
with everything it needs, PREFIX/lib/rivus/VERSION-DIGEST, made aside and renamed; the digest is that of our own files,
the versions of all others and the Python. The link `current` is swapped in one rename, so what runs goes on with the
files it began with, and an older release is removed only when its lock shows that nobody runs it. What lies outside
PREFIX/lib/rivus stands in PREFIX/lib/rivus/manifest. A person's files are never written over and never removed:
jobs.d, the spool, credentials. Exit codes: 0 done, 1 not possible, with the reason on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from release import (
    ROOT,
    Refused,
    interpreter,
    link,
    locked,
    make_release,
    remove_releases,
    run,
    swap,
    write,
)

HIDDEN = tuple(map(Path, ("/root", "/home", "/tmp", "/var/tmp")))
"""Where the account that the units run as can see nothing."""
STANDARD = {".", "bin", "lib", "share", "share/man", *(f"share/man/man{section}" for section in "157")}
"""Folders that stay when they are empty: Debian has links to some of them."""
PYTHONS = [f"/usr/bin/python3{minor}" for minor in ("", ".14", ".13", ".12", ".11")] + ["/usr/local/bin/python3"]
PROBE = """
import sys
from importlib.util import find_spec
sys.exit(sys.version_info < (3, 11) or not (find_spec("pip") or find_spec("ensurepip")))
"""


class Goal(NamedTuple):
    """Where to install. root: DESTDIR, `/` for this machine itself."""

    prefix: Path
    root: Path

    def at(self, path: str | Path) -> Path:
        """The place of a path of the installed machine; a relative one is below PREFIX."""
        return self.root / (self.prefix / path).relative_to("/")

    @property
    def home(self) -> Path:
        return self.at("lib/rivus")

    @property
    def personal(self) -> bool:
        """For one account rather than for the machine."""
        return self.prefix.is_relative_to(Path.home()) and Path.home() != Path("/")

    @property
    def here(self) -> bool:
        return self.root == Path("/")


def install(goal: Goal) -> None:
    """Makes a release, makes it current, removes those that nobody runs."""
    allowed(goal)
    with locked(goal.home):
        release = make_release(goal.home, goal.prefix / "lib/rivus")
        write_files(goal)
        swap(goal.home, release)
        kept = remove_releases(goal.home, but=release)
    first_jobs(goal)
    if goal.here and not goal.personal:
        make_account(goal)
    farewell(goal, release, kept)


def uninstall(goal: Goal) -> None:
    """Removes what `install` made."""
    if not (goal.home / "manifest").is_file():
        raise Refused(f"rivus is not installed in {goal.at('.')}")
    allowed(goal)
    if units := sorted(units_of(goal)):
        remove = f"{goal.at('bin/rivus-units')} remove{' --user' if goal.personal else ''}"
        raise Refused(f"its systemd units are still there ({units[0]} …); first: {remove}")
    with locked(goal.home):
        (goal.home / "current").unlink(missing_ok=True)
        for name in manifest(goal):
            remove_file(goal, name)
        if kept := remove_releases(goal.home, but=""):
            raise Refused(f"{', '.join(kept)} is at work; when it has ended, run this again to remove its files")
        shutil.rmtree(goal.home)
    config, state = people(goal)
    say(f"rivus is removed. Kept: {config} (jobs, credentials), {state} (the spool)")


def allowed(goal: Goal) -> None:
    """Raises Refused when this account may not write there."""
    folder = goal.at(".")
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"{folder} cannot be written to: sudo make install, or for yourself make install PREFIX=~/.local")


def write_files(goal: Goal) -> None:
    """Launchers, man pages, account, examples; what an older release had and this one has not goes."""
    before, sources = set(manifest(goal)), dict(files(goal))
    links = {f"bin/{path.name}" for path in (ROOT / "bin").iterdir() if path.is_symlink()}
    now = sources.keys() | links
    # Before the files: an installation that is cut short can be removed all the same.
    write(goal.home / "manifest", "".join(f"{name}\n" for name in sorted(now | before)).encode())
    for name, source in sources.items():
        write(goal.at(name), content(source), executable=name == "bin/rivus" or os.access(source, os.X_OK))
    for name in links:
        link(goal.at(name), "rivus")
    for name in before - now:
        remove_file(goal, name)
    write(goal.home / "manifest", "".join(f"{name}\n" for name in sorted(now)).encode())


def files(goal: Goal) -> Iterator[tuple[str, Path]]:
    """What to write below PREFIX, and the file that it is made of."""
    yield "bin/rivus", ROOT / "install" / "launcher"
    yield from ((f"share/man/man{page.suffix[1:]}/{page.name}", page) for page in (ROOT / "man").glob("*.[157]"))
    yield from ((f"share/rivus/jobs.d/{name}", ROOT / "jobs.d" / name) for name in examples())
    if not goal.personal:
        for kind in ("sysusers.d", "tmpfiles.d"):
            yield f"lib/{kind}/rivus.conf", ROOT / "units" / kind / "rivus.conf"


def examples() -> list[str]:
    """The files of jobs.d that ship, by their names in it."""
    every = (path for path in (ROOT / "jobs.d").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sorted(str(path.relative_to(ROOT / "jobs.d")) for path in every)


def content(source: Path) -> bytes:
    """A file to be installed; the launcher gets the Python that the release was made with."""
    text = source.read_bytes()
    return f"#!{interpreter()} -I\n".encode() + text if source.name == "launcher" else text


def manifest(goal: Goal) -> list[str]:
    """What the last installation wrote outside of its home, below PREFIX."""
    file = goal.home / "manifest"
    names = file.read_text("utf-8").splitlines() if file.is_file() else []
    return [name for name in names if not name.startswith("/") and ".." not in name.split("/")]


def remove_file(goal: Goal, name: str) -> None:
    """Removes one file, and the folders that are empty without it and belong to nobody else."""
    goal.at(name).unlink(missing_ok=True)
    prune(goal, goal.at(name).parent)


def prune(goal: Goal, folder: Path) -> None:
    """Removes empty folders upwards, up to those that every system has."""
    with contextlib.suppress(OSError):
        while folder.is_relative_to(goal.at(".")) and str(folder.relative_to(goal.at("."))) not in STANDARD:
            folder.rmdir()
            folder = folder.parent


def people(goal: Goal) -> tuple[Path, Path]:
    """The folders that belong to the people who use it: configuration and state."""
    if not goal.personal:
        return goal.at("/etc/rivus"), goal.at("/var/lib/rivus")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return goal.at(config / "rivus"), goal.at(state / "rivus")


def first_jobs(goal: Goal) -> None:
    """A first jobs.d where there is none: limits and prices that hold, jobs that nobody asked for yet as examples."""
    config, state = people(goal)
    jobs = config / "jobs.d"
    if goal.personal:
        (state / "spool").mkdir(mode=0o700, parents=True, exist_ok=True)
    if jobs.is_dir() and any(jobs.iterdir()):
        return
    for name in examples():
        off = name.endswith(".yaml") and name not in ("limits.yaml", "prices.yaml")
        if name != "demo.yaml":
            source = ROOT / "jobs.d" / name
            write(jobs / (f"{name}.example" if off else name), source.read_bytes(), os.access(source, os.X_OK))


def units_of(goal: Goal) -> Iterator[str]:
    """The unit files of ours that systemd still knows."""
    home = people(goal)[0].parent / "systemd/user" if goal.personal else goal.at("/etc/systemd/system")
    for file in home.glob("rivus*"):
        if file.is_file() and file.read_bytes().startswith(b"# Made by rivus-units "):
            yield file.name


def make_account(goal: Goal) -> None:
    """The account and the folders of the system; where there is no systemd it needs none, a person's cron does it."""
    for program, kind, *options in (("systemd-sysusers", "sysusers.d"), ("systemd-tmpfiles", "tmpfiles.d", "--create")):
        if shutil.which(program):
            file = goal.at(f"lib/{kind}/rivus.conf")
            run([program, *options, str(file)], f"what {file} asks for is missing")


def farewell(goal: Goal, release: str, kept: list[str]) -> None:
    """What is where, and what comes next."""
    say(f"rivus {release} is installed in {goal.at('.')}; jobs: {people(goal)[0] / 'jobs.d'}")
    if kept:
        say(f"Still there, because commands of it run: {', '.join(kept)}. The next installation removes it.")
    if goal.here and str(goal.at("bin")) not in os.environ.get("PATH", "").split(":"):
        say(f"{goal.at('bin')} is not in PATH.")
    if closed(goal):
        say(f"Other accounts cannot run it: {interpreter()} is closed to them. Choose another with PYTHON=")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def closed(goal: Goal) -> bool:
    """Whether the installation is for every account, and this Python is closed to them."""
    return not goal.personal and any(Path(interpreter()).is_relative_to(folder) for folder in HIDDEN)


def better_python(goal: Goal) -> str | None:
    """A Python that every account can run, when this one is closed to them."""
    if not closed(goal):
        return None
    there = (python for python in PYTHONS if os.access(python, os.X_OK))
    return next((python for python in there if not subprocess.run([python, "-c", PROBE], check=False).returncode), None)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Installs rivus, or removes it.")
    parser.add_argument("verb", choices=("install", "uninstall"))
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--destdir", default="")
    asked = parser.parse_args()
    os.umask(0o022)
    try:
        prefix, root = Path(asked.prefix).expanduser(), Path(asked.destdir or "/").absolute()
        if not prefix.is_absolute() or ".." in prefix.parts:
            raise Refused(f"PREFIX must be an absolute path, and is {str(prefix)!r}")
        goal = Goal(prefix, root)
        if asked.verb == "install" and (python := better_python(goal)):
            os.execv(python, [python, "-B", *sys.argv])
        (install if asked.verb == "install" else uninstall)(goal)
    except (Refused, OSError) as error:
        sys.exit(f"make {asked.verb}: {error}")


if __name__ == "__main__":
    main()
