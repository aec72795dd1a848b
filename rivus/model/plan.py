"""The stages of a job and what each needs: a graph without cycles, reduced to what the spool has to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Plan:
    """needs: stage -> the stages it needs, in the order of the job's file, without cycles."""

    job: str
    needs: Mapping[str, tuple[str, ...]]

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
