"""A spool as it lies on the disk: filled without a process, and compared before and after."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rivus.config import load_job
from rivus.model.item import dropped_ticket
from rivus.spool.layout import open_spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from tests.conftest import House

Tree = dict[str, tuple[int, int, int] | str]


def tree(root: Path, *without: str) -> Tree:
    """For every path below `root`: of a file its inode, size and time, of a directory that it is one. without: parts
    of paths to leave out."""
    found: Tree = {}
    for where, folders, files in os.walk(root):
        for name in folders:
            found[os.path.relpath(f"{where}/{name}", root)] = "directory"
        for name in files:
            status = os.lstat(f"{where}/{name}")
            found[os.path.relpath(f"{where}/{name}", root)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return {path: what for path, what in found.items() if not any(part in path for part in without)}


def inject(house: House, *documents: dict[str, Any], job: str = "demo", test: bool = False) -> None:
    """What rivus-inject does, for tests of what comes after it."""
    spool, plan = open_spool(str(house.root / "spool"), test=test), load_job(house.root / "jobs.d", job).plan
    meta = {"discovered": "2026-01-01T00:00:00.000Z"}
    spool.prepare(plan)
    with Owner(spool) as owner:
        publish(spool, plan, [dropped_ticket(document, job, "", meta) for document in documents], owner)
