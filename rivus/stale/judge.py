"""Whether one item's results are stale, stage by stage, and why.

A result is stale if its version differs from the stage's present one and is not blessed, or if its input would be
another one now. So what follows a stale result is fresh until that is redone, and stays so if the same comes out of it.
What a person ended (dropped, entered later) was made by no code and is never stale.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from rivus.model.inputs import (
    CHILDREN,
    SHORT,
    Children,
    Ended,
    ended,
    input_of,
    made_from,
    made_from_children,
    with_children,
)
from rivus.model.item import digest
from rivus.model.outcome import Json, Skip
from rivus.model.plan import Plan
from rivus.model.states import Box
from rivus.spool.children import children_ended, results_of_children
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_bytes
from rivus.spool.results import last_result
from rivus.stale.present import Present

INPUT = "input"
"""Stands among the names of changed parts for another input."""
NO_FILES = "its files"
"""What a result waits for that needs files which are not kept any longer. No stage has a name with a space."""
NO_CHILDREN = "its children"


class Paper(msgspec.Struct):
    """What is read of a ticket; its output stays as it is written until somebody needs it."""

    key: Any = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
    meta: Any = None
    output: msgspec.Raw = msgspec.Raw(b"null")
    receipt: Any = None

    @property
    def note(self) -> Json:
        return self.receipt if isinstance(self.receipt, dict) else {}

    @property
    def by_hand(self) -> bool:
        """Whether a person ended this, so that no code did."""
        return "input" not in self.note and ("skipped" in self.note or bytes(self.output) == b"null")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One result. parts: the names of what has changed, none for a fresh one. waits: the first stage before it that is
    not done and fresh, or NO_CHILDREN, or NO_FILES; "" if it can be redone."""

    stage: str
    paper: Paper
    parts: tuple[str, ...]
    waits: str

    @property
    def ready(self) -> bool:
        return not self.waits


_PAPER = msgspec.json.Decoder(Paper)


def read_paper(path: str) -> Paper | None:
    """A ticket, or None if there is none. Raises Unreadable."""
    try:
        return _PAPER.decode(read_bytes(path)[0])
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None


@dataclass(frozen=True, slots=True)
class Judge:
    """stages: how each stage of the plan is now, asked for when its first result is met."""

    spool: Spool
    plan: Plan
    stages: Callable[[str], Present]

    def verdicts(self, name: str) -> Iterator[Verdict]:
        """One for each result of the item. Raises Unreadable."""
        papers = self._papers(name)
        if not papers:
            return
        birth = read_paper(f"{self.spool.births(self.plan.job)}/{name}") or next(iter(papers.values()))
        case = _Case(self.spool, self.plan, name, birth, papers)
        fresh: set[str] = set()
        for stage, paper in papers.items():
            parts = () if paper.by_hand else tuple(self._parts(case, stage, paper))
            if not parts:
                fresh.add(stage)
            before = next((one for one in self.plan.ancestors(stage) if one not in fresh), "")
            yield Verdict(stage, paper, parts, before or (case.lacks(stage) if parts else ""))

    def _papers(self, name: str) -> dict[str, Paper]:
        job, order = self.plan.job, self.plan.order
        read = {stage: read_paper(self.spool.ticket(job, stage, Box.DONE, name)) for stage in order}
        return {stage: paper for stage, paper in read.items() if paper is not None}

    def _parts(self, case: _Case, stage: str, paper: Paper) -> Iterator[str]:
        if paper.note.get("input") != "":  # "": skipped without being run, so by no version
            yield from self.stages(stage).differs(paper.note.get("version"))
        yield from case.another_input(stage, paper.note)


