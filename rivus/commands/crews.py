"""How rivus-stage and rivus-run put a crew to work, and how they end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivus.commands.frame import Printer, on_signal
from rivus.errors import TryAgain

if TYPE_CHECKING:
    from rivus.config.schema import Job
    from rivus.spool.layout import Spool
    from rivus.spool.owners import Owner
    from rivus.work.crew import Crew


class Progress:
    """A line on stderr that counts what ended, while stderr is a terminal. quiet: do not show it."""

    def __init__(self, quiet: bool) -> None:
        self._counts: dict[str, int] = {}
        self._last = 0.0
        self._shown = sys.stderr.isatty() and not quiet

    def add(self, line: dict[str, Any]) -> None:
        what = f"{line['stage']} {line['state']}"
        self._counts[what] = self._counts.get(what, 0) + 1
        if self._shown and time.monotonic() - self._last > 0.1:
            self._last = time.monotonic()
            self._write()

    def end(self) -> None:
        if self._shown and self._counts:
            self._write()
            sys.stderr.write("\n")

    def _write(self) -> None:
        sys.stderr.write("\r" + ", ".join(f"{what} {count}" for what, count in self._counts.items()) + "\x1b[K")
        sys.stderr.flush()


def work(
    spool: Spool, owner: Owner, jobs: Iterable[Job], linger: float, most: int | None,
    man: Callable[[Crew], None], before: Callable[[Crew], None] = lambda crew: None, again: bool = True,
    seconds: float = inf, after: Callable[[Printer], None] | None = None,
) -> int:  # fmt: skip
    """Makes a crew, lets `man` give it stages, drains it, and gives the exit code.

    before: what happens once signals stop the crew and before it drains. again: begin the command anew, in this
    process, when a handler hung; without it that ends in TryAgain. seconds: after so many no more is claimed, and a
    handler that hung ends the command sooner. after: prints what there is to say when all has run, in place of the line
    of each item that ended.
    """
    from rivus.limits import Limits
    from rivus.work.crew import Crew
    from rivus.work.hooks import drain, fire

    definitions = {name: limit for job in jobs for name, limit in job.limits.items()}
    limits, until = Limits(Path(spool.limits), definitions), time.monotonic() + seconds
    crew = Crew(spool, owner, limits, lambda line: None, linger, most, until)
    printer = Printer(crew.stop)
    progress = Progress(quiet=printer.terminal)

    def emit(line: dict[str, Any]) -> None:
        if after is None:
            printer(line)
        progress.add(line)

    crew.emit = emit
    interrupted = on_signal(crew.stop)
    before(crew)
    man(crew)
    try:
        crew.drain()
        if crew.done:
            fire(next(iter(jobs)).folder, spool, "done", owner.name, {"done": crew.done, "failed": crew.failed})
    finally:
        drain()
        progress.end()
    if interrupted():
        return 130
    if after is not None:
        after(printer)
    if seconds < inf:
        return 0  # whoever sets a time starts the next one, which may not last longer than this one
    if crew.hung and again and most is None:
        owner.close()
        printer.close()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if crew.hung:
        raise TryAgain("a handler hung; what was left is still there, run this again")
    return 0
