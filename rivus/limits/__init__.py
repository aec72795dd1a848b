"""The limits of the sources: how many at once, how many in how long, and which must rest. One folder each in `_limits`.

A limit is never exceeded on one host, whatever is killed. What is unknown or unreadable stops work: it never means
"no limit". Waiting for a token holds no slot; nothing here waits for longer than the caller has patience. A source
whose rest is over is half-open: one permit at a time, the probe, until one of them ends well.
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
from rivus.limits import probe as probing
from rivus.limits import slots
from rivus.limits.bucket import Bucket
from rivus.limits.parked import Parked
from rivus.limits.probe import Probe
from rivus.limits.state import LimitUnreadable, make_folder
from rivus.locks import Held
from rivus.model.quantity import Rate
from rivus.model.times import utc

__all__ = ["LimitLike", "LimitStatus", "LimitUnreadable", "Limits", "Parked", "Permit", "Postponed"]

T = TypeVar("T")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STOP_LOOKS = 0.05
PROBED_AGAIN = 30.0
"""Seconds after which those come again who met a probe under way."""


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
    probe: whether this is the one try after a rest, of which `succeeded` must say when it went well.
    """

    def __init__(self, slot: Held | None = None, bucket: Bucket | None = None, probe: Probe | None = None) -> None:
        self._slot, self._bucket, self._probe = slot, bucket, probe
        self.probe = probe is not None
        self.fds: tuple[int, ...] = tuple(part.fd for part in (slot, probe) if part)

    def succeeded(self) -> bool:
        """The source did what it was asked. Gives whether that ended the state after a rest: the source is open.

        Costs nothing for a permit that is no probe. Call it before `release`. Raises LimitUnreadable, TryAgain,
        OSError.
        """
        return self._probe is not None and self._probe.succeeded()

    def release(self, unused: bool = False) -> None:
        """Frees the slot; `unused` says that the source was not asked, and gives the token back. Once only."""
        slot, self._slot = self._slot, None
        bucket, self._bucket = self._bucket, None
        probe, self._probe = self._probe, None
        self.fds = ()
        try:
            if unused and bucket:
                bucket.give_back()
        finally:
            _free(slot, probe)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """How a limit is now.

    slots, rate, burst: as defined; held: taken slots and the processes that took them; tokens: None without a rate or
    if unreadable; parked: the rest that lasts; half_open: the rest that is over, but no probe has succeeded since;
    probers: the processes that probe just now; broken: what cannot be read, one line each.
    """

    name: str
    slots: int | None
    rate: Rate | None
    burst: int
    held: dict[str, list[int]] = field(default_factory=dict)
    tokens: float | None = None
    parked: Parked | None = None
    half_open: Parked | None = None
    probers: tuple[int, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def trips(self) -> int:
        """How many rests in a row no success has ended."""
        rest = self.parked or self.half_open
        return rest.trips if rest else 0


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

    def park(self, name: str, until: float | None, why: str, by: str, now: float) -> Parked:
        """Lets the source rest until `until` (seconds since the epoch; None: until a person resumes it) or longer,
        and gives the rest that lasts now.

        An earlier end never shortens a rest. When the source was half-open, it takes at least twice as long as the
        last one, up to a day. A person (`by` "person") gets what they ask for.
        """
        return parking.park(self._open(name)[1], Parked(until, now, why, by))

    def resume(self, name: str) -> bool:
        """Opens the source, whatever its rests were; whether there was one."""
        return parking.resume(self._open(name)[1])

    def parked(self, name: str, now: float) -> Parked | None:
        """The rest of the source that lasts at `now`, if there is one."""
        rest = parking.present_rest(self._open(name)[1])
        return rest if rest and rest.lasts(now) else None

    def reset(self, name: str) -> None:
        """Starts the limit again with an empty bucket and without an unreadable parking; a readable one stays."""
        limit, folder = self._open(name)
        if bucket := _bucket(folder, limit):
            bucket.reset()
        try:
            parking.present_rest(folder)
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
        rest = _or_note(lambda: parking.present_rest(folder), broken)
        lasts = rest is not None and rest.lasts(time.time())
        return LimitStatus(
            name, limit.slots, limit.rate, limit.burst, slots.held(folder), tokens,
            parked=rest if lasts else None, half_open=None if lasts else rest,
            probers=tuple(probing.probers(folder)), broken=tuple(broken),
        )  # fmt: skip

    def _try(self, folder: Path, limit: LimitLike, stop: Callable[[], bool]) -> Permit | Postponed | float:
        """One try: the permit, a reason to come later, or the seconds after which another may help."""
        probe = _enter(folder)
        if isinstance(probe, Postponed):
            return probe
        slot: Held | None = None
        answer: Permit | Postponed | float | None = None
        try:
            slot = slots.take(folder, limit.slots, stop) if limit.slots else None
            stopped = limit.slots and slot is None
            answer = Postponed(time.time(), "stopping") if stopped else _with_slot(folder, limit, slot, probe)
        finally:
            if not isinstance(answer, Permit):
                _free(slot, probe)
        return answer

    def _open(self, name: str) -> tuple[LimitLike, Path]:
        limit = self._definition(name)
        make_folder(self._folder / name)
        return limit, self._folder / name

    def _definition(self, name: str) -> LimitLike:
        limit = self._definitions.get(name)
        if limit is None or not _NAME.fullmatch(name):
            raise BadConfig(f"there is no limit {name!r} (defined: {', '.join(sorted(self._definitions)) or 'none'})")
        if (limit.slots is not None and limit.slots < 1) or (limit.rate and limit.burst < 1):
            raise BadConfig(f"limit {name}: slots and burst must be at least 1, or nothing could ever run")
        return limit


def _enter(folder: Path) -> Probe | Postponed | None:
    """Why the source cannot be asked now; or that it can: by anybody (None), or by one alone, who has the probe."""
    while rest := parking.present_rest(folder):
        now = time.time()
        if rest.lasts(now):
            return Postponed(rest.until, f"the source rests: {rest.why}")
        probe = probing.take(folder, rest)
        # Another's probe may have ended between the look and the lock.
        if _still(folder, rest, probe):
            return probe or Postponed(now + PROBED_AGAIN, f"a probe is under way after a rest: {rest.why}")
    return None


def _still(folder: Path, rest: Parked, probe: Probe | None) -> bool:
    """Whether the source is still as it was; if not, the probe is not needed any more."""
    still = False
    try:
        still = parking.present_rest(folder) == rest
    finally:
        if not still:
            _free(probe)
    return still


def _with_slot(folder: Path, limit: LimitLike, slot: Held | None, probe: Probe | None) -> Permit | float:
    # The line may have been long: the source can have been parked, or opened, since.
    if parking.present_rest(folder) != (probe.rest if probe else None):
        return 0.0
    bucket = _bucket(folder, limit)
    wait = bucket.take() if bucket else 0.0
    return wait or Permit(slot, bucket, probe)


def _free(*taken: Held | Probe | None) -> None:
    for one in taken:
        if one:
            one.release()


def _bucket(folder: Path, limit: LimitLike) -> Bucket | None:
    return Bucket(folder, limit.rate, limit.burst) if limit.rate else None


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
