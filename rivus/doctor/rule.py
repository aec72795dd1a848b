"""What a rule is: conditions, all of which must hold, and the class and action that follow from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from rivus.doctor.failure import Failure
from rivus.model.diagnosis import Action, FailureClass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Example(NamedTuple):
    """A failure that the rule is for, as it stands in a record."""

    message: str
    error_type: str = ""
    handler: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """When everything that is given of kinds … handler holds, the failure is of this class, and the action follows.

    why: for a person. kinds: classes of errors, `Name` (of any library), `library.Name`, or `library.*`. text: a
    pattern, searched without regard to case. handler: beginnings of its name. after: seconds, unless the failure
    says better.
    """

    name: str
    cls: FailureClass
    action: Action
    why: str
    example: Example
    kinds: tuple[str, ...] = ()
    status: tuple[int, ...] = ()
    errno: tuple[int, ...] = ()
    exit_code: tuple[int, ...] = ()
    text: str = ""
    handler: tuple[str, ...] = ()
    after: float | None = None

    def fits(self, failure: Failure) -> bool:
        """Whether the failure is one of this rule's."""
        return (
            (not self.status or failure.status in self.status)
            and (not self.errno or failure.errno in self.errno)
            and (not self.exit_code or failure.exit_code in self.exit_code)
            and (not self.handler or failure.handler.lower().startswith(self.handler))
            and (not self.kinds or not _short(failure.kinds).isdisjoint(self.kinds))
            and (not self.text or pattern(self.text).search(failure.message) is not None)
        )


@cache
def pattern(text: str) -> re.Pattern[str]:
    """Compiled when first needed: a failure seldom gets to the end of the list."""
    return re.compile(text, re.IGNORECASE)


def short(kind: str) -> str:
    """`library.Name` of a qualified name: libraries move their classes from module to module."""
    library, name = kind.partition(".")[0], kind.rpartition(".")[2]
    return name if library == name else f"{library}.{name}"


@lru_cache(maxsize=256)
def _short(kinds: tuple[str, ...]) -> frozenset[str]:
    """Each name in all the ways in which a rule can write it."""
    names: set[str] = set()
    for kind in kinds:
        names |= {kind.rpartition(".")[2], short(kind), f"{kind.partition('.')[0]}.*"}
    return frozenset(names)
