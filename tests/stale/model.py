"""What is stale, reckoned anew from what was done: by whom each result was made, from what, and what came of it.

This knows no digests, receipts, files or tickets, and takes nothing from rivus, which is compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

NAMES = ("a", "b", "c", "d")
"""A stage can need those before it."""


@dataclass(frozen=True)
class Code:
    """What a stage is made of. Of `variant` and `prompt`, 2n and 2n+1 give the same. stated: `version:` in the YAML,
    which stands for the variant."""

    variant: int = 0
    prompt: int = 0
    param: int = 0
    stated: str | None = None

    @property
    def seen(self) -> tuple[object, int, int]:
        """What counts for the version."""
        return self.stated or self.variant, self.prompt, self.param

    def output(self, stage: str, given: dict[str, int]) -> dict[str, int] | None:
        value = self.variant // 2 + self.prompt // 2 + self.param + sum(given.values())
        return {stage: value % 5} if value % 3 else None


@dataclass
class Made:
    """A result. given: None if it was skipped because all that it needs was. output: None if it was skipped. by_hand:
    no code made it."""

    seen: tuple[object, int, int]
    given: dict[str, int] | None
    output: dict[str, int] | None
    by_hand: bool = False


@dataclass
class Model:
    """made: the last result of a pair of item and stage. done: the pairs whose result holds. tickets: the pairs that
    are in the spool at all. entered: where an item began that did not begin with the first stage."""

    stages: list[str] = field(default_factory=lambda: list(NAMES))
    needs: dict[str, list[str]] = field(default_factory=lambda: {"a": [], "b": ["a"], "c": ["a"], "d": ["b"]})
    code: dict[str, Code] = field(default_factory=lambda: dict.fromkeys(NAMES, Code()))
    data: dict[str, dict[str, int]] = field(default_factory=dict)
    entered: dict[str, str] = field(default_factory=dict)
    made: dict[tuple[str, str], Made] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)
    tickets: set[tuple[str, str]] = field(default_factory=set)
    equal: dict[str, list[tuple[object, object]]] = field(default_factory=lambda: {name: [] for name in NAMES})

    def edit(self, stage: str, **parts: object) -> None:
        self.code[stage] = replace(self.code[stage], **parts)  # type: ignore[arg-type]

    def before(self, stage: str) -> set[str]:
        """All that a stage needs, directly or not."""
        return {one for need in self.needs[stage] for one in (need, *self.before(need))}

    def appear(self, key: str) -> None:
        """The item gets what it lacks in the stages that there are."""
        start = self.entered.get(key)
        over = self.before(start) if start in self.stages and start else set()
        for stage in self.stages:
            if (key, stage) not in self.tickets:
                self.tickets.add((key, stage))
                if stage in over:
                    self.end_by_hand(key, stage)

    def end_by_hand(self, key: str, stage: str) -> None:
        self.made[key, stage] = Made(("", 0, 0), None, None, by_hand=True)
        self.done.add((key, stage))

    def run(self, key: str, stage: str) -> Made:
        """What comes of it when the stage runs on the item now."""
        given = self.given(key, stage)
        output = self.code[stage].output(stage, given) if given is not None else None
        self.made[key, stage] = Made(self.code[stage].seen, given, output)
        self.done.add((key, stage))
        return self.made[key, stage]

    def given(self, key: str, stage: str) -> dict[str, int] | None:
        """The input as it would be now; None: it would be skipped."""
        needs = [self.made.get((key, need)) for need in self.needs[stage]]
        if needs and self.entered.get(key) != stage and all(one is not None and one.output is None for one in needs):
            return None
        whole = dict(self.data[key])
        for one in self.before(stage):
            whole |= (made.output or {}) if (made := self.made.get((key, one))) else {}
        return whole

    def as_now(self, stage: str) -> set[object]:
        found, now = set[object](), {self.code[stage].seen}
        while now - found:
            found |= now
            now |= {old for old, new in self.equal[stage] if new in found}  # type: ignore[misc]
        return found

    def stale(self, key: str, stage: str) -> bool:
        made = self.made[key, stage]
        if made.by_hand:
            return False
        if made.given is not None and made.seen not in self.as_now(stage):
            return True
        return self.given(key, stage) != made.given

    def ready(self, key: str, stage: str) -> bool:
        return all((key, one) in self.done and not self.stale(key, one) for one in self.before(stage))

    def told(self) -> dict[tuple[str, str], tuple[bool, bool]]:
        """Of each result that there is: whether it is stale, and whether it could be redone now."""
        return {pair: (self.stale(*pair), self.ready(*pair)) for pair in self.done if pair[1] in self.stages}

    def older(self, stage: str) -> set[object]:
        """The versions that made stale results and do not count as the present one."""
        stale = [self.made[pair] for pair in self.done if pair[1] == stage and self.stale(*pair)]
        return {one.seen for one in stale if one.given is not None} - self.as_now(stage)
