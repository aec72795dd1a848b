"""Keeps the index fresh while the dashboard runs: a thread that looks each second whether the spool has moved.

It shares the writer's lock with the sweep: if another process writes, that one keeps the index fresh. What goes wrong
is said once and tried again; the pages show the index as it is, with its time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from rivus.dash.setup import Setup
from rivus.errors import RivusError
from rivus.index.fresh import is_fresh
from rivus.talk import say

EVERY = 1.0
"""Seconds between two looks."""


class Keeper:
    """ready: set once the index has been looked after for the first time, well or not."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._stop = threading.Event()
        self._said = ""
        self.ready = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="rivus-index", daemon=True).start()

    def stop(self) -> None:
        """Lets the thread end after what it is doing."""
        self._stop.set()

    def _run(self) -> None:
        while True:
            self.look()
            self.ready.set()
            if self._stop.wait(EVERY):
                return

    def look(self) -> None:
        """Updates the index if it is behind and nobody else does, and reads the jobs from it."""
        problem = ""
        try:
            setup = self._setup
            # The first time in any case: the index may be one of an older rivus, which its times do not tell.
            looked = self.ready.is_set() and not setup.damaged
            if not looked or not is_fresh(setup.spool, setup.jobs_folder, time.time()):
                self._update()
            setup.jobs = jobs_in(setup.index)
        except Exception as error:  # noqa: BLE001 - the pages are still of use, and the next look may do better
            kind = "" if isinstance(error, RivusError | OSError) else f"{type(error).__name__}: "
            problem = f"dash: the index is not up to date: {kind}{error}"
            self._setup.damaged |= is_damage(error)
        if problem and problem != self._said:
            say(problem)
        self._said = problem

    def _update(self) -> None:
        from rivus.config import load_jobs
        from rivus.index.update import update, writing

        with writing(self._setup.spool, None) as mine:
            if mine:
                anew, self._setup.damaged = self._setup.damaged, False
                update(self._setup.spool, load_jobs(self._setup.jobs_folder), patient=True, anew=anew)


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says by this that the file is damaged, or none of its own."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def jobs_in(index: str) -> dict[str, dict[str, Any]]:
    """The table `jobs` of an index, by name. Raises sqlite3.Error, FileNotFoundError."""
    os.stat(index)
    with closing(sqlite3.connect(f"{Path(index).absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return {row["name"]: dict(row) for row in connection.execute("SELECT * FROM jobs ORDER BY name")}
