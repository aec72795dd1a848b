"""One at a time after a rest: the lock on `probe` is the right to ask the source whether it works again.

The kernel frees it with the process that asks, and with every child that inherited it, whatever killed them.
"""

from __future__ import annotations

from pathlib import Path

from rivus.limits import parked as parking
from rivus.limits.parked import Parked
from rivus.locks import Held, holders, try_lock

_FILE = "probe"


class Probe:
    """The one try after `rest`, whose limit's folder is `folder`.

    fd: what children must inherit, so that no other probe starts while they still ask the source.
    """

    def __init__(self, folder: Path, rest: Parked, held: Held) -> None:
        self.rest = rest
        self.fd = held.fd
        self._folder, self._held = folder, held

    def succeeded(self) -> bool:
        """The source works: ends the rest and its trips. False if another rest has begun since, or a person resumed.

        Raises LimitUnreadable, TryAgain, OSError.
        """
        return parking.forget(self._folder, self.rest)

    def release(self) -> None:
        """Lets the next one ask; once only."""
        self._held.release()


def take(folder: Path, rest: Parked) -> Probe | None:
    """The probe after `rest`, or None if somebody, this process included, is at it. Raises OSError."""
    held = try_lock(folder / _FILE)
    return Probe(folder, rest, held) if held else None


def probers(folder: Path) -> list[int]:
    """The processes that have the probe now."""
    return holders(folder / _FILE)
