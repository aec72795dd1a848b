"""From a diagnosis to a move: pure. The run loop does what comes out of here and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from rivus.model.diagnosis import Action, Diagnosis
from rivus.model.states import DEFER, FAIL, FINISH, HOLD, Move

FOREVER = 4102444800.0
"""The due time (2100-01-01) of a ticket whose job is paused, or whose source is parked, until a person resumes it."""
LONGEST = 366 * 86400.0
"""No item waits longer than this many seconds for itself, whatever a source or a handler asks for."""
BLOCKED_FOR = 3600.0
"""Seconds for which a source rests that has not said for how long."""
CHILD_RUNS, MOST_DOUBLED = 30.0, 7
"""Seconds until an item tries again that has other data for a child which runs; each time it is twice as long, so
often: what its handler costs has been paid for nothing."""
JITTER = 0.1
_PLAIN = ("builtins", "rivus.model.outcome")


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to the item.

    due: seconds since the epoch, for DEFER. charged: whether an attempt is used up. outcome: a word for the
    attempt's record. park_until, pause: the source must rest, the job is broken.
    """

    move: Move
    outcome: str
    charged: bool = True
    due: float = 0.0
    park_until: float | None = None
    pause: bool = False


DONE = Decision(FINISH, "done")
SKIPPED = Decision(FINISH, "skipped")


def decide(diagnosis: Diagnosis, tries: int, retry: Sequence[float], now: float, spread: float) -> Decision:
    """What follows from a failure.

    tries: attempts of this round, this one included. retry: the stage's delays in seconds; whatever is diagnosed,
    there are no more tries than these allow. spread: a random number in [0, 1) which lengthens the delay by up to a
    tenth, so that what failed together does not return together.
    """
    action, after = diagnosis.action, diagnosis.after
    if after is not None:
        after = min(max(after, 0.0), LONGEST) if isfinite(after) else None
    if action is Action.PAUSE_SOURCE:
        until = now + (BLOCKED_FOR if after is None else after)
        return Decision(DEFER, "blocked", charged=False, due=until, park_until=until)
    if action is Action.PAUSE_JOB:
        return Decision(DEFER, "halted", charged=False, due=FOREVER, pause=True)
    if action is Action.NEEDS_HUMAN:
        return Decision(HOLD, "held")
    if action is Action.FAIL_ITEM or tries > len(retry):
        return Decision(FAIL, "failed")
    delay = retry[tries - 1] if after is None else after
    return Decision(DEFER, "retry", due=now + delay * (1 + JITTER * spread))


def child_runs(waits: int, now: float) -> Decision:
    """What follows if a result cannot be kept because a child runs. waits: how often that was so just before."""
    return Decision(DEFER, "busy", charged=False, due=now + CHILD_RUNS * 2 ** min(waits, MOST_DOUBLED))


def describe(error: BaseException, scrub: Callable[[str], str] = str) -> tuple[str, str]:
    """The type's name and a reason of one line, at most 500 characters, for a record. Never raises.

    scrub: takes known secrets out, before the text is cut: of half of one nobody would know what it is."""
    kind = type(error)
    named = kind.__name__ if kind.__module__ in _PLAIN else f"{kind.__module__}.{kind.__name__}"
    try:
        text = " ".join(scrub(str(error)).split())
    except Exception:  # noqa: BLE001 - whatever a handler's own error does when it is printed
        text = "its text cannot be read"
    return named, (text or kind.__name__)[:500].encode(errors="replace").decode()
