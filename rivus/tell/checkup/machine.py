"""The machine and the installation: space, file system, rights, bytecode. Nothing here is slow or changes it."""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

import rivus
from rivus.spool.layout import network_file_system
from rivus.tell.checkup.finding import Finding, as_root, one_line, word
from rivus.tell.checkup.visit import Visit, sample, walk

GRAVE, LOW = 0.01, 0.05
"""Shares of a file system that are left."""
LEAST_BYTES = 100 << 20
OLD_JOURNAL = 30 * 86400.0
TEST_BYTES = 1 << 30
MODULES = ("__init__.py", "talk.py", "run.py", "commands/frame.py", "spool/desk.py")


def space(visit: Visit) -> Iterator[Finding]:
    """How much room the spool's file system has left."""
    state = os.statvfs(visit.spool.root)
    free, size = state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize
    if size and (free < LEAST_BYTES or free < LOW * size):
        what = f"{free >> 20} MiB of {size >> 20} MiB are free where the spool is ({free / size:.1%})"
        grave = free < LEAST_BYTES or free < GRAVE * size
        yield Finding(what, _make_room(visit, "du -xh"), grave)


def inodes(visit: Visit) -> Iterator[Finding]:
    """How many more files the spool's file system can hold; some have no such limit."""
    state = os.statvfs(visit.spool.root)
    if state.f_files and state.f_favail < LOW * state.f_files:
        what = f"{state.f_favail} of {state.f_files} inodes are free where the spool is: one for each file"
        yield Finding(what, _make_room(visit, "du -x --inodes"), state.f_favail < GRAVE * state.f_files)


def _make_room(visit: Visit, usage: str) -> str:
    """Removes what is not needed; without such a thing, shows what takes the room."""
    root, journal = visit.spool.root, visit.spool.journal
    if os.path.isdir(f"{root}/_test"):
        return f"rm -r -- {word(f'{root}/_test')}"
    if any(visit.now - state.st_mtime > OLD_JOURNAL for _, state in sample(journal)):
        return f"find {word(journal)} -name '*.jsonl' -mtime +30 -delete"
    return f"{usage} --max-depth=3 -- {word(root)} | sort -h | tail -n 20"


def network(visit: Visit) -> Iterator[Finding]:
    """A spool on a network file system, which makes no promise about locks and renames."""
    if kind := network_file_system(visit.spool.root):
        base = os.path.dirname(visit.spool.limits)
        mend = f"cp -a -- {word(base)} /var/lib/rivus/spool && export RIVUS_SPOOL=/var/lib/rivus/spool"
        yield Finding(f"{base} is on {kind}: locks and renames cannot be trusted there", mend, grave=True)


def rights(visit: Visit) -> Iterator[Finding]:
    """Whether everything in the spool belongs to whom the spool belongs to, and can be written by them."""
    root, me = visit.spool.root, os.geteuid()
    owner = os.stat(root).st_uid
    if me not in (0, owner):
        what = f"the spool belongs to {_user(owner)}, and you are {_user(me)}"
        yield Finding(what, f"sudo -u {word(_user(owner))} {visit.commands.rivus('doctor')}", grave=True)
    foreign, closed = [], []
    for path, state in walk(root, each=200, most=20_000):
        if state.st_uid != owner:
            foreign.append(path)
        elif not stat.S_ISLNK(state.st_mode) and not _open_to_owner(state.st_mode):
            closed.append(path)
    if foreign:
        what = f"{len(foreign)} or more files of the spool do not belong to {_user(owner)}: {one_line(foreign[0])}"
        yield Finding(what, as_root(f"chown -hR -- {word(_user(owner))} {word(root)}"), grave=True)
    if closed:
        what = f"{len(closed)} or more files of the spool are closed to their owner: {one_line(closed[0])}"
        mend = f"chmod -R u+rwX -- {word(root)}"
        yield Finding(what, mend if me == owner else as_root(mend), grave=True)


def _open_to_owner(mode: int) -> bool:
    needed = stat.S_IRWXU if stat.S_ISDIR(mode) else stat.S_IRUSR
    return mode & needed == needed


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def large_test_spool(visit: Visit) -> Iterator[Finding]:
    """A spool of tests that has grown large."""
    folder, size = f"{visit.spool.root}/_test", 0
    for _, state in walk(folder, each=50_000, most=50_000) if os.path.isdir(folder) else ():
        size += state.st_size
        if size > TEST_BYTES:
            yield Finding("the spool of tests, _test, takes more than 1 GiB", f"rm -r -- {word(folder)}")
            return


def bytecode(visit: Visit) -> Iterator[Finding]:
    """Modules that are compiled anew at each start, because what comes out cannot be kept."""
    package = Path(rivus.__file__).parent
    if finding := uncompiled(package):
        yield finding


def uncompiled(package: Path) -> Finding | None:
    """The finding for a package of ours in that folder."""
    files = [package / module for module in MODULES if (package / module).is_file()]
    missing = [file for file in files if not os.path.exists(cache_from_source(str(file)))]
    if not missing or os.access(missing[0].parent, os.W_OK, effective_ids=True):
        return None
    what = f"{package} is without bytecode and cannot be written to: each start compiles it anew"
    return Finding(what, f"{as_root(word(sys.executable))} -m compileall -q {word(str(package))}")
