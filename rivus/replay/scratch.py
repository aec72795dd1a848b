"""A try beside production: its folders are elsewhere, and what it finds there are copies.

The files of the stages before are copied before the handler runs; the stage's state (`ctx.state`) is copied once for
all items of a replay, when it is first asked for. What a handler changes there is thrown away. A killed replay leaves
its folder; its lock is free then, and the next replay removes it.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from rivus.locks import try_lock
from rivus.model.item import stem
from rivus.spool import atomic
from rivus.spool.layout import Spool
from rivus.work.context import ItemContext

PREFIX = "rivus-replay-"
_YOUNG = 60.0
"""Seconds for which a hidden folder may be one whose replay has just begun."""


@contextmanager
def own_folder() -> Iterator[str]:
    """A directory of this process with nothing but its lock, which goes in the end. Raises OSError."""
    remove_leftovers()
    hidden = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
    folder = str(hidden.with_name(hidden.name[1:]))
    held = try_lock(hidden / ".lock")
    atomic.rename(str(hidden), folder)  # it has its name only once it is locked
    try:
        yield folder
    finally:
        with suppress(OSError):  # a handler that hangs may still write there
            atomic.remove_tree(folder)
        if held:
            held.release()


def remove_leftovers() -> None:
    """Removes the folders of this user's replays that were killed."""
    place = Path(tempfile.gettempdir())
    for path in [*place.glob(f"{PREFIX}*"), *place.glob(f".{PREFIX}*")]:
        with suppress(OSError):
            status = path.lstat()
            young = path.name.startswith(".") and time.time() - status.st_mtime < _YOUNG
            if not S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or young:
                continue
            if held := try_lock(path / ".lock"):
                with held:
                    atomic.remove_tree(str(path))


class Scratch:
    """The folder of a replay. root: a directory as `own_folder` gives it."""

    def __init__(self, root: str, spool: Spool, job: str, stage: str) -> None:
        self._root, self._spool, self._job, self._stage = root, spool, job, stage
        self._turn = threading.Lock()

    def files(self, name: str, stages: tuple[str, ...]) -> str:
        """A folder of the item's files with copies of what these stages have written."""
        folder = f"{self._root}/{stem(name)}"
        atomic.make_folder(folder)
        for stage in stages:
            copy_tree(f"{self._spool.files(self._job, name)}/{stage}", f"{folder}/{stage}")
        return folder

    def drop(self, folder: str) -> None:
        """Removes the folder of an item that is compared."""
        atomic.remove_tree(folder)

    @property
    def state(self) -> str:
        """A copy of the stage's state, the same for all tries."""
        target = f"{self._root}/.state"
        with self._turn:
            if not os.path.isdir(target):
                atomic.make_folder(target)
                copy_tree(self._spool.state(self._job, self._stage), target)
        return target


class ReplayContext(ItemContext):
    """The context of such a try."""

    def __init__(self, scratch: Scratch, **given: Any) -> None:
        super().__init__(**given)
        self._scratch = scratch

    @property
    def state(self) -> Path:
        return Path(self._scratch.state)


def copy_tree(source: str, target: str) -> None:
    """Copies the regular files and directories below `source`; what is neither, or is not there, is left out."""
    try:
        with os.scandir(source) as found:
            entries = list(found)
    except (FileNotFoundError, NotADirectoryError):
        return
    atomic.make_folder(target)
    for entry in entries:
        mode = entry.stat(follow_symlinks=False).st_mode
        there = str(Path(target, entry.name))
        if S_ISDIR(mode):
            copy_tree(entry.path, there)
        elif S_ISREG(mode):
            with suppress(FileNotFoundError):  # a database's journal comes and goes
                atomic.copy(entry.path, there)
