"""What the doctor can say about a failure: two closed sets of words, and one answer made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    """What kind of failure it is, which says who is at fault."""

    TRANSIENT_NETWORK = "transient_network"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTH = "auth"
    NOT_YET_AVAILABLE = "not_yet_available"
    GONE_PERMANENTLY = "gone_permanently"
    ACCESS_DENIED = "access_denied"
    BAD_INPUT = "bad_input"
    PARSER_BROKEN = "parser_broken"
    HANDLER_BUG = "handler_bug"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    CONFIG_ERROR = "config_error"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What follows from it.

    retry_soon: the same item, after seconds to minutes. retry_later: the same item, after hours or at a stated
    time. pause_source: leave the whole outside source alone for a while. pause_job: something that the job itself
    needs (disk, memory, quota) is used up. fail_item: the end for this item. needs_human: the item is held until
    code, a credential, a plan or the configuration has changed.
    """

    RETRY_SOON = "retry_soon"
    RETRY_LATER = "retry_later"
    PAUSE_SOURCE = "pause_source"
    PAUSE_JOB = "pause_job"
    FAIL_ITEM = "fail_item"
    NEEDS_HUMAN = "needs_human"


WAITS = frozenset({Action.RETRY_SOON, Action.RETRY_LATER, Action.PAUSE_SOURCE, Action.PAUSE_JOB})
"""The actions that end by themselves when their time is over."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A class, an action, and the rule that gave them.

    after: seconds from now until the item, source or job goes on; None: the stage's own delays, or never. rule: its
    name. why: one line for a person.
    """

    cls: FailureClass
    action: Action
    after: float | None
    rule: str
    why: str
