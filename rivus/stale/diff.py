"""What has changed between the version that made most of a stage's stale results and the present one, as text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from rivus.errors import RivusError
from rivus.spool.versions import kept_version
from rivus.stale.survey import Survey
from rivus.versions.parts import version_of

_ID = re.compile(r"[0-9a-f]{16}")


def differences(survey: Survey, stage: str) -> Iterator[str]:
    """Lines as of diff -u, for each older version of a stale result, the most common first. Raises RivusError: nothing
    is kept of one; BadConfig: the present one cannot be told."""
    job = survey.job
    now = version_of(job, job.stages[stage])
    for version, _ in survey.counts[stage].versions.most_common():
        if version == now.id:
            continue
        before = kept_version(survey.spool, job.name, stage, version) if _ID.fullmatch(version) else None
        if before is None:
            raise RivusError(f"{job.name}:{stage}: nothing is kept of version {version or '(none)'}")
        yield from _compare(before, now.text(), version, now.id)


def _compare(before: Mapping[str, str], after: Mapping[str, str], old: str, new: str) -> Iterator[str]:
    for name in sorted({*before, *after}):
        here, there = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        yield from difflib.unified_diff(here, there, f"{name} {old}", f"{name} {new}", lineterm="")
