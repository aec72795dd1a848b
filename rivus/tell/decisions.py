"""Deciding about groups of failures: by a person now, for good with a verdict, or by today's rules in retrospect."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rivus.config.verdicts import Verdict, read_verdict, render_verdict
from rivus.doctor.classify import classify
from rivus.doctor.consult import recalled
from rivus.errors import BadConfig, BadInput
from rivus.model.diagnosis import Action, Diagnosis, FailureClass
from rivus.model.item import file_name
from rivus.model.outcome import Json
from rivus.model.states import Move
from rivus.model.times import utc
from rivus.spool.hands import move
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable, read_document
from rivus.talk import say
from rivus.tell.diagnose import Group as Question
from rivus.tell.failures import FINGERPRINT, Group, cases, groups

DAY = 86400.0


def decide_about(spool: Spool, group: Group, row: Move, why: str, action: str) -> int:
    """Makes the move for every item of the group; with an `action`, that is the verdict on its kind from now on.
    Gives how many were moved."""
    if action and not FINGERPRINT.fullmatch(group.fingerprint):
        raise BadInput(f"{group.fingerprint}: these failures have no kind that a verdict could be about")
    if action:
        last = group.latest.attempt
        verdict = Verdict(
            cls=_class(last.get("class")),
            action=Action(action),
            why=why,
            handler=str(last.get("handler", "")),
            example=str(last.get("reason", ""))[:500],
            seen=len(group.cases),
        )
        write_verdict(spool, group.fingerprint, verdict)
    moved = [move(spool, case.job, case.stage, case.name, row, why=why, by="doctor") for case in group.cases]
    return sum(1 for box in moved if box)


def _class(recorded: object) -> FailureClass:
    known = recorded if isinstance(recorded, str) and recorded in set(FailureClass) else FailureClass.UNKNOWN
    return FailureClass(known)


def write_verdict(spool: Spool, fingerprint: str, verdict: Verdict) -> None:
    """Keeps a verdict, durably; running stages apply it at once."""
    with Owner(spool) as owner:
        owner.write(f"{spool.verdicts}/{fingerprint}.yaml", render_verdict(verdict))


def judged(spool: Spool, attempt: Json, now: float) -> Diagnosis:
    """What would be said today about a recorded attempt."""
    fingerprint = str(attempt.get("fingerprint"))
    try:
        verdict = read_verdict(spool.verdicts, fingerprint, now) if FINGERPRINT.fullmatch(fingerprint) else None
    except BadConfig as error:
        say(str(error))
        verdict = None
    return verdict.diagnosis() if verdict else classify(recalled(attempt), now)


def explanation(spool: Spool, job: str, key: str) -> Iterator[str]:
    """Lines about every failed try of an item. Raises BadInput if there was none."""
    told = False
    for stage in spool.stages(job):
        place = spool.where(job, stage, file_name(key))
        if place is None:
            continue
        for attempt in _attempts(place[1]):
            if "reason" in attempt:
                told = True
                yield from _told(spool, f"{job}:{stage} ({place[0]})", attempt)
    if not told:
        raise BadInput(f"{job}/{key}: no failure is recorded for it")


def _attempts(path: str) -> list[Json]:
    try:
        attempts = read_document(path).get("attempts")
    except (FileNotFoundError, Unreadable):
        return []
    return [one for one in attempts if isinstance(one, dict)] if isinstance(attempts, list) else []


def _told(spool: Spool, place: str, attempt: Json) -> Iterator[str]:
    now = judged(spool, attempt, time.time())
    yield f"{place} attempt {attempt.get('n')}, {attempt.get('ended')}: {attempt.get('type')}: {attempt.get('reason')}"
    yield f"  group {attempt.get('fingerprint')}, handler {attempt.get('handler')}"
    decided = f"{attempt.get('class')} -> {attempt.get('action')} ({attempt.get('rule')})"
    yield f"  decided: {decided}: {attempt.get('outcome')}"
    yield f"  today: {now.cls} -> {now.action} ({now.rule}): {now.why}"


def changes(spool: Spool) -> Iterator[Json]:
    """Each kind of change that today's rules and verdicts would make to recorded decisions, with a count."""
    now, counts = time.time(), Counter[tuple[str, ...]]()
    for case in cases(spool):
        found, old = judged(spool, case.attempt, now), case.attempt
        then = (str(old.get("class")), str(old.get("action")))
        if then != (found.cls, found.action):
            counts[(str(old.get("fingerprint")), *then, found.cls, found.action, found.rule)] += 1
    names = ("group", "class", "action", "class_now", "action_now", "rule_now")
    for kind, count in counts.most_common():
        yield dict(zip(names, map(str, kind), strict=True)) | {"count": count}


def ask_about_unknown(spool: Spool, folder: Path) -> Iterator[Json]:
    """Asks the model about each kind of failure that no rule knows and that has no verdict; see `diagnose`."""
    from rivus.config.doctor import load_doctor
    from rivus.tell.diagnose import Result, diagnose

    unknown = {group.fingerprint: group for group in groups(spool) if _is_unknown(spool, group)}
    questions: list[Question] = [
        {"fingerprint": name, "example": recalled(group.latest.attempt), "count": len(group.cases)}
        for name, group in unknown.items()
    ]

    def record(result: Result) -> None:
        group, found = unknown[result.fingerprint], result.diagnosis
        last = group.latest.attempt
        told = Verdict(
            cls=found.cls,
            action=found.action,
            after=found.after,
            by=found.rule,
            why=found.why,
            handler=str(last.get("handler", "")),
            example=str(last.get("reason", ""))[:500],
            seen=len(group.cases),
            expires=utc(time.time() + 30 * DAY),
        )
        write_verdict(spool, result.fingerprint, told)

    for result in diagnose(spool, load_doctor(folder), questions, record):
        found = result.diagnosis
        told = {"class": found.cls, "action": found.action, "after": found.after, "by": found.rule, "why": found.why}
        yield {"group": result.fingerprint, **told, "answered": result.answered, "usd": result.usd}


def _is_unknown(spool: Spool, group: Group) -> bool:
    return judged(spool, group.latest.attempt, time.time()).rule == "unknown"
