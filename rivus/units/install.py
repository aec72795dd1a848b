"""Makes the unit files of a place be those that `render` gives, and the service manager follow.

A file is ours if its first line says so; no other is ever changed or removed, nor a drop-in (`UNIT.d/`). Units that
wait for something (timers, paths, sockets) are enabled and started when they are new, restarted when they have
changed, stopped and disabled when they are no longer needed. What a person disabled stays so. Services are never
stopped or restarted: a stage at work ends by itself.

A crash leaves `.rivus-units.todo`, written before the first change and removed after the last: the next call does
what it names. Unit files are replaced by a rename, so each is whole at any time.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.errors import BadConfig, RivusError, TryAgain
from rivus.spool import atomic
from rivus.units.render import HEADER

if TYPE_CHECKING:
    from rivus.config.schema import Job
    from rivus.units.manager import Manager
    from rivus.units.place import Place

PATIENCE = 60.0
"""Seconds to wait for another installation that is at work."""
LONGEST = 2**20
_UNIT = re.compile(r"rivus[a-z0-9_@:.-]*\.(?:service|timer|path|slice|socket)")
_OF_JOB = re.compile(r"rivus-(?:(?:discover|stage)@)?([a-z][a-z0-9_]*)(?::[a-z0-9_]+)?\.\w+")
_WAITS = (".timer", ".path", ".socket")


@dataclass(frozen=True)
class Changes:
    """new, changed: the name of a unit file -> its text. gone: names of those no longer needed. before: what the files
    that differ say now."""

    new: Mapping[str, str]
    changed: Mapping[str, str]
    gone: Mapping[str, str]
    before: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


def compare(wanted: Mapping[str, str], folder: Path, untouched: Collection[str] = ()) -> Changes:
    """What is to be done so that `folder` holds what is wanted. untouched: jobs whose units stay as they are. Raises
    BadConfig: a file that is not ours has a name that is needed."""
    there = dict(_ours(folder))
    for name in wanted.keys() - there.keys():
        if os.path.lexists(folder / name):
            raise BadConfig(f"{folder / name} was not made by rivus-units: move it away, or make it a drop-in")
    free = {name: text for name, text in wanted.items() if job_of(name) not in untouched}
    changed = {name: text for name, text in free.items() if name in there and there[name] != text}
    gone = {name: text for name, text in there.items() if name not in wanted and job_of(name) not in untouched}
    return Changes(
        new={name: text for name, text in free.items() if name not in there},
        changed=changed,
        gone=gone,
        before={name: there[name] for name in changed},
    )


def diff(changes: Changes, folder: Path) -> Iterator[str]:
    """What `install` would change, as a unified diff, line by line without line ends."""
    from difflib import unified_diff

    after = {**changes.new, **changes.changed}
    before = {**changes.before, **changes.gone}
    for name in sorted(after.keys() | before.keys()):
        old, new = before.get(name), after.get(name)
        yield from unified_diff(
            (old or "").splitlines(),
            (new or "").splitlines(),
            "/dev/null" if old is None else str(folder / name),
            "/dev/null" if new is None else str(folder / name),
            lineterm="",
        )


def install(
    wanted: Mapping[str, str], folder: Path, manager: Manager | None, *, untouched: Collection[str] = (),
    start: bool = True,
) -> Changes:  # fmt: skip
    """Does what `compare` says, and tells it. manager: None writes the files only. start: also start what waits now;
    else at the next boot, or the next call. Raises BadConfig before anything is changed; TryAgain, RivusError."""
    make_folders(folder)
    with _alone(folder):
        changes = compare(wanted, folder, untouched)
        todo = _Todo.of(folder, changes)
        if changes or todo.left:
            _apply(changes, folder, manager, todo, start)
    return changes


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Puts unit files into a folder, made if need be, over what is there. Everybody may read them, whatever the umask:
    the check-up, which is not root, compares them, and systemd warns of closed ones at each reload."""
    make_folders(folder)
    draft, before = folder / ".rivus-units.new", os.umask(0o022)
    try:
        for name, text in texts.items():
            atomic.remove(str(draft))
            atomic.write_new(str(draft), text.encode())
            atomic.rename(str(draft), str(folder / name))
    finally:
        os.umask(before)
    atomic.sync(str(folder))


