"""Parents and children of several workers that die, fail and are moved by hand, in any order: every item stays whole,
and in the end each parent was given exactly the children that its receipt names."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from rivus.model.item import Ticket, file_name
from rivus.model.outcome import RetryLater
from rivus.model.states import Box
from rivus.spool import hands
from rivus.spool.desk import Claim, Desk
from rivus.spool.layout import names
from rivus.spool.owners import Owner
from rivus.spool.publish import publish
from rivus.spool.reader import read_document
from tests.spool.crash import bury_me, dies_at
from tests.spool.families import PLANS, SPLIT, Workers, check_families, emit, family_spool, finish, mend

PARENTS = st.sampled_from(["a", "b"])
PLACES = st.sampled_from([("split", "split"), ("split", "reduce"), ("pages", "fetch"), ("pages", "map")])


class FamilyMachine(RuleBasedStateMachine):
    owners = Bundle("owners")
    claims = Bundle("claims")

    @initialize()
    def start(self) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(prefix="rivus-family-", dir=memory))
        self.spool = family_spool(self.root)
        self.alive: set[Owner] = set()
        self.emits: dict[str, list[tuple[str, dict[str, int]]]] = {"a": [], "b": []}
        self.work = Workers(self.spool, lambda key: self.emits[key])

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

    @rule(owner=owners, key=PARENTS, at=st.integers(1, 60))
    def a_parent_is_found(self, owner: Owner, key: str, at: int) -> None:
        ticket = Ticket("split", key, {}, {"discovered": "2026-01-01"})
        if owner in self.alive and dies_at(at, lambda: publish(self.spool, SPLIT, [ticket], owner)):
            self.a_worker_is_killed(owner)

    @rule(key=PARENTS, count=st.integers(0, 3), value=st.integers(0, 1), shared=st.booleans())
    def what_a_parent_emits_changes(self, key: str, count: int, value: int, shared: bool) -> None:
        own = [(f"{key}{number}", {"n": number + value}) for number in range(count)]
        self.emits[key] = own + [("shared", {"n": 7})] * shared

    @rule(owner=owners, place=PLACES, target=claims)
    def a_worker_claims(self, owner: Owner, place: tuple[str, str]) -> object:
        if owner not in self.alive:
            return multiple()
        desk = Desk(self.spool, PLANS[place[0]], place[1], owner)
        found = (claim for name in sorted(desk.ready()) if (claim := desk.claim(name)))
        return next(((desk, claim) for claim in found), None) or multiple()

    @rule(pair=claims, end=st.sampled_from(["finish", "finish", "fail", "give back"]), at=st.integers(1, 120))
    def a_worker_ends_an_item_or_dies_doing_it(self, pair: tuple[Desk, Claim], end: str, at: int) -> None:
        desk, claim = pair
        if desk.owner not in self.alive or not os.path.lexists(claim.path):
            return
        acts = {
            "finish": lambda: self._finish(desk, claim),
            "fail": lambda: desk.fail(claim, {"reason": "r"}, {"n": 1, "owner": desk.owner.name}),
            "give back": lambda: desk.give_back(claim),
        }
        if dies_at(at, acts[end]):
            self.a_worker_is_killed(desk.owner)

    def _finish(self, desk: Desk, claim: Claim) -> None:
        key = claim.ticket.key
        if desk.stage == "split":
            try:
                told = emit(desk, claim, list(self.emits[key]))
            except RetryLater:
                desk.fail(claim, {"reason": "a child runs now"}, {"n": 1, "owner": desk.owner.name})
                return
            finish(desk, claim, {"of": len(told)}, **told)
        elif desk.stage == "reduce":
            finish(desk, claim, {"sum": 1}, given=self._given(key))
        else:
            finish(desk, claim, {desk.stage: claim.ticket.data["n"]})

    def _given(self, key: str) -> list[str]:
        return [child for child, _ in self.work.given(key)]

    @rule(key=st.sampled_from(["a", "b", "a0", "a1", "b0", "shared"]), place=PLACES,
          verb=st.sampled_from(["hold", "unhold", "redo"]))  # fmt: skip
    def a_person_moves_something(self, key: str, place: tuple[str, str], verb: str) -> None:
        (job, stage), name = place, file_name(key)
        if verb == "redo":
            hands.redo(self.spool, job, stage, name, "w")
        else:
            getattr(hands, verb)(self.spool, PLANS[job], stage, name, "w")

    @rule()
    def somebody_sweeps(self) -> None:
        mend(self.spool)

    @rule()
    def in_the_end_each_parent_has_been_given_its_children(self) -> None:
        for owner in list(self.alive):
            self.a_worker_is_killed(owner)
        mend(self.spool)
        with Owner(self.spool) as me:
            self._all_is_tried_again()
            self.work.run_all(me)
        check_families(self.spool)
        for key in ("a", "b"):
            path = self.spool.ticket("split", "split", Box.DONE, f"{key}.json")
            if os.path.lexists(path):
                assert self.spool.ended("split", ("reduce",), f"{key}.json"), f"{key} waits for ever"
                own = read_document(path)["receipt"].get("emitted", {}).get("pages", [])
                assert len(own) == len(set(own)) and set(own) <= set(names_of(self.spool.births("pages")))

    def _all_is_tried_again(self) -> None:
        for plan in PLANS.values():
            for stage in plan.order:
                for box, verb in ((Box.FAILED, hands.retry), (Box.HELD, hands.unhold)):
                    for name in list(names(self.spool.box(plan.job, stage, box))):
                        verb(self.spool, plan, stage, name, "")


def names_of(folder: str) -> list[str]:
    return [name.removesuffix(".json") for name in names(folder)]


FamilyMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFamily = FamilyMachine.TestCase
