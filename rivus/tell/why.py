"""Why an item is not running: what keeps it, in order of what matters, until when, and what overrides it.

Reads only: no file is moved or changed, and locks are looked at, never waited for. What it says was so when it looked.
The order is: the whole job (broken, disabled, paused), then each stage that is not done. A stage that waits for others
has their reasons as `causes`, once an item, so that the end of each chain is a root cause.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from rivus.config.problem import did_you_mean
from rivus.limits import PROBED_AGAIN
from rivus.model.decide import FOREVER
from rivus.model.item import file_name, is_ticket
from rivus.model.outcome import Json
from rivus.model.reason import Group, Kind, Reason, Tally
from rivus.model.states import BOXES, Box
from rivus.model.times import utc
from rivus.spool.hands import birth
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_document
from rivus.spool.recover import YOUNG
from rivus.tell.absent import absent
from rivus.tell.evidence import Evidence, class_of, document_of, explains, last_attempt, part, reason_of
from rivus.tell.family import known_of, waits_for_children
from rivus.tell.gates import SAME_TIME, closed, next_budget, no_token, parked, probed, whole_job
from rivus.tell.look import entries, stages_of

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.config.schema import Job
    from rivus.limits import Limits


def why(spool: Spool, jobs: Jobs, limits: Limits, job: str, key: str, stage: str | None = None) -> list[Reason]:
    """Why the item `key` of `job` is not running (in `stage` alone); at least one reason."""
    return explain(Evidence(spool, jobs, limits, time.time()), job, file_name(key), key, stage)


def explain(evidence: Evidence, job: str, name: str, key: str, stage: str | None = None) -> list[Reason]:
    """As `why`, for the item whose file is `name`, with what has been looked up already."""
    return list(_Item(evidence, job, name, key).reasons(stage))


def why_all(evidence: Evidence, stage: str | None = None) -> list[Group]:
    """Why all that is not done (in `stage` alone) is not: the reasons, each with how many items it keeps, the
    commonest first. What is done is not looked at, so this takes time for what is open only."""
    tally = Tally()
    for job in sorted(evidence.known_jobs):
        for name in _open_items(evidence, job, stage):
            key = _key(evidence.spool, job, name)
            tally.add(job, key, explain(evidence, job, name, key, stage))
    return tally.groups()


def _open_items(evidence: Evidence, job: str, stage: str | None) -> list[str]:
    """The names of the items that have a ticket in any box but `done`."""
    spool, boxes = evidence.spool, [box for box in BOXES if box is not Box.DONE]
    stages = [one for one in spool.stages(job) if stage in (None, one)]
    return sorted({os.path.basename(path) for one in stages for box in boxes for path in entries(spool, job, one, box)})


def _key(spool: Spool, job: str, name: str) -> str:
    """The key of an item whose file is `name`: the name says it unless it is encoded or cut."""
    key = name.removesuffix(".json")
    if file_name(key) == name:
        return key
    try:
        ticket = birth(spool, job, name)
    except (Unreadable, ValueError):
        ticket = None
    return ticket.key if ticket else key


class _Item:
    """One item, while it is explained."""

    def __init__(self, evidence: Evidence, job: str, name: str, key: str) -> None:
        self.evidence, self.spool, self.now = evidence, evidence.spool, evidence.now
        self.job, self.name, self.key = job, name, key
        self.sound: Job | None = evidence.jobs.jobs.get(job)
        self.known = self.spool.born(job, name)
        self.told: set[str] = set()

    @property
    def address(self) -> str:
        return shlex.quote(f"{self.job}/{self.key}")

    def reasons(self, only: str | None) -> Iterator[Reason]:
        if self.job not in self.evidence.known_jobs:
            yield self._unknown()
            return
        stages = stages_of(self.spool, self.job, self.sound)
        places = {stage: self.place(stage) for stage in stages}
        if not self.known and not any(places.values()):
            yield self._nowhere(stages)
            return
        if only and only not in places:
            yield Reason(only, Kind.NO_STAGE, f"the job {self.job} has no such stage{did_you_mean(only, stages)}")
            return
        opened = [only] if only else [stage for stage in stages if self._counts(stage, places)]
        opened = [stage for stage in opened if places[stage] is not Box.DONE]
        if not opened:
            known = known_of(self.spool, self.job, stages, self.name)
            done = Reason("", Kind.DONE, "done", "; ".join(filter(None, ["in every stage; nothing to do", known])))
            yield from self.stage(only) if only else [done]
            return
        yield from whole_job(self.evidence, self.job)
        needed = {need for stage in opened if places[stage] is Box.WAIT for need in self._needs(stage)}
        for stage in opened:
            if stage not in needed:
                yield from self.stage(stage)

    def place(self, stage: str) -> Box | None:
        found = self.spool.where(self.job, stage, self.name)
        return found[0] if found else None

    def _counts(self, stage: str, places: dict[str, Box | None]) -> bool:
        """Whether the item has, or should have, anything to do with the stage."""
        return places.get(stage) is not None or (self.known and self.sound is not None and stage in self.sound.stages)

    def _needs(self, stage: str) -> tuple[str, ...]:
        return self.sound.plan.needs.get(stage, ()) if self.sound else ()

    def stage(self, stage: str) -> list[Reason]:
        """What keeps the item in one stage; [] if that was told already. A ticket that moves on is looked for anew."""
        if stage in self.told:
            return []
        self.told.add(stage)
        for _ in range(3):
            found = self.spool.where(self.job, stage, self.name)
            if found is None:
                return [self._put_aside(stage) or absent(self.spool, self.name, self.job, stage, self.sound)]
            if self.sound and stage not in self.sound.stages:
                return [self._no_stage(stage, *found)]
            try:
                return list(_BOXES[found[0]](self, stage, found[1]))
            except FileNotFoundError:
                continue
        return [Reason(stage, Kind.RUNNING, "moves on at this moment")]

    def wait(self, stage: str, path: str) -> Iterator[Reason]:
        lacking = [need for need in self._needs(stage) if self.place(need) is not Box.DONE]
        if lacking:
            causes = tuple(cause for need in lacking for cause in self.stage(need))
            yield Reason(stage, Kind.NEEDS, f"waits for {' and '.join(lacking)}", causes=causes)
        elif self.sound:
            what = "has all it needs, and nobody has released it yet"
            overdue = Reason(stage, Kind.OVERDUE, what, override="rivus-sweep")
            yield waits_for_children(self.spool, self.sound, stage, self.name) or overdue
        else:
            yield Reason(stage, Kind.NEEDS, "waits for other stages")

    def ready(self, stage: str, path: str) -> Iterator[Reason]:
        try:
            document = read_document(path, self.now)
        except Unreadable as error:
            yield self._spoilt(stage, path, error)
            return
        yield from closed(self.evidence, self.sound, stage)
        ahead = self.evidence.queue(self.job, stage).get(self.name, 0)
        busy = self.evidence.busy(self.job, stage)
        detail = f"behind {ahead} other{'s' * (ahead > 1)}" if ahead else "next in line"
        detail += f"; {busy} run now" if busy else "; no worker is at this stage"
        detail += "" if is_ticket(document) else "; was dropped in and becomes an item when it is claimed"
        command = f"rivus-stage {self.job}:{stage} {self.address}"
        yield Reason(stage, Kind.READY, "ready", detail, override=command)

    def _spoilt(self, stage: str, path: str, error: Unreadable) -> Reason:
        if 0 <= error.age < YOUNG:
            return Reason(
                stage, Kind.WRITTEN, "is half-written; left alone", why=str(error), until=self.now - error.age + YOUNG
            )
        what = "cannot be read; who claims it moves it to _rejected"
        return Reason(stage, Kind.REJECTED, what, why=str(error), override=f"$EDITOR {shlex.quote(path)}")

    def later(self, stage: str, path: str) -> Iterator[Reason]:
        document, status = document_of(path), os.lstat(path)
        due = status.st_mtime
        if waits := next_budget(self.evidence, self.sound, stage, due):
            yield from waits
            return
        if rest := parked(self.evidence, self.sound, stage):
            yield rest
            if abs(due - (FOREVER if rest.until is None else rest.until)) < SAME_TIME:
                return
        if due <= self.now:
            late = f"since {utc(due)}"
            yield Reason(stage, Kind.OVERDUE, "is due and not woken yet", late, override="rivus-sweep")
        elif due >= FOREVER and self.evidence.paused(self.job):
            resume = f"rivus-limit unpause {self.job}"
            yield Reason(stage, Kind.PAUSED, "put off until the job is resumed", override=resume)
        else:
            yield self._put_off(stage, due, status.st_ctime, last_attempt(document))

    def _put_off(self, stage: str, due: float, changed: float, attempt: Json) -> Reason:
        said, group = f"{reason_of(attempt)}{class_of(attempt)}", str(attempt.get("fingerprint", ""))
        retry = f"rivus-move retry --stage {stage} {self.address}"
        if not explains(attempt, changed):
            if token := no_token(self.evidence, self.sound, stage, due):
                return replace(token, override=f"{token.override}, then {retry}")
            probe = probed(self.evidence, self.sound, stage)
            if probe and due <= self.now + PROBED_AGAIN:
                return replace(probe, until=due)
            last = f"; the last try said: {said}" if attempt.get("reason") else ""
            said, group = f"by a person, or while its source or job rested or had no token{last}", ""
        if due >= FOREVER:
            return Reason(stage, Kind.LATER, "put off until a person resumes it", "", said, override=retry, group=group)
        return Reason(stage, Kind.LATER, "not before", "", said, due, retry, group=group)

    def running(self, stage: str, path: str) -> Iterator[Reason]:
        owner, since = os.path.basename(os.path.dirname(path)), os.lstat(path).st_ctime
        worker = self.evidence.worker(owner)
        if worker is None:
            which = f"{owner}, which took it at {utc(since)}"
            yield Reason(stage, Kind.DEAD, "its worker died", which, override="rivus-sweep")
            return
        most = self.sound.stages[stage].timeout if self.sound else None
        until = None if most is None else since + most
        yield Reason(stage, Kind.RUNNING, "running", f"since {utc(since)} by {worker}", until=until)

    def failed(self, stage: str, path: str) -> Iterator[Reason]:
        document = document_of(path)
        attempt, error = last_attempt(document), part(document, "error")
        tries, at = attempt.get("n"), error.get("at") or attempt.get("ended") or ""
        detail = f"after {tries} {'try' if tries == 1 else 'tries'}, {at}" if tries else str(at)
        said = f"{reason_of(error or attempt)}{class_of(attempt)}"
        retry, group = f"rivus-move retry --stage {stage} {self.address}", str(attempt.get("fingerprint", ""))
        yield Reason(stage, Kind.FAILED, "failed", detail, said, override=retry, group=group)

    def held(self, stage: str, path: str) -> Iterator[Reason]:
        document = document_of(path)
        error, attempt = part(document, "error"), last_attempt(document)
        said, since, group = f"{reason_of(error)}{class_of(attempt)}", error.get("at"), attempt.get("fingerprint", "")
        if attempt.get("outcome") != "held":
            line = self.evidence.held_why(self.job, stage, self.name)
            before = f"; it had failed: {said}" if error else ""
            said, since, group = f"{line.get('why') or 'no reason was given'}{before}", line.get("t"), ""
        detail = f"since {since}" if since else ""
        release = f"rivus-move release --stage {stage} {self.address}"
        yield Reason(stage, Kind.HELD, "held", detail, said, override=release, group=str(group))

    def done(self, stage: str, path: str) -> Iterator[Reason]:
        receipt = part(document_of(path), "receipt")
        yield Reason(stage, Kind.DONE, "done", "nothing to do", str(receipt.get("skipped", "")))

    def _no_stage(self, stage: str, box: Box, path: str) -> Reason:
        file = self.sound.folder / self.sound.file.name if self.sound else ""
        what = f"the job {self.job} has no stage {stage} any more"
        return Reason(stage, Kind.NO_STAGE, what, f"its file is {path}", override=f"add the stage {stage} to {file}")

    def _put_aside(self, stage: str) -> Reason | None:
        """For what was rejected on its way into a stage, or is still hidden because it is being written."""
        ready = self.spool.box(self.job, stage, Box.READY)
        if found := self.evidence.rejected(self.job, stage, self.name):
            back = shlex.join(["mv", found[0], f"{ready}/{self.name}"])
            return Reason(stage, Kind.REJECTED, "was rejected", f"to {found[0]}", found[1], override=back)
        if os.path.lexists(hidden := f"{ready}/.{self.name}"):
            shown = shlex.join(["mv", hidden, f"{ready}/{self.name}"])
            return Reason(stage, Kind.WRITTEN, "is hidden, as what is being written", override=shown)
        return None

    def _nowhere(self, stages: list[str]) -> Reason:
        """For what is in no stage and has no birth record."""
        if self.spool.archived(self.job, self.name):
            return Reason("", Kind.DONE, "archived; nothing to do", override=f"rivus-prune --restore {self.address}")
        for stage in stages:
            if reason := self._put_aside(stage):
                return reason
        if found := self.evidence.rejected_find(self.job, self.key):
            return Reason("", Kind.REJECTED, "was found, and rejected", f"to {found[0]}", found[1])
        return self._unknown()

    def _unknown(self) -> Reason:
        jobs = self.evidence.known_jobs
        said = "" if self.job in jobs else f"there is no job {self.job}{did_you_mean(self.job, jobs)}"
        return Reason("", Kind.UNKNOWN, "no such item here", why=said)


_BOXES: dict[Box, Callable[[_Item, str, str], Iterator[Reason]]] = {
    Box.WAIT: _Item.wait, Box.READY: _Item.ready, Box.RUNNING: _Item.running, Box.LATER: _Item.later,
    Box.DONE: _Item.done, Box.FAILED: _Item.failed, Box.HELD: _Item.held,
}  # fmt: skip
