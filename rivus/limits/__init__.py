"""The limits of the sources: how many at once, how many in how long, and which must rest. One folder each in `_limits`.

A limit is never exceeded on one host, whatever is killed. What is unknown or unreadable stops work: it never means
"no limit". Waiting for a token holds no slot; nothing here waits for longer than the caller has patience.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, TypeVar

from rivus.errors import BadConfig, TryAgain
from rivus.limits import parked as parking
from rivus.limits import slots
from rivus.limits.bucket import Bucket
from rivus.limits.parked import Parked
from rivus.limits.state import LimitUnreadable, make_folder
from rivus.locks import Held
from rivus.model.quantity import Rate
from rivus.model.times import utc

__all__ = ["LimitLike", "LimitStatus", "LimitUnreadable", "Limits", "Parked", "Permit", "Postponed"]

T = TypeVar("T")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STOP_LOOKS = 0.05


class LimitLike(Protocol):
    """A limit as it is defined: `slots` at once (None: any number), `rate` (None: any), `burst` tokens at most."""

    @property
    def slots(self) -> int | None: ...
    @property
    def rate(self) -> Rate | None: ...
    @property
    def burst(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Postponed:
    """Not now. until: seconds since the epoch, None until a person resumes the source; why: one line for people."""

    until: float | None
    why: str


class Permit:
    """The right to work once; `release` it when the work, and every child doing it, has ended.

    fds: what children must inherit (`pass_fds`), so that the slot stays taken if this process is killed before them.
    """

    def __init__(self, slot: Held | None = None, bucket: Bucket | None = None) -> None:
        self._slot, self._bucket = slot, bucket
        self.fds: tuple[int, ...] = (slot.fd,) if slot else ()

    def release(self, unused: bool = False) -> None:
        """Frees the slot; `unused` says that the source was not asked, and gives the token back. Once only."""
        slot, self._slot = self._slot, None
        bucket, self._bucket = self._bucket, None
        self.fds = ()
        try:
            if unused and bucket:
                bucket.give_back()
        finally:
            if slot:
                slot.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """How a limit is now.

    slots, rate, burst: as defined; held: taken slots and the processes that took them; tokens: None without a rate or
    if unreadable; parked: the rest that lasts; broken: what cannot be read, one line each.
    """

    name: str
    slots: int | None
    rate: Rate | None
    burst: int
    held: dict[str, list[int]] = field(default_factory=dict)
    tokens: float | None = None
    parked: Parked | None = None
    broken: tuple[str, ...] = ()


class Limits:
    """The limits that `definitions` names, with their state in `folder` (`_limits` of the spool).

    Every call with a name raises BadConfig if it is not defined, and LimitUnreadable (a BadConfig), TryAgain or
    OSError if its state cannot be read or changed.
    """

    def __init__(self, folder: Path, definitions: Mapping[str, LimitLike]) -> None:
        self._folder = folder
        self._definitions = definitions

    def acquire(self, name: str | None, *, stop: Callable[[], bool], patience: float) -> Permit | Postponed:
        """The right to work once under the limit `name` (None: under none), or why not now.

        Stands in line for a slot for as long as it takes, and waits for tokens for `patience` seconds in all, holding
        no slot; gives up both within 50 ms once `stop()` is true.
        """
        if name is None:
            return Permit()
        limit, folder = self._open(name)
        while not isinstance(answer := self._try(folder, limit, stop), Permit | Postponed):
            patience -= answer
            if patience < 0:
                until = time.time() + answer
                return Postponed(until, f"no token before {utc(until)}")
            if not _sleep(answer, stop):
                return Postponed(time.time(), "stopping")
        return answer

    def park(self, name: str, until: float | None, why: str, by: str, now: float) -> None:
        """Lets the source rest until `until` (seconds since the epoch; None: until a person resumes it).

        An earlier end never shortens a rest.
        """
        parking.park(self._open(name)[1], Parked(until, now, why, by))

    def resume(self, name: str) -> bool:
        """Ends the rest of the source; whether there was one."""
        return parking.resume(self._open(name)[1])

    def parked(self, name: str, now: float) -> Parked | None:
        """The rest of the source that lasts at `now`, if there is one."""
        return parking.parked(self._open(name)[1], now)

    def reset(self, name: str) -> None:
        """Starts the limit again with an empty bucket and without an unreadable parking; a readable one stays."""
        limit, folder = self._open(name)
        if bucket := _bucket(folder, limit):
            bucket.reset()
        try:
            parking.peek(folder, time.time())
        except LimitUnreadable:
            parking.resume(folder)

    def status(self, name: str) -> LimitStatus:
        """How the limit is now; disturbs nobody, changes nothing, and says what is broken instead of raising."""
        limit = self._definition(name)
        folder = self._folder / name
        if not folder.is_dir():
            full = float(limit.burst) if limit.rate else None
            return LimitStatus(name, limit.slots, limit.rate, limit.burst, tokens=full)
        broken: list[str] = []
        bucket = _bucket(folder, limit)
        tokens = _or_note(bucket.tokens, broken) if bucket else None
        rest = _or_note(lambda: parking.peek(folder, time.time()), broken)
        held = slots.held(folder)
        return LimitStatus(name, limit.slots, limit.rate, limit.burst, held, tokens, rest, tuple(broken))

    def _try(self, folder: Path, limit: LimitLike, stop: Callable[[], bool]) -> Permit | Postponed | float:
        """One try: the permit, a reason to come later, or the seconds until there is a token."""
        if rest := parking.parked(folder, time.time()):
            return _resting(rest)
        slot = slots.take(folder, limit.slots, stop) if limit.slots else None
        if limit.slots and slot is None:
            return Postponed(time.time(), "stopping")
        answer: Permit | Postponed | float | None = None
        try:
            answer = self._with_slot(folder, limit, slot)
        finally:
            if slot and not isinstance(answer, Permit):
                slot.release()
        return answer

    def _with_slot(self, folder: Path, limit: LimitLike, slot: Held | None) -> Permit | Postponed | float:
        # The line may have been long: the source can have been parked since.
        if rest := parking.parked(folder, time.time()):
            return _resting(rest)
        bucket = _bucket(folder, limit)
        wait = bucket.take() if bucket else 0.0
        return wait or Permit(slot, bucket)

    def _open(self, name: str) -> tuple[LimitLike, Path]:
        limit = self._definition(name)
        make_folder(self._folder / name)
        return limit, self._folder / name

    def _definition(self, name: str) -> LimitLike:
        limit = self._definitions.get(name)
        if limit is None or not _NAME.fullmatch(name):
            raise BadConfig(
                f"there is no limit {name!r} (defined: {', '.join(sorted(self._definitions)) or 'none'})"
            )
        if (limit.slots is not None and limit.slots < 1) or (limit.rate and limit.burst < 1):
            raise BadConfig(f"limit {name}: slots and burst must be at least 1, or nothing could ever run")
        return limit


def _bucket(folder: Path, limit: LimitLike) -> Bucket | None:
    return Bucket(folder, limit.rate, limit.burst) if limit.rate else None


def _resting(rest: Parked) -> Postponed:
    return Postponed(rest.until, f"the source rests: {rest.why}")


def _sleep(seconds: float, stop: Callable[[], bool]) -> bool:
    """Whether the time passed without `stop()` turning true."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if stop():
            return False
        time.sleep(min(left, _STOP_LOOKS))
    return True


def _or_note(look: Callable[[], T], broken: list[str]) -> T | None:
    try:
        return look()
    except (LimitUnreadable, TryAgain, OSError) as error:
        broken.append(str(error))
        return None
