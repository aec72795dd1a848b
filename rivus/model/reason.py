"""Reasons why items are not running, as data, and many of them counted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from rivus.model.outcome import Json
from rivus.model.quantity import format_duration
from rivus.model.times import utc


class Kind(StrEnum):
    """What sort of reason it is."""

    BROKEN = "broken"
    DISABLED = "disabled"
    PAUSED = "paused"
    NO_STAGE = "no stage"
    BUDGET = "budget"
    PARKED = "parked"
    PROBED = "probed"
    LATER = "later"
    OVERDUE = "overdue"
    NEEDS = "needs"
    LIMIT = "limit"
    FULL = "full"
    NO_TOKEN = "no token"
    HELD = "held"
    FAILED = "failed"
    RUNNING = "running"
    DEAD = "dead"
    READY = "ready"
    WRITTEN = "being written"
    MISSING = "missing"
    REJECTED = "rejected"
    DONE = "done"
    UNKNOWN = "unknown"


_UNTIL = {Kind.LATER: "", Kind.NO_TOKEN: " before", Kind.RUNNING: ", at most until"}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that keeps an item, or says that nothing does.

    stage: "" for the job or the item as a whole. what: in words, the same for all items of which it is true. detail:
    more about this one. why: as a source, a handler or a person put it. until: seconds since the epoch, None if no
    time ends it. override: the command, or else the change of a file, that ends it now; "" if there is none. causes:
    of a stage that waits for others. group: the fingerprint of the failure.
    """

    stage: str
    kind: Kind
    what: str
    detail: str = ""
    why: str = ""
    until: float | None = None
    override: str = ""
    causes: tuple[Reason, ...] = ()
    group: str = ""

    def line(self, now: float) -> str:
        """`what, detail until when: why`. now: seconds since the epoch, to tell how long that is."""
        when = ""
        if self.until is not None:
            when = f"{_UNTIL.get(self.kind, ' until')} {utc(self.until)} ({_ahead(self.until - now)})"
        elif self.kind is Kind.PARKED:
            when = " until a person resumes it"
        return f"{self.what}{', ' * bool(self.detail)}{self.detail}{when}{': ' * bool(self.why)}{self.why}"

    def to_json(self, options: str = "") -> Json:
        """The same as JSON values, without what is empty. options: for `with_options`."""
        whole: Json = {
            "stage": self.stage, "kind": str(self.kind), "what": self.what, "detail": self.detail, "why": self.why,
            "until": None if self.until is None else utc(self.until), "group": self.group,
            "override": with_options(self.override, options),
            "causes": [cause.to_json(options) for cause in self.causes],
        }  # fmt: skip
        return {name: value for name, value in whole.items() if value}

    def roots(self) -> list[Reason]:
        """The ends of the chains that begin here: itself if no other stage is the cause."""
        return [root for cause in self.causes for root in cause.roots()] or [self]


def with_options(override: str, options: str) -> str:
    """A command of ours with options, such as `--spool DIR`, after its name; anything else as it is."""
    program, space, rest = override.partition(" ")
    return f"{program} {options}{space}{rest}" if options and program.startswith("rivus-") else override


def lines_of(reasons: Sequence[Reason], now: float, options: str, indent: str = "  ") -> Iterator[str]:
    """Reasons for a person: each with its override below it, and its causes indented below that."""
    for reason in reasons:
        head = f"{indent}{reason.stage}  " if reason.stage else indent
        yield f"{head}{reason.line(now)}"
        if reason.override:
            yield f"{' ' * len(head)}now: {with_options(reason.override, options)}"
        yield from lines_of(reason.causes, now, options, indent + "  ")


def _ahead(seconds: float) -> str:
    return f"in {format_duration(seconds)}" if seconds > 0 else "now"


SHOWN = 3
_UNHURT = frozenset({
    Kind.READY, Kind.PAUSED, Kind.PARKED, Kind.PROBED, Kind.LATER, Kind.OVERDUE, Kind.NEEDS, Kind.LIMIT, Kind.FULL,
    Kind.NO_TOKEN, Kind.BUDGET,
})  # fmt: skip
"""What would end by itself, and does not while the whole job is kept."""


@dataclass(slots=True)
class Group:
    """A reason that many items share. first: of the one that was seen first. items: the first few, as JOB/KEY. until:
    the earliest. alike: whether one override is for all of them."""

    job: str
    first: Reason
    count: int = 0
    items: list[str] = field(default_factory=list)
    until: float | None = None
    alike: bool = True

    def add(self, item: str, reason: Reason) -> None:
        self.count += 1
        self.items += [item] * (len(self.items) < SHOWN)
        self.until = min((time for time in (self.until, reason.until) if time is not None), default=None)
        self.alike &= reason.override == self.first.override

    @property
    def override(self) -> str:
        """What ends it for all; where there is no such thing, for the first item, with ` …`."""
        if self.alike:
            return self.first.override
        if self.first.group:
            return f"rivus-doctor retry {self.first.group}"
        if self.first.kind is Kind.READY:
            return f"rivus-stage {self.job}:{self.first.stage}"
        return f"{self.first.override} …"

    def line(self, now: float) -> str:
        """As that of a reason, without what is true of one item only."""
        return replace(self.first, detail="", until=self.until).line(now)

    def to_json(self, options: str = "") -> Json:
        """As JSON values, without what is empty."""
        whole: Json = {
            "count": self.count, "job": self.job, "stage": self.first.stage, "kind": str(self.first.kind),
            "what": self.first.what, "why": self.first.why, "until": None if self.until is None else utc(self.until),
            "group": self.first.group, "override": with_options(self.override, options), "items": self.items,
        }  # fmt: skip
        return {name: value for name, value in whole.items() if value}


class Tally:
    """Items counted by what keeps them in the end: each once for every stage and reason that is a root cause."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, ...], Group] = {}

    def add(self, job: str, key: str, reasons: Sequence[Reason]) -> None:
        seen = set()
        for reason in _roots(reasons):
            which = (job, reason.stage, reason.kind, *((reason.group,) if reason.group else (reason.what, reason.why)))
            if which not in seen and reason.kind is not Kind.DONE:
                seen.add(which)
                self._groups.setdefault(which, Group(job, reason)).add(f"{job}/{key}", reason)

    def groups(self) -> list[Group]:
        """The largest first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.job, group.first.stage))


def _roots(reasons: Sequence[Reason]) -> Iterator[Reason]:
    """The first reason of each stage at the end of a chain; for what nothing else keeps, that of the whole job."""
    whole = next((reason for reason in reasons if not reason.stage), None)
    stages = set()
    for reason in [root for top in reasons if top.stage for root in top.roots()]:
        if reason.stage in stages or (reason.kind is Kind.NEEDS and not whole):
            continue
        stages.add(reason.stage)
        yield whole if whole and reason.kind in _UNHURT else reason
    if whole and not stages:
        yield whole
