"""The state table: which box a ticket can be in, and every move there is. Docs and tests compare with this."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Box(StrEnum):
    """The directory a ticket is in, which is its state."""

    WAIT = "wait"
    READY = "ready"
    RUNNING = "running"
    LATER = "later"
    DONE = "done"
    FAILED = "failed"
    HELD = "held"


BOXES = tuple(Box)
RESTING = frozenset(BOXES) - {Box.RUNNING}


class Move(NamedTuple):
    """One row of the table. target: None for what leaves the spool."""

    letter: str
    name: str
    sources: frozenset[Box]
    target: Box | None
    by: str
    crash: str


def _row(letter: str, name: str, sources: str, target: Box | None, by: str, crash: str) -> Move:
    return Move(letter, name, frozenset(Box(box) for box in sources.split()), target, by, crash)


PUBLISH = _row(
    "a", "publish", "", Box.READY, "discover, inject, stage",
    "tickets without a birth record: the next finder, or the stage that claims one, completes them",
)  # fmt: skip
CLAIM = _row("b", "claim", "ready", Box.RUNNING, "stage", "nothing: one rename, one winner")
FINISH = _row(
    "c", "finish", "running", Box.DONE, "stage",
    "a dead owner's claim beside a receipt of that owner: release what follows, drop the claim",
)  # fmt: skip
DEFER = _row("d", "defer", "running", Box.LATER, "stage", "the old claim: recovered")
FAIL = _row("e", "fail", "running", Box.FAILED, "stage", "the old claim: recovered")
HOLD = _row("f", "hold", "wait ready running later done failed", Box.HELD, "stage, person", "nothing: one rename")
WAKE = _row("g", "wake", "later", Box.READY, "sweep, stage", "nothing: one rename")
RECOVER = _row(
    "h", "recover", "running", Box.READY, "anyone",
    "the claim with the interruption counted already: counted once, recovered again",
)  # fmt: skip
RETRY = _row("i", "retry", "failed held later done", Box.READY, "person", "nothing: one rename")
RELEASE = _row("r", "release", "wait", Box.READY, "finish, sweep", "repeated by the sweep: harmless")
UNHOLD = _row("s", "unhold", "held", Box.WAIT, "person", "nothing: the sweep releases what has its needs done")
RESET = _row(
    "t", "reset", "ready later done failed", Box.WAIT, "discover",
    "the old birth record: the change is found again; or the new one, and the sweep releases",
)  # fmt: skip
GIVE_BACK = _row("u", "give back", "running", Box.READY, "stage", "nothing: one rename")
GIVE_UP = _row("y", "give up", "later held", Box.FAILED, "person", "nothing: one rename")
PUT_BACK = _row("w", "put back", "ready later", Box.WAIT, "sweep, stage", "nothing: one rename, repeated by the sweep")
DROP = _row(
    "x", "drop", "wait ready later failed held", Box.DONE, "person",
    "done without a receipt: the sweep releases what follows",
)  # fmt: skip
ARCHIVE = _row(
    "k", "archive", "done", None, "prune",
    "its tickets aside and its birth record there: put back; without one: it is archived, and they are removed",
)  # fmt: skip
RESTORE = _row(
    "n", "restore", "", Box.DONE, "person, discover",
    "its tickets aside, without a birth record: still archived; with one: put in done",
)  # fmt: skip

TABLE = (
    PUBLISH, CLAIM, FINISH, DEFER, FAIL, HOLD, WAKE, RECOVER, RETRY, RELEASE, UNHOLD, RESET, GIVE_BACK, PUT_BACK, DROP,
    GIVE_UP, ARCHIVE, RESTORE,
)  # fmt: skip
