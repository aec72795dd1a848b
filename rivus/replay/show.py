"""Replays as text and as lines of JSON: one item's difference, and the sum of many."""

from __future__ import annotations

import difflib
import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import takewhile
from shlex import quote
from typing import Any

from rivus.model.outcome import Json
from rivus.replay.again import Replayed
from rivus.talk import plain

WORST = 3
"""So many of the most different items are named."""
_LONGEST = 4_000
"""Differing lines on one side beyond which both sides are shown whole: comparing them would take for ever."""
_CONTEXT = 3


def line_of(job: str, stage: str, one: Replayed) -> Json:
    """A replay as one object."""
    return {
        "job": job, "key": one.key, "stage": stage, "same": one.same, "outcome": one.outcome,
        "reason": one.reason or None, **({"class": one.cls} if one.cls else {}),
        "changed": [change.path for change in one.changes], "duration_ms": round(one.seconds * 1000),
    }  # fmt: skip


def difference(job: str, stage: str, one: Replayed) -> Iterator[str]:
    """The lines of a unified diff from what is on record to what came now; none if they are equal."""
    if one.same:
        return
    before, after = _lines(one.before), _lines(one.after)
    head = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))))
    skipped = max(0, head - _CONTEXT)
    tail = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(before[:head:-1], after[:head:-1], strict=False))))
    kept = max(0, tail - _CONTEXT)
    here, there = before[skipped : len(before) - kept], after[skipped : len(after) - kept]
    yield f"--- {plain(job)}/{plain(one.key)} {stage} on record"
    yield f"+++ {plain(job)}/{plain(one.key)} {stage} now"
    if max(len(here), len(there)) > _LONGEST:
        yield f"@@ -{skipped + 1},{len(here)} +{skipped + 1},{len(there)} @@"
        yield from (f"-{line}" for line in here)
        yield from (f"+{line}" for line in there)
        return
    for line in list(difflib.unified_diff(here, there, lineterm="", n=_CONTEXT))[2:]:
        yield _moved(line, skipped)


def _lines(document: Json) -> list[str]:
    return [plain(line) for line in json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True).splitlines()]


def _moved(line: str, by: int) -> str:
    """A hunk's head with line numbers of the whole; other lines as they are."""
    if not line.startswith("@@ "):
        return line
    return re.sub(r"([-+])(\d+)", lambda found: f"{found[1]}{int(found[2]) + by}", line)


class Summary:
    """The sum of many replays."""

    def __init__(self) -> None:
        self.same = 0
        self._different: list[tuple[float, str]] = []
        self._failed: defaultdict[str, list[Replayed]] = defaultdict(list)
        self._fields: Counter[str] = Counter()
        self._lengths: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, one: Replayed) -> None:
        """Counts a replay in. What failed before in the same way is the same."""
        if one.same:
            self.same += 1
        elif one.outcome == "failed":
            self._failed[one.group].append(one)
        else:
            self._add_different(one)

    @property
    def all_same(self) -> bool:
        return not self._different and not self._failed

    def lines(self, job: str, stage: str, left: int) -> Iterator[str]:
        """What a person wants to know. left: how many were not run."""
        failed = sum(map(len, self._failed.values()))
        counts = f"{self.same} same, {len(self._different)} different, {failed} failed"
        yield f"{job}:{stage}  {counts}" + (f", {left} not run" if left else "")
        for group in sorted(self._failed.values(), key=len, reverse=True):
            first = min(group, key=lambda one: one.key)
            yield plain(f"  failed {len(group)}: {first.reason} [{first.cls}], such as {job}/{first.key}")
        for field, count in self._fields.most_common():
            yield plain(f"  {field}  {count} changed{_spread(self._lengths.get(field))}")
        for _, key in sorted(self._different, key=lambda one: (-one[0], one[1]))[:WORST]:
            yield plain(f"  look: rivus-replay {quote(f'{job}/{key}')} {stage}")

    def _add_different(self, one: Replayed) -> None:
        changes = one.changes
        self._different.append((sum(_unlike(change.old, change.new) for change in changes), one.key))
        fields = {_field(change.path) for change in changes}
        self._fields.update(fields)
        for change in changes:
            if isinstance(change.old, str | list | dict) and isinstance(change.new, str | list | dict):
                self._lengths[_field(change.path)].append(len(change.new) - len(change.old))


def _field(path: str) -> str:
    """A field's path with its places in lists and the keys of children taken out, so that they are counted together."""
    path = re.sub(r"^(emitted\.[^.]+)\..+", r"\1.*", path)
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path)


def _spread(lengths: list[int] | None) -> str:
    if not lengths or not any(lengths):
        return ""
    return f", length {min(lengths):+} to {max(lengths):+}, median {statistics.median(lengths):+g}"


def _unlike(old: Any, new: Any) -> float:
    """How much two values differ, 0 to 1: texts by the words that only one of them has."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return 1.0
    before, after = Counter(old.split()), Counter(new.split())
    return 1.0 - 2 * (before & after).total() / max(1, before.total() + after.total())
