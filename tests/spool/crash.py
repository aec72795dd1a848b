"""A process that dies at any one of its file-system calls, and a disk that loses what was not synced.

`Crash` is raised by the door in place of the n-th call and of every call after it: a dead process does nothing more.
`Disk` replays a record of calls as a journalling file system would have kept it: names in order up to some point that
is not before the last directory sync that covers them, and the bytes of a file only if they were synced.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rivus.model.plan import Plan
from rivus.model.states import BOXES, Box
from rivus.spool import atomic
from rivus.spool.layout import Spool, open_spool
from rivus.spool.owners import Owner

PLAN = Plan("job", {"fetch": (), "extract": ("fetch",), "score": ("extract",)})


class Crash(BaseException):
    """The process is dead."""


@contextmanager
def tapped(tap: Callable[..., None]) -> Iterator[None]:
    """Every call that changes the file system goes to `tap` first."""
    atomic.tap = tap
    try:
        yield
    finally:
        atomic.tap = None


def calls_of(action: Callable[[], Any]) -> int:
    """How many calls `action` makes."""
    seen: list[str] = []
    with tapped(lambda call, *rest: seen.append(call)):
        action()
    return len(seen)


def dies_at(number: int, action: Callable[[], Any]) -> bool:
    """Runs `action` until its call `number` (from 1), and not further. False if it ended before."""
    count = 0

    def tap(call: str, *details: Any) -> None:
        nonlocal count
        count += 1
        if count >= number:
            raise Crash(call, *details)

    with tapped(tap):
        try:
            action()
        except Crash:
            return True
    return False


def bury_me(owner: Owner) -> None:
    """What the kernel does for a dead owner: it lets go of its lock."""
    owner._held.release()


def fresh_spool(root: Path, plan: Plan = PLAN) -> Spool:
    """An empty spool with the directories of `plan`."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    spool = open_spool(str(root))
    spool.prepare(plan)
    return spool


def places(spool: Spool, plan: Plan = PLAN) -> dict[str, dict[str, list[str]]]:
    """For each item that has any ticket: stage -> the boxes it is in."""
    found: dict[str, dict[str, list[str]]] = {}
    for stage in plan.needs:
        for box in BOXES:
            folder = spool.box(plan.job, stage, box)
            for where, _, files in os.walk(folder):
                for name in files:
                    found.setdefault(name, {}).setdefault(stage, []).append(
                        str(box) if where == folder else f"{box}/{os.path.basename(where)}"
                    )
    return found


def check_conserved(spool: Spool, names: set[str], plan: Plan = PLAN) -> None:
    """Of each of these items, and of any other that is known, each stage has exactly one file."""
    found = places(spool, plan)
    births = set(os.listdir(spool.births(plan.job))) - {".lock"}
    assert names <= births, f"lost: {names - births}"
    assert set(found) == births, f"tickets without an item, or the reverse: {set(found) ^ births}"
    for name, stages in found.items():
        assert set(stages) == set(plan.needs), f"{name}: {stages}"
        assert all(len(boxes) == 1 for boxes in stages.values()), f"{name} is in two boxes: {stages}"


@dataclass
class Inode:
    data: bytes = b""
    synced: bytes = b""


@dataclass
class Disk:
    """A record of calls below `root`, and what a power loss would leave of it."""

    root: str
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def tap(self, call: str, *details: Any) -> None:
        self.calls.append((call, details))

    def images(self, upto: int, syncs: bool = True) -> Iterator[Callable[[str], None]]:
        """For a loss of power after `upto` calls: functions that make what may be left in an empty directory."""
        names, inodes, least = self._replay(upto, syncs)
        for kept in sorted({least, (least + len(names)) // 2, len(names)}):
            yield lambda root, kept=kept: self._make(root, names[:kept], inodes)  # type: ignore[misc]

    def _replay(self, upto: int, syncs: bool) -> tuple[list[tuple[Any, ...]], dict[int, Inode], int]:
        names: list[tuple[Any, ...]] = []
        inodes: dict[int, Inode] = {}
        here: dict[str, int] = {}
        least = 0
        for call, details in self.calls[:upto]:
            path = details[0] if details else ""
            if call in ("create", "open") and path not in here:
                here[path] = len(inodes)
                inodes[here[path]] = Inode()
                names.append(("create", path, here[path]))
            elif call == "write":
                inode = inodes[here[path]]
                inode.data += details[1]
            elif call == "fsync" and syncs:
                if path in here:
                    inodes[here[path]].synced = inodes[here[path]].data
                else:
                    least = max([least, *(n + 1 for n, op in enumerate(names) if _touches(op, path))])
            elif call in ("rename", "link", "unlink", "mkdir", "rmdir"):
                names.append((call, *details))
                _rename_in(here, call, details)
        return names, inodes, least

    def _make(self, root: str, names: list[tuple[Any, ...]], inodes: dict[int, Inode]) -> None:
        at = lambda path: root + path[len(self.root) :]  # noqa: E731
        for call, *details in names:
            with suppress(FileNotFoundError, FileExistsError, OSError):
                if call == "create":
                    inode = inodes[details[1]]
                    Path(at(details[0])).write_bytes(inode.synced)
                elif call == "mkdir":
                    os.mkdir(at(details[0]))
                elif call == "rmdir":
                    os.rmdir(at(details[0]))
                elif call == "unlink":
                    os.unlink(at(details[0]))
                elif call == "rename":
                    os.rename(at(details[0]), at(details[1]))
                elif call == "link":
                    os.link(at(details[0]), at(details[1]))


def _touches(op: tuple[Any, ...], folder: str) -> bool:
    return any(isinstance(part, str) and os.path.dirname(part) == folder for part in op[1:])


def _rename_in(here: dict[str, int], call: str, details: tuple[Any, ...]) -> None:
    if call == "rename":
        if details[0] in here:
            here[details[1]] = here.pop(details[0])
        for path in [path for path in here if path.startswith(details[0] + "/")]:
            here[details[1] + path[len(details[0]) :]] = here.pop(path)
    elif call == "link" and details[0] in here:
        here[details[1]] = here[details[0]]
    elif call == "unlink":
        here.pop(details[0], None)


def empty_files(root: str) -> list[str]:
    """Tickets and records below `root` that have no bytes."""
    return [
        f"{where}/{name}"
        for where, _, files in os.walk(root)
        for name in files
        if name.endswith(".json") and name[0] != "." and "/_owners/" not in where + "/"
        if not os.path.getsize(f"{where}/{name}")
    ]


def boxes_of(spool: Spool, name: str, plan: Plan = PLAN) -> dict[str, Box]:
    """Where the tickets of one item are."""
    found = {stage: spool.where(plan.job, stage, name) for stage in plan.needs}
    return {stage: place[0] for stage, place in found.items() if place}
