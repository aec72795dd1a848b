"""Several owners, deaths, files dropped and moved by hand, clock steps, in any order: every item stays whole."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from rivus.model.item import file_name
from rivus.model.states import Box
from rivus.spool import hands
from rivus.spool.archive import archive, restore
from rivus.spool.desk import Claim, Desk, Young
from rivus.spool.layout import names
from rivus.spool.owners import Owner
from rivus.spool.publish import complete, publish, settle_left
from rivus.spool.recover import bury, recover, release_all, wake
from tests.spool.crash import PLAN, bury_me, check_conserved, dies_at, fresh_spool, places
from tests.spool.test_crash import ATTEMPT, ticket

STAGES = st.sampled_from(list(PLAN.needs))
KEYS = st.sampled_from(["a", "b", "c/d", "-e", "f" * 300])


class SpoolMachine(RuleBasedStateMachine):
    """The model is small: which items must exist. The rest is the rule that each stage has one file of each."""

    owners = Bundle("owners")
    claims = Bundle("claims")

    @initialize()
    def start(self) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(prefix="rivus-machine-", dir=memory))
        self.spool = fresh_spool(self.root)
        self.known: set[str] = set()
        self.alive: set[Owner] = set()
        self.now = time.time()

    def teardown(self) -> None:
        for owner in self.alive:
            bury_me(owner)
        shutil.rmtree(self.root, ignore_errors=True)

    @rule(target=owners)
    def a_worker_starts(self) -> Owner:
        owner = Owner(self.spool)
        self.alive.add(owner)
        return owner

    @rule(owner=owners)
    def a_worker_is_killed(self, owner: Owner) -> None:
        if owner in self.alive:
            self.alive.remove(owner)
            bury_me(owner)

    @rule(owner=owners, key=KEYS, at=st.integers(1, 60))
    def an_item_is_found_by_a_process_that_may_die(self, owner: Owner, key: str, at: int) -> None:
        if owner not in self.alive:
            return
        if dies_at(at, lambda: publish(self.spool, PLAN, [ticket(key)], owner)):
            self.a_worker_is_killed(owner)
        else:
            self.known.add(file_name(key))

    @rule(key=KEYS, stage=STAGES)
    def a_file_is_dropped_by_hand(self, key: str, stage: str) -> None:
        Path(self.spool.box("job", stage, Box.READY), f"drop{len(key)}.json").write_text(f'{{"id": "{key}"}}')

    @rule(owner=owners, stage=STAGES, target=claims)
    def a_worker_claims(self, owner: Owner, stage: str) -> object:
        if owner not in self.alive:
            return multiple()
        desk = Desk(self.spool, PLAN, stage, owner)
        for name in desk.ready():
            try:
                claim = desk.claim(name)
            except Young:
                continue
            return multiple((desk, claim)) if claim else multiple()
        return multiple()

    @rule(pair=claims, end=st.sampled_from(["finish", "defer", "fail", "give back"]), at=st.integers(1, 40))
    def a_worker_ends_an_item_or_dies_doing_it(self, pair: tuple[Desk, Claim], end: str, at: int) -> None:
        desk, claim = pair
        if desk.owner not in self.alive or not os.path.lexists(claim.path):
            return
        entry = {**ATTEMPT, "owner": desk.owner.name}
        acts = {
            "finish": lambda: desk.finish(claim, {"x": 1}, {"owner": desk.owner.name}, entry),
            "defer": lambda: desk.defer(claim, self.now + 50, entry),
            "fail": lambda: desk.fail(claim, {"reason": "r"}, entry),
            "give back": lambda: desk.give_back(claim),
        }
        if dies_at(at, acts[end]):
            self.a_worker_is_killed(desk.owner)

    @rule(key=KEYS, stage=STAGES, target_box=st.sampled_from([Box.READY, Box.HELD, Box.LATER, Box.FAILED, Box.WAIT]))
    def a_person_moves_a_ticket_with_mv(self, key: str, stage: str, target_box: Box) -> None:
        place = self.spool.where("job", stage, file_name(key))
        if place and place[0] is not Box.RUNNING and file_name(key) in self.known:
            os.rename(place[1], self.spool.ticket("job", stage, target_box, file_name(key)))

    @rule(key=KEYS, stage=STAGES, verb=st.sampled_from(["hold", "retry", "unhold"]))
    def a_person_uses_the_command(self, key: str, stage: str, verb: str) -> None:
        getattr(hands, verb)(self.spool, PLAN, stage, file_name(key), "w")

    @rule(owner=owners, at=st.integers(1, 90))
    def all_that_is_ready_is_finished_and_archived_by_a_process_that_may_die(self, owner: Owner, at: int) -> None:
        if owner not in self.alive:
            return
        for stage in PLAN.order:
            desk = Desk(self.spool, PLAN, stage, owner)
            for name in list(desk.ready()):
                with suppress(Young):
                    if claim := desk.claim(name):
                        desk.finish(claim, {"x": 1}, {"owner": owner.name}, {**ATTEMPT, "owner": owner.name})
        finished = sorted(names(self.spool.births("job")))
        if dies_at(at, lambda: archive(self.spool, PLAN, finished, time.time() + 60)):
            self.a_worker_is_killed(owner)

    @rule(owner=owners, at=st.integers(1, 60))
    def what_is_archived_is_put_back_by_a_process_that_may_die(self, owner: Owner, at: int) -> None:
        for name in sorted(self.known):
            if owner in self.alive and dies_at(at, lambda: restore(self.spool, PLAN, name, owner)):  # noqa: B023
                self.a_worker_is_killed(owner)

    @rule(seconds=st.sampled_from([-3600.0, 1.0, 100.0]))
    def the_clock_steps(self, seconds: float) -> None:
        self.now += seconds
        for stage in PLAN.needs:
            wake(self.spool, "job", stage, self.now)

    @rule()
    def somebody_sweeps(self) -> None:
        with Owner(self.spool) as me:
            for stage in PLAN.needs:
                recover(self.spool, "job", stage, me, PLAN)
                for name in list(names(self.spool.box("job", stage, Box.WAIT))):
                    complete(self.spool, PLAN, stage, name, me)
            release_all(self.spool, PLAN)
            bury(self.spool, me)

    @invariant()
    def every_item_has_one_file_in_each_stage(self) -> None:
        if not hasattr(self, "root"):
            return
        here = self.in_spool()
        found = places(self.spool)
        assert not found.keys() & (self.known - here)
        for name in here:
            for stage in PLAN.needs:
                boxes = [box for box in found.get(name, {}).get(stage, []) if not self._superseded(name, stage, box)]
                assert len(boxes) == 1, f"{name} {stage}: {found.get(name)}"

    def in_spool(self) -> set[str]:
        """The known items that are not archived."""
        settle_left(self.spool, "job")
        assert all(self.spool.known("job", name) for name in self.known)
        return {name for name in self.known if not self.spool.archived("job", name)}

    def _superseded(self, name: str, stage: str, box: str) -> bool:
        """A dead finisher's claim beside its receipt is one result, half told."""
        done = os.path.lexists(self.spool.ticket("job", stage, Box.DONE, name))
        return done and box.startswith("running/")

    @rule()
    def after_all_workers_are_gone_nothing_is_left_over(self) -> None:
        for owner in list(self.alive):
            self.a_worker_is_killed(owner)
        self.somebody_sweeps()
        with Owner(self.spool) as me:
            for stage in PLAN.needs:
                desk = Desk(self.spool, PLAN, stage, me)
                for name in list(desk.ready()):
                    claim = desk.claim(name)
                    if claim:
                        desk.give_back(claim)
        check_conserved(self.spool, self.in_spool())
        assert os.listdir(self.spool.owners) == []


SpoolMachine.TestCase.settings = settings(
    stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSpool = SpoolMachine.TestCase