def prepare(jobs: Iterable[Job], place: Place) -> None:
    """Makes the spool's folders that the path units watch, with the rights of the account whose they are: nothing that
    it could put in the way (a symbolic link) leads anywhere it may not write. Raises BadConfig, OSError."""
    from rivus.spool.layout import open_spool

    if place.user:
        make_folders(place.spool)
    with _acting_as(None if place.user else place.account):
        spool = open_spool(str(place.spool))
        for job in jobs:
            spool.prepare(job.plan)


def job_of(unit: str) -> str:
    """The job that a unit is for; of a unit that is there once, a word that is no job's unit."""
    found = _OF_JOB.fullmatch(unit)
    return found[1] if found and ("@" in unit or unit.endswith(".slice")) else ""


@dataclass(frozen=True)
class _Todo:
    """What is still to be told to the manager. left: by a call that did not come to its end."""

    path: str
    new: set[str]
    changed: set[str]
    left: bool

    @classmethod
    def of(cls, folder: Path, changes: Changes) -> _Todo:
        path = folder / ".rivus-units.todo"
        text = _text(path)
        try:
            old = json.loads(text or "{}")
            new, changed = set(map(str, old.get("new", []))), set(map(str, old.get("changed", [])))
        except (ValueError, AttributeError, TypeError):
            new, changed = set(), set()
        gone = set(changes.gone)
        return cls(
            str(path), _waiting((new | changes.new.keys()) - gone), _waiting((changed | changes.changed.keys()) - gone),
            text is not None,
        )  # fmt: skip

    def note(self) -> None:
        write({".rivus-units.todo": json.dumps({"new": sorted(self.new), "changed": sorted(self.changed)})},
              Path(self.path).parent)  # fmt: skip


def _apply(changes: Changes, folder: Path, manager: Manager | None, todo: _Todo, start: bool) -> None:
    todo.note()
    gone, fault = _waiting(changes.gone), ""
    if manager:
        manager.stop(gone)
        manager.disable(gone)
    for name in changes.gone:
        atomic.remove(str(folder / name))
    write({**changes.new, **changes.changed}, folder)
    if manager:
        manager.enable(todo.new)
        manager.reload()
        manager.forget(changes.gone)
        if not start:
            return
        fault = _started(todo, manager)
    atomic.remove(todo.path)
    if fault:
        raise RivusError(f"{fault} (`rivus-doctor` names the unit)")


def _started(todo: _Todo, manager: Manager) -> str:
    """Starts what is new and restarts what has changed; what went wrong, or "". One that does not start (its port is
    taken, say) keeps no other from it; to try it again is a person's, or each edit of jobs.d would fail anew."""
    faults = []
    for act, units in ((manager.start, todo.new), (manager.restart, todo.changed - todo.new)):
        try:
            act(units)
        except RivusError as error:
            faults.append(str(error))
    return "; ".join(faults)


def _waiting(units: Iterable[str]) -> set[str]:
    return {name for name in units if name.endswith(_WAITS)}


def _ours(folder: Path) -> Iterator[tuple[str, str]]:
    """The unit files that we made, and their texts."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        text = _text(folder / name) if _UNIT.fullmatch(name) else None
        if text is not None and text.startswith(HEADER):
            yield name, text


def _text(path: Path) -> str | None:
    """A regular file's text; None for anything else."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST)
    except FileNotFoundError:
        return None


def make_folders(folder: Path) -> None:
    """Makes a folder and those above it, as far as they are not there."""
    for each in [*reversed(folder.parents), folder]:
        atomic.make_folder(str(each))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While another installation is at work there (a person's, the path unit's), waits."""
    from rivus.locks import lock

    path, until = folder / ".rivus-units.lock", time.monotonic() + PATIENCE
    held = lock(path, lambda: time.monotonic() > until)
    if held is None:
        raise TryAgain(f"another rivus-units has been at work in {folder} for {PATIENCE:g} s")
    with held:
        try:
            yield
        finally:
            atomic.remove(str(path))


@contextmanager
def _acting_as(account: str | None) -> Iterator[None]:
    """With the rights of another account, for root; None, or not root: as we are."""
    if account is None or os.geteuid() != 0:
        yield
        return
    import pwd

    try:
        entry = pwd.getpwnam(account)
    except KeyError:
        raise BadConfig(f"there is no account {account}: `systemd-sysusers` makes it (`make install` does)") from None
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
