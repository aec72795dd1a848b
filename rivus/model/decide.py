"""From an outcome to a move: pure. The run loop does what comes out of here and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rivus.model.outcome import Halt, ItemFailed, RetryLater, Skip, SourceBlocked
from rivus.model.states import DEFER, FAIL, FINISH, Move

FOREVER = 4102444800.0
"""The due time (2100-01-01) of a ticket whose job is paused, or whose source is parked, until a person resumes it."""
BLOCKED_FOR = 3600.0
JITTER = 0.1


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


def decide(error: BaseException | None, tries: int, retry: Sequence[float], now: float, spread: float) -> Decision:
    """What follows from `error` (None: a good result).

    tries: attempts of this round, this one included. retry: the stage's delays in seconds. spread: a random
    number in [0, 1) which lengthens the delay by up to a tenth, so that what failed together does not return
    together.
    """
    if error is None:
        return Decision(FINISH, "done")
    if isinstance(error, Skip):
        return Decision(FINISH, "skipped")
    if isinstance(error, SourceBlocked):
        until = error.until if error.until is not None else now + BLOCKED_FOR
        return Decision(DEFER, "blocked", charged=False, due=until, park_until=until)
    if isinstance(error, Halt):
        return Decision(DEFER, "halted", charged=False, due=FOREVER, pause=True)
    if isinstance(error, ItemFailed) or tries > len(retry):
        return Decision(FAIL, "failed")
    delay = retry[tries - 1]
    if isinstance(error, RetryLater) and error.after is not None:
        delay = error.after
    outcome = "timeout" if isinstance(error, TimeoutError) else "retry"
    return Decision(DEFER, outcome, due=now + delay * (1 + JITTER * spread))


def describe(error: BaseException) -> tuple[str, str]:
    """The type's name and a reason of one line, at most 500 characters, for a record."""
    kind = type(error)
    text = " ".join(str(error).split()) or kind.__name__
    named = (
        kind.__name__
        if kind.__module__ in ("builtins", "rivus.model.outcome")
        else f"{kind.__module__}.{kind.__name__}"
    )
    return named, text[:500]
