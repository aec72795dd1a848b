"""Back-fills: a span of the past, asked of a source window by window, the newest first.

`JOB/discover/backfill.json` says what was asked for and what is left of it. It is written after each window, once all
that the window had is durable. A crash leaves it as it was: the window is asked for again, and what is known by then
is passed over. The same request goes on with what is left; one that was finished, or another one, begins anew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rivus.errors import BadConfig
from rivus.model.item import digest
from rivus.model.outcome import Json
from rivus.model.times import utc
from rivus.sources.dates import moment_of
from rivus.spool import atomic
from rivus.spool.journal import record
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, dump, read_document
from rivus.talk import say
from rivus.work.discover import Discovery
from rivus.work.span import Request, text_of, window_days

if TYPE_CHECKING:
    from rivus.config.schema import Discover


@dataclass(slots=True)
class Progress:
    """How far a back-fill is: what lies between `since` and `left` is still to do, nothing if they are equal."""

    since: datetime
    until: datetime
    left: datetime
    seen: int = 0
    new: int = 0


class BackFill:
    """The back-fill of one job. discovery: how its looks are made; `most` counts for the whole call."""

    def __init__(self, discovery: Discovery, asked: Request) -> None:
        self.spool, self.job = discovery.spool, discovery.job
        self._discovery, self._asked = discovery, asked

    def run(self) -> int:
        """Looks at what is left, until the end or until no more may be done now; gives the number of new items.
        Raises BadConfig if the source cannot be asked for a span of time, and what Discovery raises."""
        discover = self.job.discover
        if discover is None:
            raise BadConfig(f"{self.job.name}: it has no source")
        days = window_days(discover.strategy, self.job.folder)
        progress, count, most = self._begin(discover), 0, _least(self._discovery.most, discover.max_new)
        while progress.left > progress.since and (most is None or count < most):
            start = max(progress.since, progress.left - timedelta(days=days)) if days else progress.since
            look = replace(
                self._discovery,
                most=None if most is None else most - count,
                window=(text_of(start), text_of(progress.left)),
            )
            new = look.run()
            count, progress.new, progress.seen = count + new, progress.new + new, progress.seen + look.seen
            if not look.whole:
                break
            self._note(discover, progress, start, look.seen, new)
        self._say_end(progress)
        return count

    def _begin(self, discover: Discover) -> Progress:
        """What is left of the same request, or all of it."""
        whole = Progress(self._asked.since, self._asked.until, self._asked.until)
        if self._discovery.dry:
            return whole
        before = self._read()
        if before is None or any(before.get(name) != value for name, value in self._identity(discover).items()):
            return whole
        kept = _progress(before)
        if kept is None:
            say(f"{_file(self.spool, self.job.name)}: not what a back-fill writes; starting without it")
            return whole
        if kept.left <= kept.since:
            say(f"{self.job.name}: {_named(kept)} was finished; it is looked at again", 1)
            return whole
        say(f"{self.job.name}: goes on with {_named(kept)}: what lies before {text_of(kept.left)} is left", 1)
        return kept

    def _read(self) -> Json | None:
        try:
            return read_document(_file(self.spool, self.job.name))
        except FileNotFoundError:
            return None
        except Unreadable as error:
            say(f"{_file(self.spool, self.job.name)}: {error}; starting without it")
            return None

    def _identity(self, discover: Discover) -> Json:
        return {"strategy": discover.strategy, "params": digest(discover.params), "asked": list(self._asked.words)}

    def _note(self, discover: Discover, progress: Progress, start: datetime, seen: int, new: int) -> None:
        """Makes it known, durably, that the window from `start` on is done."""
        end, progress.left = progress.left, start
        say(f"{self.job.name}: {text_of(start)} to {text_of(end)}: {seen} seen, {new} new", 1)
        if self._discovery.dry:
            return
        times = {name: text_of(getattr(progress, name)) for name in ("since", "until", "left")}
        told = {"seen": progress.seen, "new": progress.new, "updated": utc(time.time())}
        path = _file(self.spool, self.job.name)
        self._discovery.owner.write(path, dump({**self._identity(discover), **times, **told}))
        atomic.sync(path.rpartition("/")[0])
        window = {"since": text_of(start), "until": text_of(end), "seen": seen, "new": new}
        record(self.spool, "backfill", self.job.name, "discover", "", **window)

    def _say_end(self, progress: Progress) -> None:
        if progress.left <= progress.since:
            say(f"{self.job.name}: {_named(progress)} is finished: {progress.seen} seen, {progress.new} new", 1)
        else:
            left = f"what lies before {text_of(progress.left)} is left; the same command goes on"
            say(f"{self.job.name}: {_named(progress)} is not finished: {left}")


def _progress(document: Json) -> Progress | None:
    since, until, left = (moment_of(document.get(name)) for name in ("since", "until", "left"))
    counts = [document.get(name) for name in ("seen", "new")]
    if since is None or until is None or left is None or not since <= left <= until:
        return None
    seen, new = (count if isinstance(count, int) else 0 for count in counts)
    return Progress(since, until, left, seen, new)


def _file(spool: Spool, job: str) -> str:
    return f"{spool.root}/{job}/discover/backfill.json"


def _named(progress: Progress) -> str:
    return f"the back-fill from {text_of(progress.since)} to {text_of(progress.until)}"


def _least(*counts: int | None) -> int | None:
    return min((count for count in counts if count is not None), default=None)
