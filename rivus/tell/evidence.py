"""What explains more than one item, read when it is first asked for and then kept: the state of limits, who is alive,
the order of what is ready, who parked what and why, what was rejected. Nothing here changes anything."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.limits.spending import Spending
from rivus.locks import holders, is_held
from rivus.model.item import stem
from rivus.model.money import Spent, day_of
from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.model.times import epoch
from rivus.spool.layout import Spool, names
from rivus.spool.pause import paused
from rivus.spool.reader import MAX_BYTES, Unreadable, read_document
from rivus.talk import plain

if TYPE_CHECKING:
    from rivus.config import Jobs
    from rivus.limits import Limits, LimitStatus

SHOWN = 120
PROMPT = 30.0
"""Seconds within which a worker puts off what it has tried; a later change had another reason."""
_REASON = ".reason.json"


class Evidence:
    """See the module. One object is one look: what it has told once does not change any more.

    paused: a job -> its pause or None. today: a job -> what each stage has cost today; raises BadConfig. limit: a name
    -> its state. worker: an owner -> the process behind it, or None if it is dead. queue: job, stage -> the place of
    each name in `ready`, from 0. now: seconds since the epoch.
    """

    def __init__(self, spool: Spool, jobs: Jobs, limits: Limits, now: float) -> None:
        self.spool, self.jobs, self.now = spool, jobs, now
        self.paused: Callable[[str], Json | None] = cache(partial(paused, spool))
        self.limit: Callable[[str], LimitStatus] = cache(limits.status)
        self.today: Callable[[str], dict[str, Spent]] = cache(self._today)
        self.worker: Callable[[str], str | None] = cache(self._worker)
        self.queue: Callable[[str, str], dict[str, int]] = cache(self._queue)
        self.busy: Callable[[str, str], int] = cache(self._busy)
        self.known_jobs = {*jobs.jobs, *jobs.broken, *spool.jobs()}
        self._days = sorted(names(spool.journal))
        self._holds: dict[tuple[str, str, str], Json] = {}

    def _today(self, job: str) -> dict[str, Spent]:
        return Spending(self.spool).read(job, day_of(self.now)) or {}

    def _worker(self, owner: str) -> str | None:
        lock = Path(f"{self.spool.owners}/{owner}.lock")
        if not is_held(lock):
            return None
        pids = holders(lock) or [int(part) for part in owner.split("-")[1:2] if part.isdecimal()]
        return processes(pids) or owner

    def _queue(self, job: str, stage: str) -> dict[str, int]:
        folder = self.spool.box(job, stage, Box.READY)
        aged = []
        for name in names(folder):
            try:
                aged.append((os.lstat(f"{folder}/{name}").st_mtime, name))
            except FileNotFoundError:
                continue
        return {name: place for place, (_, name) in enumerate(sorted(aged))}

    def _busy(self, job: str, stage: str) -> int:
        """How many items live workers are at in this stage."""
        folder = self.spool.box(job, stage, Box.RUNNING)
        alive = [owner for owner in names(folder) if self.worker(owner)]
        return sum(1 for owner in alive for _ in names(f"{folder}/{owner}"))

    def held_why(self, job: str, stage: str, name: str) -> Json:
        """The last line of the journal that says that this ticket was held, {} if there is none. Days are read from
        the newest back, and only as far as it takes."""
        wanted = (job, stage, name.removesuffix(".json"))
        while wanted not in self._holds and self._days:
            self._holds = self._holds_of(self._days.pop()) | self._holds
        return self._holds.get(wanted, {})

    def _holds_of(self, day: str) -> dict[tuple[str, str, str], Json]:
        found = {}
        with open(f"{self.spool.journal}/{day}", "rb") as lines:
            for line in lines:
                if b'"move":"hold"' in line and (entry := _entry(line)):
                    found[(str(entry.get("job")), str(entry.get("stage")), str(entry.get("key")))] = entry
        return found

    def rejected(self, job: str, stage: str, name: str) -> tuple[str, str] | None:
        """Where a file of this name that came from this stage is now, and why; the newest if there are several."""
        return self._newest(self._rejects.get(stem(f"{job}.{stage}.{name}"), []))

    def rejected_find(self, job: str, key: str) -> tuple[str, str] | None:
        """The same for what discovery found under this key."""
        start = stem(f"{job}.discover.")
        targets = [target for base in self._rejects if base.startswith(start) for target in self._rejects[base]]
        return self._newest([target for target in targets if self._found_key(target) == key])

    @cached_property
    def _rejects(self) -> dict[str, list[str]]:
        """The rejected files by the name that the first of each name has."""
        found: dict[str, list[str]] = {}
        for note in names(self.spool.rejected):
            target = note.removesuffix(_REASON)
            if target != note:
                found.setdefault(re.sub(r"(?<=\.json)\.\d+$", "", target), []).append(target)
        return found

    def _newest(self, targets: list[str]) -> tuple[str, str] | None:
        notes = [
            (str(note.get("t")), target, str(note.get("reason", "not recorded")))
            for target, note in self._noted(targets)
        ]
        if not notes:
            return None
        _, target, reason = max(notes)
        return f"{self.spool.rejected}/{target}", reason

    def _noted(self, targets: list[str]) -> list[tuple[str, Json]]:
        return [(target, self._document(f"{target}{_REASON}")) for target in targets]

    def _found_key(self, name: str) -> object:
        """Read leniently: that it is no strict JSON may be why it was rejected."""
        path = f"{self.spool.rejected}/{name}"
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return None
            with open(path, "rb") as file:
                found = json.loads(file.read(MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        return found.get("key") if isinstance(found, dict) else None

    def _document(self, name: str) -> Json:
        try:
            return read_document(f"{self.spool.rejected}/{name}")
        except (FileNotFoundError, Unreadable):
            return {}


def _entry(line: bytes) -> Json | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def processes(pids: list[int]) -> str:
    """`pid 12 (rivus-stage fetch), pid 13 (…)`, with the command lines from /proc cut to 120 characters."""
    return ", ".join(f"pid {pid} ({_command_line(pid)})" for pid in pids)


def _command_line(pid: int) -> str:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return "gone; a child keeps its lock"
    line = plain(raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace"))
    return (line if len(line) <= SHOWN else f"{line[:SHOWN]}…") or "has ended"


def document_of(path: str) -> Json:
    """What is in a ticket's file, {} if it cannot be read. Raises FileNotFoundError."""
    try:
        return read_document(path)
    except Unreadable:
        return {}


def part(document: Json, name: str) -> Json:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def attempts_of(document: Json) -> list[Json]:
    attempts = document.get("attempts")
    return [one for one in attempts if isinstance(one, dict)] if isinstance(attempts, list) else []


def last_attempt(document: Json) -> Json:
    return (attempts_of(document) or [{}])[-1]


def reason_of(record: Json) -> str:
    return str(record.get("reason") or "no reason was recorded")


def class_of(attempt: Json) -> str:
    return f" [{attempt['class']}]" if attempt.get("class") else ""


def explains(attempt: Json, changed: float) -> bool:
    """Whether a try is why its ticket was put off at `changed` (seconds since the epoch)."""
    try:
        ended = epoch(str(attempt.get("ended")))
    except ValueError:
        return False
    return changed - ended < PROMPT and not attempt.get("final")
