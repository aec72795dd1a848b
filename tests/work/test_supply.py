from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rivus.model.plan import Plan
from rivus.spool.layout import open_spool
from rivus.work.supply import Supply

PLAN = Plan("job", {"fetch": (), "score": ("fetch",)})


class Overtaken(Supply):
    """The stage before this one releases its last ticket and ends right after the first look."""

    ready: tuple[str, ...] = ()

    def _chunks(self) -> Iterator[str]:
        found, before = self.ready, self.run.crew.runs[0]
        if before.alive:
            self.ready, before.alive = ("last.json",), False  # type: ignore[misc]
        return iter(found)


def test_what_the_stage_before_releases_as_its_last_is_not_missed(tmp_path: Path) -> None:
    spool = open_spool(str(tmp_path))
    spool.prepare(PLAN)
    job = SimpleNamespace(name="job", plan=PLAN)
    fetch = SimpleNamespace(job=job, stage=SimpleNamespace(name="fetch"), alive=True)
    crew = SimpleNamespace(spool=spool, stopping=False, linger=0.0, turn=threading.Condition(), runs=[fetch])
    run: Any = SimpleNamespace(crew=crew, job=job, stage=SimpleNamespace(name="score"), others=())
    assert next(Overtaken(run), None) == "last.json"
