"""The doctor's word on an error of a handler or a source: what it is, which group it belongs to, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rivus.doctor.classify import classify
from rivus.doctor.failure import Failure, failure_of
from rivus.doctor.fingerprint import fingerprint
from rivus.model.diagnosis import Diagnosis
from rivus.model.outcome import Json

LONGEST = 4096
"""Characters of a recorded reason that are judged: a ticket is anybody's to drop in."""
_FACTS = ("status", "retry_after", "until", "errno", "exit_code", "frame")


@dataclass(frozen=True, slots=True)
class Consulted:
    """A failure, the fingerprint of its group, and what the rules say."""

    failure: Failure
    fingerprint: str
    diagnosis: Diagnosis


def consult(error: BaseException, handler: str, now: float) -> Consulted:
    """handler: the name of what raised it. now: seconds since the epoch."""
    failure = failure_of(error, handler)
    return Consulted(failure, fingerprint(failure), classify(failure, now))


def facts(failure: Failure) -> Json:
    """What a record keeps of a failure beside handler, type and reason, so that it can be judged again."""
    whole = {name: getattr(failure, name) for name in _FACTS}
    return {"kinds": list(failure.kinds)} | {name: value for name, value in whole.items() if value is not None}


def recalled(attempt: Json) -> Failure:
    """The failure in an attempt's record, as the rules saw it; parts of a wrong type are left out."""
    known = attempt.get("facts")
    given = known if isinstance(known, dict) else {}
    kinds = given.get("kinds")
    rest: Any = {name: value for name in _FACTS if isinstance(value := given.get(name), int | float | str)}
    return Failure(
        str(attempt.get("handler", "")),
        str(attempt.get("type", "")),
        tuple(map(str, kinds)) if isinstance(kinds, list) else (),
        str(attempt.get("reason", ""))[:LONGEST],
        **rest,
    )
