"""Edits, runs, failures, resets, blessings, moves by hand, new and removed stages and needs in any order: what is told
to be stale is what a model says that knows only who made what from what."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rivus.config import load_job
from rivus.config.schema import Job
from rivus.model.item import Ticket, digest
from rivus.model.outcome import Skip
from rivus.model.states import RETRY, Box
from rivus.spool import hands
from rivus.spool.backfill import follow_plan
from rivus.spool.desk import Claim, Desk
from rivus.spool.layout import open_spool
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.recover import recover, release_all, wake
from rivus.stale.redo import blessing, reset
from rivus.stale.survey import Survey
from rivus.versions.parts import version_of
from rivus.work.attempt import Result, gather, receipt_of
from tests.spool.crash import bury_me, check_conserved
from tests.stale.model import NAMES, Code, Made, Model

STAGES = st.sampled_from(NAMES)
KEYS = st.sampled_from(["x", "y", "z"])


class StaleMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(prefix="rivus-stale-", dir=memory))
        (self.root / "jobs.d/prompts").mkdir(parents=True)
        (self.root / "spool").mkdir()
        self.model, self.edits = Model(), 0
        self.spool = open_spool(str(self.root / "spool"))
        self.job = self.written()
        self.owner = Owner(self.spool)
        for value, key in enumerate(["x", "y"], 1):
            self.an_item_is_found_or_has_changed(key, value, False)
        self.everything_runs()

    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.owner.close()
            shutil.rmtree(self.root, ignore_errors=True)

    def written(self) -> Job:
        """jobs.d as the model has it. Each time with other comments and docstrings, whose length tells apart files of
        one moment."""
        self.edits += 1
        code, lines = [], []
        for one, made in self.model.code.items():
            remark = f'    """{"." * self.edits}"""  # {self.edits}'
            code.append(f"def {one}(item, ctx, *, n):\n{remark}\n    return {made.variant}\n\n")
            (self.root / f"jobs.d/prompts/{one}.md").write_text(f"say {made.prompt}")
            if one in self.model.stages:
                needs, stated = ", ".join(self.model.needs[one]), f", version: '{made.stated}'" if made.stated else ""
                more = f"with: {{n: {made.param}}}, version_deps: [prompts/{one}.md]{stated}"
                lines.append(f"  {one}: {{handler: my.{one}, needs: [{needs}], {more}}}\n")
        (self.root / "jobs.d/my.py").write_text("".join(code))
        (self.root / "jobs.d/demo.yaml").write_text("stages:\n" + "".join(lines))
        self.job = load_job(self.root / "jobs.d", "demo")
        self.spool.prepare(self.job.plan)
        return self.job

    @rule(stage=STAGES, variant=st.integers(0, 5))
    def somebody_edits_the_code(self, stage: str, variant: int) -> None:
        self.model.edit(stage, variant=variant)
        self.written()

    @rule(stage=STAGES, prompt=st.integers(0, 3))
    def somebody_edits_the_prompt(self, stage: str, prompt: int) -> None:
        self.model.edit(stage, prompt=prompt)
        self.written()

    @rule(stage=STAGES, param=st.integers(0, 2))
    def somebody_edits_a_parameter(self, stage: str, param: int) -> None:
        self.model.edit(stage, param=param)
        self.written()

    @rule(stage=STAGES, stated=st.sampled_from([None, "1", "2"]))
    def somebody_states_a_version(self, stage: str, stated: str | None) -> None:
        self.model.edit(stage, stated=stated)
        self.written()

    @rule()
    def somebody_edits_a_comment(self) -> None:
        self.written()

    @rule(key=KEYS, value=st.integers(0, 3), rerun=st.booleans())
    def an_item_is_found_or_has_changed(self, key: str, value: int, rerun: bool) -> None:
        ticket = Ticket("demo", key, {"value": value}, {"discovered": "2026-01-01T00:00:00.000Z"})
        if key in self.model.data:
            running = any(self._box(key, stage) is Box.RUNNING for stage in self.model.stages)
            changed = hands.change(self.spool, self.job.plan, ticket, self.owner, rerun)
            assert changed == (self.model.data[key] != {"value": value} and not (rerun and running))
            if changed and rerun:
                self.model.done -= {(key, stage) for stage in self.model.stages}
            if not changed:
                return
        else:
            publish(self.spool, self.job.plan, [ticket], self.owner)
            self.model.appear(key)
        self.model.data[key] = {"value": value}

    def _box(self, key: str, stage: str) -> Box | None:
        place = self.spool.where("demo", stage, f"{key}.json")
        return place[0] if place else None

    @rule(stage=STAGES)
    def an_item_is_entered_in_the_middle(self, stage: str) -> None:
        if "h" not in self.model.data and stage in self.model.stages:
            meta = {"discovered": "2026-01-01T00:00:00.000Z", "entered": stage}
            publish(self.spool, self.job.plan, [Ticket("demo", "h", {"value": 1}, meta)], self.owner)
            self.model.data["h"], self.model.entered["h"] = {"value": 1}, stage
            self.model.appear("h")

    @rule(stage=STAGES)
    def a_stage_comes_or_goes(self, stage: str) -> None:
        stages, needs = self.model.stages, self.model.needs
        if stage in stages and len(stages) > 1 and not any(stage in needs[one] for one in stages):
            stages.remove(stage)
        elif stage not in stages and set(needs[stage]) <= set(stages):
            stages.append(stage)
        self.written()

    @rule(stage=STAGES, needs=st.sets(STAGES, max_size=2))
    def a_stage_needs_others(self, stage: str, needs: set[str]) -> None:
        self.model.needs[stage] = [one for one in self.model.stages if one in needs and one < stage]
        self.written()

    @rule()
    def somebody_sweeps(self) -> None:
        self._follow()
        for stage in self.job.plan.order:
            wake(self.spool, "demo", stage, time.time() + 1)
            recover(self.spool, "demo", stage, self.owner, self.job.plan, limit=1000)
        release_all(self.spool, self.job.plan)

    def _follow(self) -> None:
        """As the sweep and every worker do first."""
        if follow_plan(self.spool, self.job.plan, self.owner) is not None:
            release_all(self.spool, self.job.plan)
        for key in self.model.data:
            self.model.appear(key)

    @rule(stage=STAGES, how=st.sampled_from(["well", "well", "fails", "later", "dies"]), most=st.integers(1, 3))
    def a_stage_runs(self, stage: str, how: str, most: int) -> None:
        if stage not in self.model.stages:
            return
        self._follow()
        worker = Owner(self.spool) if how == "dies" else self.owner
        desk = Desk(self.spool, self.job.plan, stage, worker)
        for name in sorted(desk.ready())[:most]:
            claim = desk.claim(name)
            assert claim
            attempt = {"n": 1, "outcome": "x", "owner": worker.name}
            if how == "well":
                self._finish(desk, claim, stage, attempt)
            elif how == "fails":
                desk.fail(claim, {"reason": "oh"}, attempt)
            elif how == "later":
                desk.defer(claim, time.time(), attempt)
        if how == "dies":
            bury_me(worker)

    @rule()
    def everything_runs(self) -> None:
        for stage in self.job.plan.order:
            self.a_stage_runs(stage, "well", 4)

    def _finish(self, desk: Desk, claim: Claim, stage: str, attempt: dict[str, object]) -> None:
        """As the loop does it, with the model's output in place of a handler's."""
        made = self.model.run(claim.ticket.key, stage)
        result = self._result(claim.ticket, stage, made)
        version = version_of(self.job, self.job.stages[stage]).parts
        receipt = receipt_of(result, self.job.stages[stage], version, self.owner.name, 1)
        desk.finish(claim, made.output, receipt, attempt)

    def _result(self, ticket: Ticket, stage: str, made: Made) -> Result:
        now = time.time()
        try:
            given = gather(self.spool, self.job.plan, stage, ticket)
        except Skip as skip:
            assert made.given is None
            return Result(skip, None, "", now, now)
        assert given.item == made.given
        error = None if made.output else Skip("nothing")
        return Result(error, made.output, digest(given.item), now, now, {}, [], given.made_from)

    @rule(stage=STAGES, variant=st.integers(0, 5), runs=st.booleans())
    def what_an_edit_made_stale_is_redone(self, stage: str, variant: int, runs: bool) -> None:
        self.somebody_edits_the_code(stage, variant)
        for one in self.job.plan.order:
            self.a_person_resets(one, 4)
            if runs:
                self.everything_runs()

    @rule(stage=STAGES, most=st.integers(1, 4))
    def a_person_resets(self, stage: str, most: int) -> None:
        if stage not in self.model.stages:
            return
        wanted = {key for (key, one), told in self.model.told().items() if one == stage and told == (True, True)}
        keys = list(reset(Survey(self.spool, self.job), stage, lambda paper: True, most))
        assert set(keys) <= wanted and len(keys) == min(most, len(wanted))
        self.model.done -= {(key, stage) for key in keys}

    @rule(key=KEYS, stage=STAGES, verb=st.sampled_from(["retry", "hold", "unhold"]))
    def a_person_moves_a_ticket(self, key: str, stage: str, verb: str) -> None:
        if stage in self.model.stages:
            moved = getattr(hands, verb)(self.spool, self.job.plan, stage, f"{key}.json", "because")
            assert (moved is Box.DONE) == (verb != "unhold" and (key, stage) in self.model.done)
            self.model.done -= {(key, stage)} if moved else set()

    @rule(key=KEYS, stage=STAGES)
    def a_person_drops_an_item(self, key: str, stage: str) -> None:
        if stage in self.model.stages:
            moved = hands.drop(self.spool, self.job.plan, stage, f"{key}.json", "because", self.owner)
            if moved:
                self.model.end_by_hand(key, stage)

    @rule(key=KEYS, stage=STAGES)
    def a_person_drops_a_result(self, key: str, stage: str) -> None:
        self.a_person_moves_a_ticket(key, stage, "hold")
        self.a_person_drops_an_item(key, stage)

    @rule(stage=STAGES)
    def a_person_retries_what_failed(self, stage: str) -> None:
        for name in os.listdir(self.spool.box("demo", stage, Box.FAILED)) if stage in self.model.stages else ():
            assert hands.move(self.spool, "demo", stage, name, RETRY) is Box.FAILED

    @rule(stage=STAGES)
    def a_person_blesses(self, stage: str) -> None:
        if stage in self.model.stages:
            older = self.model.older(stage)
            blessing(self.spool, Survey(self.spool, self.job), stage, "because", self.owner)
            self.model.equal[stage] += [(one, self.model.code[stage].seen) for one in older]

    @rule(stage=STAGES, variants=st.lists(st.integers(0, 5), min_size=1, max_size=3))
    def edits_are_blessed_one_after_the_other(self, stage: str, variants: list[int]) -> None:
        for variant in variants:
            self.somebody_edits_the_code(stage, variant)
            self.a_person_blesses(stage)

    @invariant()
    def what_is_told_is_what_the_model_says(self) -> None:
        if not hasattr(self, "owner"):
            return
        survey, told = Survey(self.spool, self.job), {}
        for name, verdicts in survey.items():
            for one in verdicts:
                told[name.removesuffix(".json"), one.stage] = (bool(one.parts), one.ready)
        assert told == self.model.told()
        assert survey.unreadable == 0

    @rule()
    def every_item_has_one_ticket_in_each_stage(self) -> None:
        self.somebody_sweeps()
        check_conserved(self.spool, {f"{key}.json" for key in self.model.data}, self.job.plan)


TORTURE = settings.get_current_profile_name() == "torture"
StaleMachine.TestCase.settings = settings(
    max_examples=settings().max_examples if TORTURE else 40,
    stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestStale = StaleMachine.TestCase


def test_a_result_is_stale_when_other_needs_would_have_its_stage_skipped() -> None:
    """The input of d is made from the same, but all that it needs now had nothing to do."""
    machine = StaleMachine()
    machine.start()
    machine.model.needs |= {"c": ["b"], "d": ["b", "c"]}
    key = next(key for key in machine.model.data if machine.model.made[key, "b"].output)
    variant = next(n for n in range(6) if Code(n).output("c", machine.model.given(key, "c") or {}) is None)
    machine.somebody_edits_the_code("c", variant)
    machine.everything_runs()
    for stage in ("b", "c", "d"):
        machine.a_person_resets(stage, 4)
        machine.everything_runs()
    assert machine.model.told()[key, "d"] == (False, True)
    machine.a_stage_needs_others("d", {"c"})
    assert machine.model.told()[key, "d"] == (True, True)
    machine.what_is_told_is_what_the_model_says()
    machine.teardown()