class _Case:
    """What the results of one item would be made from now."""

    def __init__(self, spool: Spool, plan: Plan, name: str, birth: Paper, papers: Mapping[str, Paper]) -> None:
        self.spool, self.plan, self.name, self.papers = spool, plan, name, papers
        self.data: Json = _object(birth.data)
        self.entered = birth.meta.get("entered") if isinstance(birth.meta, dict) else None
        self._source = digest(self.data)[:SHORT]
        self._ended: dict[str, Ended | None] = {}
        self._given: dict[str, Children] = {}

    def lacks(self, stage: str) -> str:
        """What keeps a stage from being redone though all stages before it are done."""
        if stage in self.plan.children and not children_ended(self.spool, self.plan, stage, self.name):
            return NO_CHILDREN
        return NO_FILES if self._lacks_files(stage) else ""

    def _lacks_files(self, stage: str) -> bool:
        """Whether a stage before it wrote files that are not kept any longer."""
        folder = self.spool.files(self.plan.job, self.name)
        wrote = [one for one in self.plan.ancestors(stage) if one in self.papers and self.papers[one].note.get("files")]
        return any(not os.path.isdir(f"{folder}/{one}") for one in wrote)

    def another_input(self, stage: str, receipt: Json) -> list[str]:
        """What of the stage's input would not be as it was recorded: `input`, `children`, or nothing. One that was not
        recorded is not known to differ. Raises Unreadable, ValueError."""
        recorded, before = receipt.get("input"), receipt.get("made_from")
        same = recorded and before == self._made_from(stage) and not self._may_be_skipped(stage)
        if not isinstance(recorded, str) or same:
            return []
        results = {name: one for name in self.plan.ancestors(stage) if (one := self._result(name))}
        children = self._children(stage)
        try:
            now = digest(with_children(input_of(self.plan, stage, self.data, self.entered, results), children))
        except Skip:
            now = ""
        if now == recorded:
            return []
        made = made_from(self.plan, stage, self.data, results)
        return _differing(before if isinstance(before, dict) else {}, made | made_from_children(children))

    def _may_be_skipped(self, stage: str) -> bool:
        """Whether all that the stage needs now had nothing to do: what the input is made from does not tell."""
        needs = self.plan.needs[stage]
        return bool(needs) and all("skipped" in self.papers[one].note for one in needs if one in self.papers)

    def _children(self, stage: str) -> Children:
        """What the stage would get of the children now."""
        if stage not in self.plan.children:
            return {}
        if stage not in self._given:
            receipts = {name: self._receipt(name) for name in self.plan.ancestors(stage)}
            self._given[stage] = results_of_children(self.spool, self.plan, stage, receipts)
        return self._given[stage]

    def _receipt(self, stage: str) -> object:
        if paper := self.papers.get(stage):
            return paper.receipt
        return (last_result(self.spool, self.plan.job, stage, self.name) or {}).get("receipt")

    def _made_from(self, stage: str) -> dict[str, str]:
        """From what an input would be made, from the item's receipts alone; {} if these do not suffice."""
        whole = {"data": self._source}
        for ancestor in self.plan.ancestors(stage):
            paper = self.papers.get(ancestor)
            made = paper.note.get("output", "-" if "skipped" in paper.note else None) if paper else None
            if not isinstance(made, str):
                return {}
            whole[ancestor] = made[:SHORT]
        return whole | made_from_children(self._children(stage))

    def _result(self, stage: str) -> Ended | None:
        if stage not in self._ended:
            self._ended[stage] = self._read(stage)
        return self._ended[stage]

    def _read(self, stage: str) -> Ended | None:
        paper = self.papers.get(stage)
        try:
            if paper is not None:
                return ended(msgspec.json.decode(paper.output), paper.receipt)
            document = last_result(self.spool, self.plan.job, stage, self.name)
            return ended(document.get("output"), document.get("receipt")) if document else None
        except (ValueError, msgspec.DecodeError) as error:
            raise Unreadable(f"the result of {stage} cannot be read: {error}") from None


def _differing(before: Json, now: Mapping[str, str]) -> list[str]:
    """The parts of an input that has changed, by what it was and would be made from."""
    names = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    children = {name for name in names if name.startswith(CHILDREN + " ")}
    return [INPUT] * bool(names - children or not names) + [CHILDREN] * bool(children)


def _object(raw: msgspec.Raw) -> Json:
    value = msgspec.json.decode(raw)
    if not isinstance(value, dict):
        raise Unreadable("the item's data is not an object")
    return value
