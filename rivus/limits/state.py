"""The state files of one limit: small JSON objects that are read strictly and changed under `state.lock`.

A file that is not what was written is an error that keeps the limit closed, never a fresh start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rivus.errors import BadConfig, TryAgain
from rivus.locks import holders, queue
from rivus.model.outcome import Json
from rivus.spool import atomic
from rivus.spool.reader import Unreadable, read_document

_LONGEST_HOLD = 10.0
T = TypeVar("T")


class LimitUnreadable(BadConfig):
    """A state file of a limit is not what was written; the limit stays closed until a person resets it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} cannot be read ({why}); the limit stays closed until: rivus-limit reset {path.parent.name}"
        )


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """The right to change the state files in `folder`.

    Others have it for well under a millisecond; raises TryAgain if one keeps it for 10 seconds (a stopped process).
    """
    path = folder / "state.lock"
    end = time.monotonic() + _LONGEST_HOLD
    held = queue(path, lambda: time.monotonic() > end)
    if held is None:
        raise TryAgain(f"{path} is kept locked by {holders(path) or 'somebody'}")
    with held:
        yield


def read(path: Path, understand: Callable[[Json], T]) -> T | None:
    """What `understand` makes of the object in `path`, None if there is no file. Raises LimitUnreadable.

    `understand` raises ValueError, KeyError or TypeError for what it does not accept.
    """
    try:
        return understand(read_document(str(path)))
    except FileNotFoundError:
        return None
    except KeyError as error:
        raise LimitUnreadable(path, f"no {error}") from error
    except (Unreadable, ValueError, TypeError) as error:
        raise LimitUnreadable(path, str(error)) from error


def number(value: object, least: float, most: float) -> float:
    """`value` if it is a number in that range. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{str(value)[:40]!r} is no number from {least:g} to {most:g}")
    return value


def replace(path: Path, data: bytes) -> None:
    """Puts `data` at `path`, durably: after a crash there is the old file or the new. Under `changing` only."""
    half = str(path.with_name(f".{path.name}"))
    try:
        atomic.write_new(half, data)
    except FileExistsError:
        atomic.remove(half)
        atomic.write_new(half, data)
    atomic.rename(half, str(path))
    atomic.sync(str(path.parent))


def put_aside(path: Path) -> None:
    """Gives what is at `path`, whatever it is, a dot-name that says when, so that a person can still look at it."""
    atomic.rename(str(path), str(path.with_name(f".{path.name}.{time.time_ns()}")))


def make_folder(folder: Path) -> None:
    """Makes `folder` and what is missing above it, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    atomic.make_folder(str(folder))
    atomic.sync(str(folder.parent))
