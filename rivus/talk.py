"""What commands say to people: on stderr, one line each, secrets taken out. Data goes to stdout elsewhere.

Where stderr is the system's journal, a line goes there as a message with fields: its priority, the command, and the
job, stage, key, run and class that it is `about`. A line that names a failure's class goes to the journal at every
level, so that the journal can be asked for all failures of one item or of one class.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger

level = 0
"""0 says what went wrong, 1 (-v) what was done, 2 (-vv) what libraries and handlers log."""
speaker = "rivus"
"""The command, as the journal names it (SYSLOG_IDENTIFIER)."""
BROKEN = -1
"""The level of what ended a command or an item: said as level 0 is, and an error in the journal."""

_PRIORITY = {BROKEN: 3, 0: 4, 1: 6, 2: 7}
"""A line's level as the journal's PRIORITY: err, warning, info, debug (syslog(3))."""
_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed, always replaced
_turn = threading.Lock()


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """What is said within, by this thread, is about this `job`, `stage`, `key` or `run` (the owner's name). Blocks
    add to each other; a new thread begins with nothing."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def say(text: str, at: int = 0, cls: str = "") -> None:
    """Writes one line to stderr if the level is at least `at`. cls: the class of the failure that it tells of."""
    journal = _in_journal()
    if level < at and not (journal and cls):
        return
    line = plain(scrubbed(text))
    if journal and (_sent(line, at, cls) or not _takes_more()):
        return
    with _turn:
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            return


def _in_journal() -> bool:
    if "JOURNAL_STREAM" not in os.environ or sys.stderr is not sys.__stderr__:
        return False
    from rivus import journald

    return journald.is_stderr()


def _sent(line: str, at: int, cls: str) -> bool:
    from rivus import journald

    known = {**_about.get(), **({"class": cls} if cls else {})}
    fields = {f"RIVUS_{name.upper()}": scrubbed(value) for name, value in known.items()}
    head = {"MESSAGE": line, "PRIORITY": str(_PRIORITY[at]), "SYSLOG_IDENTIFIER": speaker}
    return journald.send({**head, **fields})


def _takes_more() -> bool:
    """Whether stderr takes a line without making the caller wait: a journal that is stuck must not stop the work."""
    from select import POLLOUT, poll

    asked = poll()
    asked.register(2, POLLOUT)
    return any(event & POLLOUT for _, event in asked.poll(0))


def scrubbed(text: str) -> str:
    """`text` without the secrets that this process has read; costs nothing in one that has read none."""
    scrub = getattr(sys.modules.get("rivus.secrets"), "scrub", None)  # another thread may be importing it just now
    return str(scrub(text)) if scrub else text


def plain(text: str) -> str:
    """`text` without what would move a terminal's cursor or colours: each such character becomes a space."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def logger(name: str) -> Logger:
    """A logger whose records go through `say`: warnings always, the rest with -v and -vv. What it is about is what
    the maker's block says, whichever thread logs."""
    import logging

    fields = _about.get()

    class Speaker(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            at = 0 if record.levelno >= logging.WARNING else 1 if record.levelno >= logging.INFO else 2
            with about(**{**fields, **_about.get()}):
                say(f"{record.name}: {record.getMessage()}", at)

    speaking = logging.Logger(name, logging.DEBUG)
    speaking.addHandler(Speaker())
    return speaking
