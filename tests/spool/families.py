"""Parents, their children and the workers of both, in one process and without handlers: a map and a reduce.

`split` of the job `split` emits children into `pages`; `reduce` awaits that these are through `map`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rivus.model.item import Ticket, file_name
from rivus.model.plan import Plan
from rivus.spool.children import results_of_children
from rivus.spool.desk import Claim, Desk
from rivus.spool.layout import Spool, names
from rivus.spool.owners import Owner
from rivus.spool.publish import complete, publish
from rivus.spool.reader import read_document
from rivus.spool.recover import bury, recover, release_all
from rivus.work.emit import Emitted
from tests.spool.crash import check_conserved, fresh_spool

SPLIT = Plan("split", {"split": (), "reduce": ("split",)}, {"reduce": (("pages", "map"),)})
PAGES = Plan("pages", {"fetch": (), "map": ("fetch",)})
PLANS = {"split": SPLIT, "pages": PAGES}
EMITTED: list[tuple[str, dict[str, Any]]] = [("p1", {"n": 1}), ("p2", {"n": 2})]


def plans(job: str | None) -> Plan:
    return PLANS[job or "split"]


def family_spool(root: Path) -> Spool:
    spool = fresh_spool(root, SPLIT)
    spool.prepare(PAGES)
    return spool


def published(spool: Spool, *keys: str) -> None:
    with Owner(spool) as owner:
        publish(spool, SPLIT, [Ticket("split", key, {}, {"discovered": "2026-01-01"}) for key in keys], owner)


def claimed(spool: Spool, owner: Owner, job: str, stage: str, key: str) -> tuple[Desk, Claim]:
    desk = Desk(spool, PLANS[job], stage, owner)
    claim = desk.claim(file_name(key))
    assert claim, f"{job}/{key} is not ready in {stage}"
    return desk, claim


def finish(desk: Desk, claim: Claim, output: dict[str, Any], **more: Any) -> None:
    entry = {"n": 1, "outcome": "done", "owner": desk.owner.name}
    desk.finish(claim, output, {"owner": desk.owner.name, **more}, entry)


def emit(desk: Desk, claim: Claim, children: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Publishes children of what is claimed, as a good try does before its receipt is written."""
    emitted = Emitted(claim.ticket, desk.stage, plans)
    for key, data in children:
        emitted.add(key, data, "pages")
    return emitted.publish(desk.spool, desk.owner)


class Workers:
    """Runs what is ready and counts it. emits: what `split` emits for a key."""

    def __init__(self, spool: Spool, emits: Callable[[str], list[tuple[str, dict[str, Any]]]] = lambda key: EMITTED):
        self.spool, self.emits = spool, emits
        self.ran: Counter[tuple[str, str, str]] = Counter()
        self.reduced: dict[str, list[Any]] = {}

    def run(self, owner: Owner, job: str, stage: str, key: str) -> None:
        desk, claim = claimed(self.spool, owner, job, stage, key)
        if stage == "split":
            finish(desk, claim, {"of": 1}, **emit(desk, claim, self.emits(key)))
        elif stage == "reduce":
            self.reduced[key] = given = self.given(key)
            finish(desk, claim, {"sum": sum(value for _, value in given) + 1})
        else:
            finish(desk, claim, {stage: claim.ticket.data["n"]})
        self.ran[job, stage, key] += 1

    def given(self, key: str) -> list[Any]:
        """What `reduce` gets: key and output of each child, in order."""
        receipt = read_document(f"{self.spool.root}/split/split/done/{file_name(key)}")["receipt"]
        [group] = results_of_children(self.spool, SPLIT, "reduce", {"split": receipt}).values()
        return [(child.key, child.result.output["map"]) for child in group]

    def run_all(self, owner: Owner) -> None:
        """Until nothing is ready."""
        again = True
        while again:
            again = False
            for plan in PLANS.values():
                for stage in plan.order:
                    for name in list(names(f"{self.spool.root}/{plan.job}/{stage}/ready")):
                        self.run(owner, plan.job, stage, name.removesuffix(".json"))
                        again = True


def mend(spool: Spool) -> None:
    """What the sweep does."""
    with Owner(spool) as me:
        for plan in PLANS.values():
            for stage in plan.needs:
                recover(spool, plan.job, stage, me, plan, limit=100)
                for name in list(names(f"{spool.root}/{plan.job}/{stage}/wait")):
                    complete(spool, plan, stage, name, me)
            release_all(spool, plan)
        bury(spool, me)


def check_families(spool: Spool) -> None:
    for plan in PLANS.values():
        check_conserved(spool, set(), plan)
