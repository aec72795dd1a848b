"""The files of one job: of every item one ticket in each stage, in one box, under the name of its key, and whole.

Read only. A ticket may move while this looks; so what seems to be missing, or to be there twice, is looked for again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rivus.model.item import digest, is_ticket, ticket_of
from rivus.model.plan import Plan
from rivus.model.states import BOXES, Box
from rivus.spool import leaving
from rivus.spool.layout import Spool, names
from rivus.spool.planned import planned
from rivus.spool.reader import Unreadable, read_document
from rivus.tell.checkup.finding import Commands, Finding, one_line, word
from rivus.tell.checkup.visit import counted, is_locked

SHOWN = 20
NAMED = 5
YOUNG = 5.0
"""Seconds for which a file may still be being written."""
DROPPED = frozenset({Box.READY, Box.RUNNING, Box.LATER, Box.HELD})
"""Where something dropped in by hand may be that no stage has claimed yet."""
KEPT = (Box.DONE, Box.RUNNING, Box.FAILED, Box.HELD, Box.LATER, Box.READY, Box.WAIT)
"""Which of two tickets stays: the one that knows more."""
IN_JOB = frozenset({"discover", "files", "archive", "paused.json"})
IN_STAGE = frozenset({*BOXES, "state"})
IN_DISCOVER = frozenset({"done", "cursor.json", "looks.json", "backfill.json"})


CHANGED = "its output is not the one that its receipt was written for"


class Read(NamedTuple):
    """What a file holds: the name it should have, by its key, and what is wrong. Neither for what is gone, is still
    being written, or is no item yet; both for a ticket that was changed after it was done."""

    right: str = ""
    fault: str = ""
    key: str = ""


@dataclass
class JobFiles:
    """births: the inode of each birth record by name (0: cannot be read); a ticket that is a second name of it need not
    be read. known: the names of all tickets."""

    spool: Spool
    plan: Plan
    commands: Commands
    births: dict[str, int] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    @property
    def job(self) -> str:
        return self.plan.job

    def findings(self) -> Iterator[Finding]:
        """All that is wrong in the job, once."""
        yield from self._capped(self._births(), "birth records")
        for stage in self.plan.order:
            yield from self._stage(stage)
        yield from self._unborn()
        yield from self._capped(self._files(), "folders of files")
        yield from self._capped(self._strays(), "strays")

    def _capped(self, findings: Iterable[Finding], kind: str) -> Iterator[Finding]:
        number = 0
        for finding in findings:
            number += 1
            if number <= SHOWN:
                yield finding
        if number > SHOWN:
            what = f"{self.job}: {number - SHOWN} more of these ({kind}); mend the others and look again"
            yield Finding(what, self.commands.rivus("doctor", "--fsck"), grave=True)

    def _births(self) -> Iterator[Finding]:
        folder = self.spool.births(self.job)
        for entry in _entries(folder):
            right, fault, _ = self._read(entry.path)
            if fault:
                self.births[entry.name] = 0
                yield Finding(f"{one_line(entry.path)} cannot be read: {fault}", self._reborn(entry.name), grave=True)
            if not right:
                continue
            if right != entry.name:
                yield self._misnamed(entry.path, right, taken=self.spool.born(self.job, right))
            self.births[right] = entry.inode()

    def _stage(self, stage: str) -> Iterator[Finding]:
        seen: set[str] = set()
        twice: list[str] = []
        yield from self._capped(self._tickets(stage, seen, twice), f"files in {stage}")
        yield from self._capped(self._doubles(stage, twice), f"tickets in two boxes of {stage}")
        yield from self._missing(stage, seen)
        self.known |= seen

    def _tickets(self, stage: str, seen: set[str], twice: list[str]) -> Iterator[Finding]:
        for box in BOXES:
            for entry in self._in_box(stage, box):
                name = entry.name
                if self.births.get(name) != entry.inode():
                    read = self._read(entry.path, box)
                    yield from self._faults(stage, box, entry, read)
                    name = read.right or (name if read.fault and name in self.births else "")
                if name:
                    (twice.append if name in seen else seen.add)(name)

    def _faults(self, stage: str, box: Box, entry: os.DirEntry[str], read: Read) -> Iterator[Finding]:
        if read.fault and read.right:
            mend = self.commands.rivus("move", "retry", f"{self.job}/{read.key}", "--stage", stage)
            yield Finding(f"{one_line(entry.path)}: {read.fault}", mend, grave=True)
        elif read.fault:
            yield self._unreadable(stage, entry, read.fault)
        elif read.right not in ("", entry.name) and box not in (Box.READY, Box.RUNNING):
            yield self._misnamed(entry.path, read.right, self.spool.where(self.job, stage, read.right) is not None)

    def _in_box(self, stage: str, box: Box) -> Iterator[os.DirEntry[str]]:
        folder = self.spool.box(self.job, stage, box)
        if box is not Box.RUNNING:
            yield from _entries(folder)
            return
        for owner in names(folder):
            yield from _entries(f"{folder}/{owner}")

    def _read(self, path: str, box: Box | None = None) -> Read:
        try:
            document = read_document(path, time.time())
            if box in DROPPED and not is_ticket(document):
                return Read()
            ticket = ticket_of(document, self.job)
        except FileNotFoundError:
            return Read()
        except Unreadable as error:
            return Read() if box in DROPPED and error.age < YOUNG else Read(fault=one_line(error))
        except (ValueError, KeyError, TypeError) as error:
            return Read(fault=f"no ticket of this job ({one_line(error)})")
        made = (ticket.receipt or {}).get("output")
        changed = box is Box.DONE and made is not None and made != digest(ticket.output)
        return Read(ticket.name, CHANGED if changed else "", ticket.key)

    def _unreadable(self, stage: str, entry: os.DirEntry[str], fault: str) -> Finding:
        mend = self.commands.aside(entry.path, f"{self.job}.{stage}.{entry.name}")
        if self.births.get(entry.name):
            mend += f" && {self._linked(stage, [entry.name])} && {self.commands.rivus('sweep')}"
        return Finding(f"{one_line(entry.path)} cannot be used: {fault}", mend, grave=True)

    def _misnamed(self, path: str, right: str, taken: bool) -> Finding:
        target = f"{os.path.dirname(path)}/{right}"
        mend = self.commands.aside(path, f"{self.job}.{os.path.basename(path)}")
        what = f"{one_line(path)}: by its key it is {one_line(right)}" + (", which is there as well" if taken else "")
        return Finding(what, mend if taken else f"mv -n -- {word(path)} {word(target)}", grave=True)

    def _doubles(self, stage: str, twice: list[str]) -> Iterator[Finding]:
        for name in twice:
            places = sorted(self._places(stage, name), key=lambda place: KEPT.index(place[0]))
            for _ in range(2):  # what has moved between two looks was seen twice and is there once
                places = [place for place in places if os.path.lexists(place[1])]
            if len(places) > 1 and not self._finishing(places):
                yield self._double(stage, name, places)

    def _double(self, stage: str, name: str, places: list[tuple[Box, str]]) -> Finding:
        boxes = [box for box, _ in places]
        what = f"{self.job}:{stage}: {one_line(name)} is in {' and in '.join(boxes)}"
        if boxes == [Box.DONE, Box.RUNNING]:
            return Finding(what, self.commands.rivus("sweep"))
        label = f"{self.job}.{stage}.{name}"
        return Finding(what, " && ".join(self.commands.aside(path, label) for _, path in places[1:]), grave=True)

    def _finishing(self, places: list[tuple[Box, str]]) -> bool:
        """Whether a worker that lives has written its result, and is about to drop its claim."""
        owners = [path.split("/")[-2] for box, path in places if box is Box.RUNNING]
        return places[0][0] is Box.DONE and any(is_locked(f"{self.spool.owners}/{owner}.lock") for owner in owners)

    def _places(self, stage: str, name: str) -> Iterator[tuple[Box, str]]:
        for box in BOXES:
            if box is Box.RUNNING:
                for owner in names(self.spool.box(self.job, stage, box)):
                    yield box, f"{self.spool.claims(self.job, stage, owner)}/{name}"
            else:
                yield box, self.spool.ticket(self.job, stage, box, name)

    def _missing(self, stage: str, seen: set[str]) -> Iterator[Finding]:
        missing = [name for name in self.births if name not in seen]
        missing = [
            name
            for name in missing
            if self.spool.where(self.job, stage, name) is None
            and not os.path.lexists(leaving.place(self.spool, self.job, stage, name))
            and self.spool.born(self.job, name)
        ]
        if not missing:
            return
        some, every = len(missing), len(self.births)
        sweep = self.commands.rivus("sweep")
        noted = planned(self.spool, self.job).fits(self.plan)  # if not, the sweep adds what is missing
        mend = f"{sweep} && {self._linked(stage, missing)} && {sweep}" if noted else sweep
        what = f"{self.job}:{stage} has no ticket of {counted(some, 'item')}, of {every}: {_some(missing)}"
        yield Finding(what if noted else f"{what}; its stages have changed", mend, grave=noted)

    def _linked(self, stage: str, missing: list[str]) -> str:
        """Gives the stage the birth records of these as tickets, as publishing does."""
        births, wait = self.spool.births(self.job), self.spool.box(self.job, stage, Box.WAIT)
        if len(missing) <= NAMED:
            return f"ln -t {word(wait)} -- {' '.join(word(f'{births}/{name}') for name in missing)}"
        tickets = f"find {word(self.spool.stage(self.job, stage))} -name state -prune -o -type f -printf '%f\\n'"
        return (
            f"(export LC_ALL=C; cd {word(births)} && comm -23 <(ls | sort) <({tickets} | sort)"
            f" | xargs -r -d '\\n' ln -t {word(wait)} --)"
        )

    def _unborn(self) -> Iterator[Finding]:
        """One finding for all that the same command mends."""
        by_mend: dict[str, list[str]] = {}
        for name in sorted(self.known - self.births.keys()):
            if not self.spool.known(self.job, name) and (mend := self._birth(name)):
                by_mend.setdefault(mend, []).append(name)
        found = (
            Finding(f"{self.job}: {counted(len(unborn), 'item')} without a birth record: {_some(unborn)}", mend)
            for mend, unborn in by_mend.items()
        )
        yield from self._capped(found, "items without a birth record")

    def _birth(self, name: str) -> str:
        """What completes an item: the sweep for what waits, its stage for what is ready, else publishing it again."""
        found = {stage: self.spool.where(self.job, stage, name) for stage in self.plan.order}
        places = {place[0]: (stage, place[1]) for stage, place in found.items() if place}
        if Box.WAIT in places:
            return self.commands.rivus("sweep")
        if Box.READY in places:
            return self.commands.rivus("stage", "--no-stdin", f"{self.job}:{places[Box.READY][0]}")
        return self._injected(next(iter(places.values()))[1]) if places else ""

    def _injected(self, path: str) -> str:
        return f"jq -c '{{job, key, data, meta}}' {word(path)} | {self.commands.rivus('inject', self.job)}"

    def _reborn(self, name: str) -> str:
        """Puts a birth record aside, and makes it anew from a ticket that can be read."""
        mend = self.commands.aside(f"{self.spool.births(self.job)}/{name}", f"{self.job}.discover.{name}")
        for stage in self.plan.order:
            place = self.spool.where(self.job, stage, name)
            if place and self._read(place[1]).right == name:
                return f"{mend} && {self._injected(place[1])}"
        return mend

    def _files(self) -> Iterator[Finding]:
        folder = f"{self.spool.root}/{self.job}/files"
        for name in names(folder):
            ticket = f"{name}.json"
            if ticket not in self.births and ticket not in self.known and not self.spool.known(self.job, ticket):
                path = f"{folder}/{name}"
                yield Finding(f"{one_line(path)} belongs to no item", f"rm -r -- {word(path)}")

    def _strays(self) -> Iterator[Finding]:
        root = f"{self.spool.root}/{self.job}"
        removed = self.spool.stages(self.job)  # told by the check-up
        yield from self._others(root, IN_JOB.union(self.plan.needs, removed))
        yield from self._others(f"{root}/discover", IN_DISCOVER)
        for stage in self.plan.order:
            yield from self._others(f"{root}/{stage}", IN_STAGE)
            running = self.spool.box(self.job, stage, Box.RUNNING)
            for entry in _entries(running):
                if not entry.is_dir(follow_symlinks=False):
                    yield Finding(f"{one_line(entry.path)} is nobody's", self.commands.rivus("sweep"))

    def _others(self, folder: str, known: frozenset[str]) -> Iterator[Finding]:
        for entry in _entries(folder):
            if entry.name not in known:
                aside = self.commands.aside(entry.path, f"{self.job}.{entry.name}")
                yield Finding(f"{one_line(entry.path)} does not belong here", aside)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """What is in a directory, hidden names left out; nothing if there is no such directory."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return


def _some(files: list[str]) -> str:
    shown = ", ".join(one_line(name.removesuffix(".json"), 60) for name in files[:3])
    return shown + (", …" if len(files) > 3 else "")
