"""Releases: folders of their own in one home, one of them current, each held by those who run it.

Contract: HOME/VERSION-DIGEST has everything that a release needs and a file `lock`; whoever runs it holds a shared lock
on that, as install/launcher does. The link HOME/current names one. A release is made aside and renamed, `current` is
swapped by a rename, and what is removed was locked exclusively first. HOME/lock: one installation at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Refused(Exception):
    """It cannot be done; the text says why and what to do."""


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """One installation at a time."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"another installation into {home} is at work") from None
        yield


def make_release(home: Path, final: Path) -> str:
    """Makes the folder of this release unless it is there; gives its name. final: where `home` will be in the end."""
    for left in [*home.glob(".new-*"), *home.glob(".old-*")]:
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=home) as folder:
        made = Path(folder) / "release"
        fetch(made)
        name = name_of(made)
        if not (home / name).is_dir():
            compile_all(made, final / name)
            (made / "lock").touch(0o644)
            made.chmod(0o755)
            os.sync()  # A link to files that a power cut has emptied would stop every command.
            made.rename(home / name)
    return name


def fetch(target: Path) -> None:
    """rivus and all that it needs, by pip."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["-qq", "--disable-pip-version-check", "--no-compile", "--no-warn-script-location"]
        pip([*options, "--root-user-action=ignore", "--target", str(target), f"{ROOT}[all]"], Path(folder))
    for scripts in ("bin", "share"):
        shutil.rmtree(target / scripts, ignore_errors=True)


def pip(arguments: list[str], folder: Path) -> None:
    """Runs pip's install; where this Python has none, one of a virtual environment in `folder`."""
    python = sys.executable
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        run([python, "-m", "venv", str(folder)], "on Debian and Ubuntu: apt install python3-venv")
        python = str(folder / "bin" / "python")
    run([python, "-m", "pip", "install", *arguments], "pip says above what is missing")


def run(argv: list[str], hint: str) -> None:
    """Runs a program to its end; raises Refused if it fails."""
    if code := subprocess.run(argv, stdin=subprocess.DEVNULL, check=False, cwd="/").returncode:
        raise Refused(f"{' '.join(argv[:4])} … ended with {code}: {hint}")


def name_of(made: Path) -> str:
    """VERSION-DIGEST of a release that has just been made."""
    version = re.search(r'__version__ = "([\w.]+)"', (made / "rivus/__init__.py").read_text("utf-8"))
    digest = hashlib.sha256(f"{interpreter()} {sys.version}".encode())
    for package in sorted(entry.name for entry in made.glob("*.dist-info")):
        digest.update(package.encode() + b"\0")
    for file in sorted((made / "rivus").rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(made)}\0".encode() + file.read_bytes() + b"\0")
    return f"{version[1] if version else '0'}-{digest.hexdigest()[:12]}"


def compile_all(made: Path, final: Path) -> None:
    """Bytecode that names the files where they will be: the account that runs them cannot write it."""
    options = ["-q", "-j0", "-s", str(made), "-p", str(final)]
    # Some packages carry templates that are no Python: pip passes over them, too.
    subprocess.run([sys.executable, "-m", "compileall", *options, str(made)], capture_output=True, check=False)


def interpreter() -> str:
    """This Python, also when it runs in a virtual environment; with its version, which an upgrade of it changes."""
    path = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    if re.search(r"\s", path) or len(path) > 100:
        raise Refused(f"{path!r} cannot stand in the first line of a script; choose another with PYTHON=")
    return path


def swap(home: Path, release: str) -> None:
    """From now on commands start with this release."""
    link(home / "current", release)


def remove_releases(home: Path, but: str) -> list[str]:
    """Removes all others that nobody runs; gives the names of those that somebody does."""
    others = [path for path in home.iterdir() if (path / "lock").is_file() and path.name not in (but, "current")]
    return [other.name for other in sorted(others) if not remove_release(other)]


def remove_release(folder: Path) -> bool:
    """Whether nobody held it, so that it could be removed."""
    with (folder / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(folder.rename(folder.with_name(f".old-{folder.name}")))
    return True


def write(path: Path, data: bytes, executable: bool = False) -> None:
    """Writes a file at once as a whole, if it is not so already."""
    mode = 0o755 if executable else 0o644
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.write_bytes(data)
    new.chmod(mode)
    new.replace(path)


def link(path: Path, target: str) -> None:
    """Makes a symbolic link, or points it elsewhere in one step."""
    if path.is_symlink() and os.readlink(path) == target:
        return
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)
