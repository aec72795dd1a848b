"""Redoing what is stale, and saying that it counts as current: what a person decides.

A result that is to be redone goes from `done` to `ready` with one rename (move i) and carries its old output until the
new one is written over it. What follows it is not touched: if the new output differs, that is stale then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from rivus.errors import RivusError
from rivus.spool.blessed import bless
from rivus.spool.hands import redo
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.stale.judge import Paper, Verdict
from rivus.stale.survey import Survey

Wanted = Callable[[Paper], bool]


def reset(
    survey: Survey, stage: str, wanted: Wanted, most: int | None = None, usd: float | None = None
) -> Iterator[str]:
    """Makes the stale results of a stage ready to run again, and gives the key of each. Only those whose needs are all
    done and fresh. most: no more than so many; usd: no more than may be paid for if each cost as much as the dear ones
    (p95) before. Raises RivusError: their price is not known."""
    room = math.inf if usd is None else affordable(survey, stage, usd)
    room = min(room, math.inf if most is None else most)
    for name, verdict in _stale(survey, stage):
        if room < 1:
            return
        if verdict.ready and wanted(verdict.paper) and _redo(survey, stage, name, verdict):
            room -= 1
            yield str(verdict.paper.key)


def affordable(survey: Survey, stage: str, usd: float) -> float:
    """How many runs so much pays for."""
    past = survey.counts[stage].past
    dear = past.usd(0.95)
    if dear is None or past.unknown:
        what = f"{survey.job.name}:{stage}: what a run costs is not known of {past.unknown} of {past.seen} results"
        raise RivusError(f"{what}, so a budget cannot be kept; --limit can")
    return usd // dear if dear else math.inf


def blessing(spool: Spool, survey: Survey, stage: str, why: str, owner: Owner) -> int:
    """Makes all older versions of a stage count as its present one. Gives of how many results. Raises RivusError: its
    version cannot be told; Unreadable."""
    known, count = survey.present(stage), survey.counts[stage]
    if known.parts is None:
        raise RivusError(known.fault)
    older = {version: number for version, number in count.versions.items() if version not in known.equal}
    if older:
        bless(spool, survey.job.name, stage, older, known.parts["id"], why, owner)
    return sum(older.values())


def field_is(path: str, value: str) -> Wanted:
    """Whether the field at a dotted path (`key`, `data.title`, `receipt.version.id` …) has this value, as text or as
    JSON."""

    def matches(paper: Paper) -> bool:
        whole: Any = {
            "key": paper.key, "meta": paper.meta, "receipt": paper.receipt,
            "data": msgspec.json.decode(paper.data), "output": msgspec.json.decode(paper.output),
        }  # fmt: skip
        for part in path.split("."):
            whole = whole.get(part) if isinstance(whole, dict) else None
        return whole is not None and value in (whole, msgspec.json.encode(whole).decode())

    return matches


def _stale(survey: Survey, stage: str) -> Iterator[tuple[str, Verdict]]:
    for name, verdicts in survey.items():
        yield from ((name, one) for one in verdicts if one.stage == stage and one.parts)


def _redo(survey: Survey, stage: str, name: str, verdict: Verdict) -> bool:
    return redo(survey.spool, survey.job.name, stage, name, f"stale: {', '.join(verdict.parts)}")
