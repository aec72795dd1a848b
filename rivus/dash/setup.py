"""What a dashboard was started with, and what it knows of the jobs: `datasette.rivus` is a Setup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rivus.index.fresh import database, lock_file
from rivus.spool.layout import Spool


@dataclass(slots=True)
class Setup:
    """jobs_folder: jobs.d. hosts: names besides those of this machine by which it may be asked. allow_sql: whether
    people may write SQL. jobs: the rows of the index's table `jobs`, by name; whoever has newer ones replaces the dict.
    damaged: set by whoever finds that the index is.
    """

    spool: Spool
    jobs_folder: Path
    hosts: frozenset[str] = frozenset()
    allow_sql: bool = False
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    damaged: bool = False

    @property
    def index(self) -> str:
        """The path of the index."""
        return database(self.spool)

    @property
    def updated(self) -> str:
        """The file whose time is that of the index's last update."""
        return lock_file(self.spool)


def host_names(names: Iterable[str]) -> frozenset[str]:
    """Names as they are compared: small letters, no full stop at the end."""
    return frozenset(name.lower().rstrip(".") for name in names)
