"""Edits, runs, failures, resets, blessings, new and removed stages in any order: what is told to be stale is what a
model says that knows only who made what from what."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rivus.config import load_job
from rivus.config.schema import Job
from rivus.model.item import Ticket
from rivus.model.outcome import Skip
from rivus.spool.backfill import follow_plan
from rivus.spool.desk import Desk
from rivus.spool.hands import change
from rivus.spool.layout import open_spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.recover import release_all
from rivus.stale.redo import blessing, reset
from rivus.stale.survey import Survey
from rivus.versions.parts import version_of
from rivus.work.attempt import Gathered, Result, gather, receipt_of
from tests.spool.crash import check_conserved

NAMES = ("a", "b", "c", "d")
STAGES = st.sampled_from(NAMES)
KEYS = st.sampled_from(["x", "y", "z"])
NEEDS = {"a": [], "b": ["a"], "c": ["a"], "d": ["b"]}


@dataclass
class Made:
    """A result in the model: by which variant, from what input, what came of it (None: skipped)."""

    variant: int
    given: dict[str, int] | None
    output: dict[str, int] | None


@dataclass
class Model:
    """variants 2n and 2n+1 are different code that gives the same."""

    variants: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    data: dict[str, dict[str, int]] = field(default_factory=dict)
    made: dict[tuple[str, str], Made] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)
    equal: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {name: [] for name in NAMES})

    def ancestors(self, stage: str) -> list[str]:
        return [one for need in NEEDS[stage] for one in [*self.ancestors(need), need]]

    def given(self, key: str, stage: str) -> dict[str, int] | None:
        """The input as it would be now; None: it would be skipped."""
        before = {one: self.made[key, one] for one in self.ancestors(stage) if (key, one) in self.made}
        needs = [before.get(need) for need in NEEDS[stage]]
        if needs and all(one is not None and one.output is None for one in needs):
            return None
        whole = dict(self.data[key])
        for one in before.values():
            whole |= one.output or {}
        return whole

    def output(self, stage: str, given: dict[str, int]) -> dict[str, int] | None:
        value = self.variants[stage] // 2 + sum(given.values())
        return {stage: value % 5} if value % 3 else None

    def as_now(self, stage: str) -> set[int]:
        found, now = set[int](), {self.variants[stage]}
        while now - found:
            found |= now
            now |= {old for old, new in self.equal[stage] if new in found}
        return found

    def stale(self, key: str, stage: str) -> bool:
        made = self.made[key, stage]
        if made.given is not None and made.variant not in self.as_now(stage):
            return True
        return self.given(key, stage) != made.given

    def ready(self, key: str, stage: str) -> bool:
        return all((key, one) in self.done and not self.stale(key, one) for one in self.ancestors(stage))


class StaleMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(prefix="rivus-stale-", dir=memory))
        (self.root / "jobs.d").mkdir()
        (self.root / "spool").mkdir()
        self.model, self.stages, self.edits = Model(), ["a", "b", "c"], 0
        self.spool = open_spool(str(self.root / "spool"))
        self.job = self.written()
        self.owner = Owner(self.spool)
        for value, key in enumerate(["x", "y"]):
            self.an_item_is_found_or_has_changed(key, value)
        self.everything_runs()

    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.owner.close()
            shutil.rmtree(self.root, ignore_errors=True)

    def written(self) -> Job:
        """jobs.d as the model has it. The remark makes files of one moment differ in their length."""
        self.edits += 1
        code = [f"def {one}(item, ctx):\n    return {self.model.variants[one]}\n" for one in NAMES]
        (self.root / "jobs.d/my.py").write_text("#" * self.edits + "\n" + "".join(code))
        lines = [f"  {one}: {{handler: my.{one}, needs: [{', '.join(NEEDS[one])}]}}\n" for one in self.stages]
        (self.root / "jobs.d/demo.yaml").write_text("stages:\n" + "".join(lines))
        self.job = load_job(self.root / "jobs.d", "demo")
        self.spool.prepare(self.job.plan)
        return self.job

    @rule(stage=STAGES, variant=st.integers(0, 5))
    def somebody_edits_the_code(self, stage: str, variant: int) -> None:
        self.model.variants[stage] = variant
        self.written()

    @rule(key=KEYS, value=st.integers(0, 3))
    def an_item_is_found_or_has_changed(self, key: str, value: int) -> None:
        ticket = Ticket("demo", key, {"value": value}, {"discovered": "2026-01-01T00:00:00.000Z"})
        if key in self.model.data:
            change(self.spool, self.job.plan, ticket, self.owner, rerun=False)
        else:
            publish(self.spool, self.job.plan, [ticket], self.owner)
        self.model.data[key] = {"value": value}

    @rule(stage=STAGES)
    def a_stage_comes_or_goes(self, stage: str) -> None:
        others = {one for one in self.stages if stage in self.model.ancestors(one)}
        if stage in self.stages and not others and len(self.stages) > 1:
            self.stages.remove(stage)
        elif stage not in self.stages and set(NEEDS[stage]) <= set(self.stages):
            self.stages.append(stage)
        self.written()
        self.somebody_sweeps()

    @rule()
    def somebody_sweeps(self) -> None:
        follow_plan(self.spool, self.job.plan, self.owner)
        release_all(self.spool, self.job.plan)

    @rule(stage=STAGES, fails=st.sampled_from([False, False, True]), most=st.integers(1, 3))
    def a_stage_runs(self, stage: str, fails: bool, most: int) -> None:
        if stage in self.stages:
            desk = Desk(self.spool, self.job.plan, stage, self.owner)
            for name in sorted(desk.ready())[:most]:
                self._run(desk, stage, name, fails)

    @rule()
    def everything_runs(self) -> None:
        for stage in self.job.plan.order:
            self.a_stage_runs(stage, fails=False, most=3)

    def _run(self, desk: Desk, stage: str, name: str, fails: bool) -> None:
        claim = desk.claim(name)
        assert claim
        attempt = {"n": 1, "outcome": "x", "owner": self.owner.name}
        if fails:
            desk.fail(claim, {"reason": "oh"}, attempt)
            return
        key, given = claim.ticket.key, self.model.given(claim.ticket.key, stage)
        output = self.model.output(stage, given) if given is not None else None
        result = self._result(claim.ticket, stage, output)
        version = version_of(self.job, self.job.stages[stage]).parts
        receipt = receipt_of(result, self.job.stages[stage], version, self.owner.name, 1)
        desk.finish(claim, output, receipt, attempt)
        self.model.made[key, stage] = Made(self.model.variants[stage], given, output)
        self.model.done.add((key, stage))

    def _result(self, ticket: Ticket, stage: str, output: dict[str, int] | None) -> Result:
        """As the loop makes it; its input is the one of the model."""
        from rivus.model.item import digest

        now = time.time()
        error = None if output else Skip("nothing")
        try:
            given: Gathered = gather(self.spool, self.job.plan, stage, ticket)
        except Skip as skip:
            assert self.model.given(ticket.key, stage) is None
            return Result(skip, None, "", now, now)
        assert given.item == self.model.given(ticket.key, stage)
        return Result(error, output, digest(given.item), now, now, {}, [], given.made_from)

    @rule(stage=STAGES, variant=st.integers(0, 5), runs=st.booleans())
    def what_an_edit_made_stale_is_redone(self, stage: str, variant: int, runs: bool) -> None:
        self.somebody_edits_the_code(stage, variant)
        for one in self.job.plan.order:
            self.a_person_resets(one, 3)
            if runs:
                self.everything_runs()

    @rule(stage=STAGES, most=st.integers(1, 3))
    def a_person_resets(self, stage: str, most: int) -> None:
        if stage not in self.stages:
            return
        wanted = {one for one in self._stale(stage) if self.model.ready(one, stage)}
        keys = list(reset(Survey(self.spool, self.job), stage, lambda paper: True, most))
        assert set(keys) <= wanted and len(keys) == min(most, len(wanted))
        self.model.done -= {(key, stage) for key in keys}

    @rule(key=KEYS, stage=STAGES)
    def a_person_retries_what_failed(self, key: str, stage: str) -> None:
        from rivus.model.states import Box
        from rivus.spool.hands import retry

        place = self.spool.where("demo", stage, f"{key}.json")
        if place and place[0] is Box.FAILED:
            retry(self.spool, self.job.plan, stage, f"{key}.json", "")

    @rule(stage=STAGES)
    def a_person_blesses(self, stage: str) -> None:
        if stage not in self.stages:
            return
        old = {self.model.made[key, stage].variant for key in self._stale(stage)
               if self.model.made[key, stage].given is not None} - self.model.as_now(stage)  # fmt: skip
        blessing(self.spool, Survey(self.spool, self.job), stage, "because", self.owner)
        self.model.equal[stage] += [(one, self.model.variants[stage]) for one in old]

    def _stale(self, stage: str) -> set[str]:
        return {key for key, one in self.model.done if one == stage and self.model.stale(key, stage)}

    @invariant()
    def what_is_told_is_what_the_model_says(self) -> None:
        if not hasattr(self, "owner"):
            return
        told: dict[str, Any] = {}
        survey = Survey(self.spool, self.job)
        for name, verdicts in survey.items():
            for one in verdicts:
                told[name.removesuffix(".json"), one.stage] = (bool(one.parts), one.ready)
        known = {pair for pair in self.model.done if pair[1] in self.stages}
        assert told == {pair: (self.model.stale(*pair), self.model.ready(*pair)) for pair in known}
        assert survey.unreadable == 0

    @rule()
    def every_item_has_one_ticket_in_each_stage(self) -> None:
        self.somebody_sweeps()
        check_conserved(self.spool, {f"{key}.json" for key in self.model.data}, self.job.plan)


StaleMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStale = StaleMachine.TestCase
