"""Asking why in this process, about a spool that real commands have made."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

from rivus.config import load_jobs
from rivus.limits import Limits
from rivus.model.reason import Reason
from rivus.spool.layout import open_spool
from rivus.tell.evidence import Evidence
from rivus.tell.why import why
from tests.conftest import Done, House


def evidence(house: House) -> Evidence:
    spool, jobs = open_spool(str(house.root / "spool")), load_jobs(house.root / "jobs.d")
    return Evidence(spool, jobs, Limits(Path(spool.limits), jobs.limits), time.time())


def reasons(house: House, key: str = "a", stage: str | None = None, job: str = "demo") -> list[Reason]:
    look = evidence(house)
    limits = Limits(Path(look.spool.limits), look.jobs.limits)
    return why(look.spool, look.jobs, limits, job, key, stage)


def kinds(found: list[Reason]) -> list[str]:
    return [str(reason.kind) for reason in found]


def obey(house: House, reason: Reason) -> Done:
    """Does what the reason says overrides it."""
    return house.run(*shlex.split(reason.override))


def inject(house: House, *documents: dict[str, Any], job: str = "demo") -> None:
    house.run("rivus-inject", job, stdin="\n".join(map(json.dumps, documents)))
