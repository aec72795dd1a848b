"""What commands say to people: on stderr, one line each, secrets taken out. Data goes to stdout elsewhere."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger

level = 0
"""0 says what went wrong, 1 (-v) what was done, 2 (-vv) what libraries and handlers log."""

_turn = threading.Lock()


def say(text: str, at: int = 0) -> None:
    """Writes one line to stderr if the level is at least `at`."""
    if level < at:
        return
    with _turn:
        try:
            sys.stderr.write(f"{plain(scrubbed(text))}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            return


def scrubbed(text: str) -> str:
    """`text` without the secrets that this process has read; costs nothing in one that has read none."""
    scrub = getattr(sys.modules.get("rivus.secrets"), "scrub", None)  # another thread may be importing it just now
    return str(scrub(text)) if scrub else text


def plain(text: str) -> str:
    """`text` without what would move a terminal's cursor or colours: each such character becomes a space."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def logger(name: str) -> Logger:
    """A logger whose records go through `say`: warnings always, the rest with -v and -vv."""
    import logging

    class Speaker(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            at = 0 if record.levelno >= logging.WARNING else 1 if record.levelno >= logging.INFO else 2
            say(f"{record.name}: {record.getMessage()}", at)

    speaking = logging.Logger(name, logging.DEBUG)
    speaking.addHandler(Speaker())
    return speaking
