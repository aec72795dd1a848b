"""How many in how long: a token bucket that all processes on this host share, in `bucket.json`.

It holds at most `burst` tokens, full at first use, and gains `rate.count` every `rate.seconds`; so in any time t no
more than burst + rate * t are taken. Whole numbers of 1e-9 tokens and of nanoseconds, rounded down: no error adds up.

    {"boot": "…", "at": 123456789000, "nanotokens": 9250000000}

`at` is CLOCK_BOOTTIME, which nobody can set and which counts through a suspend, and means something within one boot
only: after another one the bucket is empty. The record has a fixed length and is written over in place, so kill -9
leaves the old or the new one; a power loss too, and whatever it leaves belongs to another boot.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rivus.limits.state import changing, put_aside, read, replace
from rivus.model.outcome import Json
from rivus.model.quantity import Rate
from rivus.spool import atomic

TOKEN = 1_000_000_000
_LENGTH = 256
_AHEAD = 3_600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Level:
    """What was in the bucket at one moment: `nanotokens` (1e-9 tokens), at nanosecond `at` of the boot `boot`."""

    boot: str
    at: int
    nanotokens: int


@cache
def this_boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def since_boot() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Bucket:
    """The bucket of the limit whose folder is `folder`, which exists.

    clock: nanoseconds since this boot; boot: which boot this is. Every call raises LimitUnreadable, TryAgain, OSError.
    """

    def __init__(
        self,
        folder: Path,
        rate: Rate,
        burst: int,
        clock: Callable[[], int] = since_boot,
        boot: Callable[[], str] = this_boot,
    ) -> None:
        self._path = folder / "bucket.json"
        self._rate, self._most = rate, burst * TOKEN
        self._clock, self._boot = clock, boot

    def take(self) -> float:
        """Takes a token: 0.0; or takes nothing and gives the seconds until there is one, if nobody else takes it."""
        with changing(self._path.parent):
            stored, now = self._stored(), self._clock()
            level = self._level(stored, now)
            if level.nanotokens >= TOKEN:
                self._write(stored, Level(level.boot, level.at, level.nanotokens - TOKEN))
                return 0.0
            if stored is None or stored.boot != level.boot:
                self._write(stored, level)
            return seconds_until(level, now, self._rate)

    def give_back(self) -> None:
        """Undoes a `take` that was not used."""
        with changing(self._path.parent):
            stored = self._stored()
            level = self._level(stored, self._clock())
            more = min(self._most, level.nanotokens + TOKEN)
            if stored is not None and stored.boot == level.boot:
                self._write(stored, Level(level.boot, level.at, more))

    def tokens(self) -> float:
        """How many tokens there are now; changes nothing."""
        with changing(self._path.parent):
            return self._level(self._stored(), self._clock()).nanotokens / TOKEN

    def reset(self) -> None:
        """Starts again with an empty bucket, whatever is in the way; that is put aside."""
        with changing(self._path.parent):
            put_aside(self._path)
            self._write(None, Level(self._boot(), self._clock(), 0))

    def _level(self, stored: Level | None, now: int) -> Level:
        boot = self._boot()
        if stored is None:
            return Level(boot, now, self._most)
        if stored.boot != boot:
            return Level(boot, now, 0)
        return refilled(stored, now, self._rate, self._most)

    def _stored(self) -> Level | None:
        return read(self._path, self._understand)

    def _understand(self, document: Json) -> Level:
        boot, at, nanotokens = document["boot"], document["at"], document["nanotokens"]
        if not isinstance(boot, str) or type(at) is not int or type(nanotokens) is not int:
            raise ValueError("a wrong type")
        if at < 0 or nanotokens < 0:
            raise ValueError("a negative number")
        if boot == self._boot() and at > self._clock() + _AHEAD:
            raise ValueError("a time in the future")
        return Level(boot, at, nanotokens)

    def _write(self, stored: Level | None, level: Level) -> None:
        fields = {"boot": level.boot, "at": level.at, "nanotokens": level.nanotokens}
        record = json.dumps(fields).encode().ljust(_LENGTH - 1) + b"\n"
        if stored is not None and self._path.stat().st_size == len(record):
            atomic.overwrite(str(self._path), record)
        else:
            replace(self._path, record)


def refilled(level: Level, now: int, rate: Rate, most: int) -> Level:
    """`level` as it is at `now`, never above `most` nanotokens. A clock that went back gives nothing."""
    if now <= level.at:
        return Level(level.boot, level.at, min(most, level.nanotokens))
    above, below = _per_nanosecond(rate)
    return Level(level.boot, now, min(most, level.nanotokens + (now - level.at) * above // below))


def seconds_until(level: Level, now: int, rate: Rate) -> float:
    """Seconds from `now` until a `level` of less than one token holds one."""
    above, below = _per_nanosecond(rate)
    return (level.at - now - (level.nanotokens - TOKEN) * below // above) / 1e9


def _per_nanosecond(rate: Rate) -> tuple[int, int]:
    # Tokens a second are nanotokens a nanosecond; as a fraction, so that 1/3s is exact.
    count, seconds = rate.count.as_integer_ratio(), rate.seconds.as_integer_ratio()
    return count[0] * seconds[1], count[1] * seconds[0]
