"""What is stale in a job: each stage counted, with the reasons, what follows it, and what redoing would cost.

One pass over the items, in bounded memory; each result is read once. Nothing is changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.spool.layout import Spool, names
from rivus.spool.reader import Unreadable
from rivus.stale.cost import Past, estimate
from rivus.stale.judge import Judge, Verdict
from rivus.stale.present import Present, present, recorded_id

if TYPE_CHECKING:
    from rivus.config.schema import Job


@dataclass(slots=True)
class StageCount:
    """One stage. why: name of a changed part -> how many results; versions: id -> how many stale results have it;
    made: id -> that version as the first of their receipts has it; known: the ids of all results; ready: how many
    could be redone now; waits: what the others wait for (`Verdict.waits`) -> how many; follows: stage -> how many of
    its results depend on what is stale here."""

    results: int = 0
    stale: int = 0
    ready: int = 0
    why: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    made: dict[str, Json] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    follows: Counter[str] = field(default_factory=Counter)
    past: Past = field(default_factory=Past)

    def add(self, verdict: Verdict) -> None:
        self.results += 1
        recorded = verdict.paper.note.get("version")
        version = recorded_id(recorded)
        self.known.add(version)
        if not verdict.paper.by_hand:
            self.past.add(verdict.paper.note)
        if verdict.parts:
            self.stale += 1
            self.ready += verdict.ready
            self.waits.update([verdict.waits] if verdict.waits else ())
            self.why.update(verdict.parts)
            self.versions[version] += 1
            self.made.setdefault(version, recorded if isinstance(recorded, dict) else {})


class Survey:
    """The results of one job as they are now. unreadable: how many items could not be judged."""

    def __init__(self, spool: Spool, job: Job) -> None:
        self.spool, self.job = spool, job
        self.unreadable = 0
        self._present: dict[str, Present] = {}
        self._judge = Judge(spool, job.plan, self.present)

    def present(self, stage: str) -> Present:
        """How a stage is now; looked up once."""
        if stage not in self._present:
            self._present[stage] = present(self.spool, self.job, stage)
        return self._present[stage]

    def items(self) -> Iterator[tuple[str, list[Verdict]]]:
        """The verdicts of every item: the name of its files, and one for each result, in the order of the stages."""
        for name in names(self.spool.births(self.job.name)):
            try:
                yield name, list(self._judge.verdicts(name))
            except (Unreadable, ValueError):
                self.unreadable += 1

    @cached_property
    def counts(self) -> dict[str, StageCount]:
        """Every stage, counted."""
        counts = {stage: StageCount() for stage in self.job.plan.order}
        after = {stage: self._descendants(stage) for stage in counts}
        for _, verdicts in self.items():
            for verdict in verdicts:
                count = counts[verdict.stage]
                count.add(verdict)
                if verdict.parts:
                    count.follows.update(one.stage for one in verdicts if one.stage in after[verdict.stage])
        return counts

    def rows(self) -> Iterator[Json]:
        """A line for each stage, and for each that only the spool still has (`removed`)."""
        for stage, count in self.counts.items():
            known = self.present(stage) if count.results else None
            row: Json = {"job": self.job.name, "stage": stage, "results": count.results, "stale": count.stale}
            row |= {"version": known.parts["id"] if known and known.parts else None}
            row |= {"why": dict(count.why.most_common()), "ready": count.ready}
            row |= {"waits": dict(count.waits), "follows": dict(count.follows)}
            if blessed := [one for one in (known.said if known else ()) if one["version"] in count.known]:
                row["blessed"] = blessed
            if count.stale:
                row["redo"] = self.estimate(stage, count.stale)
            if known and known.fault:
                row["fault"] = known.fault
            yield row
        for stage in self.removed():
            kept = sum(1 for _ in names(self.spool.box(self.job.name, stage, Box.DONE)))
            yield {"job": self.job.name, "stage": stage, "removed": True, "results": kept}

    def estimate(self, stage: str, count: int) -> Json:
        """What redoing so many results would cost."""
        settings = self.job.stages[stage]
        limit = self.job.limits.get(settings.limit) if settings.limit else None
        return estimate(self.counts[stage].past, count, settings, limit)

    def removed(self) -> list[str]:
        """The stages that the spool has and the job no longer."""
        return [stage for stage in self.spool.stages(self.job.name) if stage not in self.job.stages]

    def _descendants(self, stage: str) -> set[str]:
        return {other for other in self.job.plan.order if stage in self.job.plan.ancestors(other)}
