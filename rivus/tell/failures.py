"""What has failed, in groups: one outage is one line, however many items it hit. Read from the tickets themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rivus.errors import BadInput
from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_document

FINGERPRINT = re.compile("[0-9a-f]{16}")
TROUBLE = (Box.FAILED, Box.HELD, Box.LATER)


@dataclass(frozen=True, slots=True)
class Case:
    """One item that is in trouble. attempt: the record of its last try."""

    job: str
    stage: str
    key: str
    name: str
    box: Box
    attempt: Json


@dataclass(slots=True)
class Group:
    """Cases of one kind. first, last: when (ISO 8601)."""

    fingerprint: str
    cases: list[Case] = field(default_factory=list)

    @property
    def latest(self) -> Case:
        return max(self.cases, key=lambda case: str(case.attempt.get("ended", "")))

    def to_json(self) -> Json:
        """What `rivus-doctor failures --json` prints."""
        attempt = self.latest.attempt
        times = sorted(str(case.attempt.get("ended", "")) for case in self.cases)
        whole: dict[str, Any] = {name: attempt.get(name) for name in ("class", "action", "rule", "handler", "type")}
        boxes = {str(box): sum(1 for case in self.cases if case.box is box) for box in TROUBLE}
        return {
            "group": self.fingerprint,
            "count": len(self.cases),
            **whole,
            "first": times[0],
            "last": times[-1],
            "example": attempt.get("reason"),
            "boxes": {box: count for box, count in boxes.items() if count},
            "items": [f"{case.job}/{case.key}" for case in self.cases],
        }


def cases(spool: Spool, jobs: Iterable[str] | None = None) -> Iterator[Case]:
    """Every item that has failed, is held, or waits after a failure."""
    from rivus.tell.look import entries

    for job in jobs if jobs is not None else spool.jobs():
        for stage in spool.stages(job):
            for box in TROUBLE:
                for path in entries(spool, job, stage, box):
                    if case := _case(job, stage, box, path):
                        yield case


def _case(job: str, stage: str, box: Box, path: str) -> Case | None:
    try:
        document = read_document(path)
    except (FileNotFoundError, Unreadable):
        return None
    attempts = document.get("attempts")
    last = attempts[-1] if isinstance(attempts, list) and attempts else None
    if not isinstance(last, dict) or "reason" not in last:
        return None
    name = path.rpartition("/")[2]
    return Case(job, stage, str(document.get("key", name)), name, box, last)


def groups(spool: Spool, jobs: Iterable[str] | None = None) -> list[Group]:
    """The cases by fingerprint, the largest group first."""
    found: dict[str, Group] = {}
    for case in cases(spool, jobs):
        fingerprint = str(case.attempt.get("fingerprint"))
        if not FINGERPRINT.fullmatch(fingerprint):  # a ticket is anybody's to drop in, and this becomes a file's name
            fingerprint = "none"
        found.setdefault(fingerprint, Group(fingerprint)).cases.append(case)
    return sorted(found.values(), key=lambda group: (-len(group.cases), group.fingerprint))


def group_of(spool: Spool, start: str) -> Group:
    """The one group whose fingerprint begins with `start`. Raises BadInput."""
    fitting = [group for group in groups(spool) if start and group.fingerprint.startswith(start)]
    if len(fitting) != 1:
        raise BadInput(
            f"{start}: {'no such group' if not fitting else 'several groups begin so'}; see rivus-doctor failures"
        )
    return fitting[0]
