"""From a failure to a diagnosis: the first rule that fits, and what the failure itself says about time."""

from __future__ import annotations

from rivus.doctor.failure import Failure
from rivus.doctor.rule import DAY, HOUR, MINUTE, Rule
from rivus.doctor.rules import RULES
from rivus.model.diagnosis import WAITS, Action, Diagnosis, FailureClass

SOON = 15 * MINUTE
LONGEST_REST = DAY
LONGEST_WAIT = 14 * DAY
UNKNOWN = Diagnosis(
    FailureClass.UNKNOWN,
    Action.RETRY_LATER,
    None,
    "unknown",
    "no rule knows it: tried again as the stage says, then failed",
)
_BUSY = (FailureClass.RATE_LIMITED, FailureClass.TRANSIENT_NETWORK)
_MEANT = {
    "ItemFailed": (FailureClass.BAD_INPUT, Action.FAIL_ITEM),
    "RetryLater": (FailureClass.TRANSIENT_NETWORK, Action.RETRY_LATER),
    "SourceBlocked": (FailureClass.RATE_LIMITED, Action.PAUSE_SOURCE),
    "Halt": (FailureClass.CONFIG_ERROR, Action.PAUSE_JOB),
}
"""What a handler says on purpose: its action holds; its class does if no rule has a better one."""


def classify(failure: Failure, now: float) -> Diagnosis:
    """The diagnosis. now: seconds since the epoch. Never raises."""
    rule = next((rule for rule in RULES if rule.fits(failure)), None)
    found = UNKNOWN if rule is None else _timed(rule, failure, now)
    if failure.error_type in _MEANT:
        cls, action = _MEANT[failure.error_type]
        said = _said(failure, now) if action in WAITS else None
        cls = cls if rule is None else rule.cls
        return Diagnosis(cls, action, said, "said by the handler", found.why if rule else "the handler says so")
    return found


def _timed(rule: Rule, failure: Failure, now: float) -> Diagnosis:
    """The rule's answer, with the time that the other side asks for, and the action that fits such a time."""
    action, said = rule.action, _said(failure, now)
    if action not in WAITS:
        return Diagnosis(rule.cls, action, None, rule.name, rule.why)
    longest = LONGEST_WAIT if rule.cls is FailureClass.NOT_YET_AVAILABLE else LONGEST_REST
    after = rule.after if said is None else min(said, longest)
    if said is not None and rule.cls in _BUSY and action in (Action.RETRY_SOON, Action.RETRY_LATER):
        action = Action.RETRY_SOON if said <= SOON else Action.RETRY_LATER
    if after is None and action in (Action.RETRY_LATER, Action.PAUSE_SOURCE, Action.PAUSE_JOB):
        after = HOUR
    return Diagnosis(rule.cls, action, after, rule.name, rule.why)


def _said(failure: Failure, now: float) -> float | None:
    """Seconds that the failure itself asks to wait."""
    if failure.until is not None:
        return max(failure.until - now, 0.0)
    return failure.retry_after
