"""What a handler, or a source, can say besides returning a result."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


class Outcome(Exception):
    """Base of what a handler raises on purpose. `str(outcome)` is the reason, one line for a person."""


class Skip(Outcome):
    """There is nothing to do for this item: the stage is done with it, marked as skipped."""


class RetryLater(Outcome):
    """The world is at fault: try again in `after` seconds (default: the stage's list of delays)."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class ItemFailed(Outcome):
    """This item is at fault and another try would not help."""


class SourceBlocked(Outcome):
    """The source must rest until `until` (seconds since the epoch; default: an hour). Uses up no attempt."""

    def __init__(self, reason: str, until: float | None = None) -> None:
        super().__init__(reason)
        self.until = until


class Halt(Outcome):
    """The job itself is broken (import, configuration, credential): pause it. Uses up no attempt."""
