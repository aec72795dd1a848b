"""The stages of a job and what each needs: a graph without cycles, reduced to what the spool has to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Plan:
    """needs: stage -> the stages it needs, in the order of the job's file, without cycles. children: stage -> the jobs
    and stages that must be done with the item's children before it runs, besides what it needs."""

    job: str
    needs: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The stages so that each comes after all it needs."""
        placed: list[str] = []
        left = list(self.needs)
        while left:
            stage = next(name for name in left if set(self.needs[name]) <= set(placed))
            placed.append(stage)
            left.remove(stage)
        return tuple(placed)

    @property
    def sound(self) -> bool:
        """Whether it is a graph without cycles that knows each stage it names."""
        left = {stage: set(needs) for stage, needs in self.needs.items()}
        while free := [stage for stage, needs in left.items() if not needs & left.keys()]:
            for stage in free:
                del left[stage]
        return not left and all(set(needs) <= self.needs.keys() for needs in self.needs.values())

    def ancestors(self, stage: str) -> tuple[str, ...]:
        """All that `stage` needs, directly or not, in order."""
        found: set[str] = set()
        todo = list(self.needs[stage])
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(self.needs[name])
        return tuple(name for name in self.order if name in found)

    def successors(self, stage: str) -> tuple[str, ...]:
        """The stages that need `stage` directly."""
        return tuple(name for name, needs in self.needs.items() if stage in needs)

    def followers(self, stage: str) -> tuple[str, ...]:
        """The stages that a new result of `stage` may release: its successors, and those that await children which it
        may have emitted."""
        late = (name for name in self.children if stage in self.ancestors(name))
        return tuple(dict.fromkeys((*self.successors(stage), *late)))

    def awaiting(self, job: str, stage: str) -> tuple[str, ...]:
        """The stages that wait until `stage` of `job` is done with all children of an item."""
        return tuple(name for name, pairs in self.children.items() if (job, stage) in pairs)
