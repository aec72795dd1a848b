"""How items fared in the test spool, against production: line by line for programs, counted for people."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rivus.model.compare import changes
from rivus.model.outcome import Json
from rivus.model.states import Box
from rivus.spool.layout import Spool
from rivus.spool.reader import Unreadable, read_document
from rivus.spool.results import last_result

SHOWN = 3
"""Keys that the summary names of a kind, and fields of each."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a stage made of an item. state: the box, or skipped, unreadable, absent. files: their paths by name."""

    state: str
    key: str = ""
    content: Json = field(default_factory=dict)
    reason: str = ""
    files: dict[str, str] = field(default_factory=dict)


def compared(test: Spool, production: Spool, job: str, stages: Iterable[str], name: str) -> Iterator[Json]:
    """A line for each of these stages of an item, `name` being that of its file: job, key, stage, `state` in the test
    and in `production`, whether they are the `same`, and the dotted fields that `changed`: of the output, `files.NAME`
    of what was written beside it, `error.class` of two failures. error: why it is not done in the test."""
    for stage in stages:
        here, there = _present(test, job, stage, name), _recorded(production, job, stage, name)
        changed = list(_changed(there, here)) if here.state == there.state else []
        key = here.key or there.key or name.removesuffix(".json")
        line: Json = {"job": job, "key": key, "stage": stage, "state": here.state, "production": there.state}
        reason = {"error": here.reason} if here.reason else {}
        yield {**line, "same": here.state == there.state and not changed, "changed": changed, **reason}


def summary(lines: Iterable[Json]) -> Iterator[str]:
    """The lines of `compared`, counted for each stage, with the first few keys of what is not the same."""
    stages: dict[str, list[Json]] = {}
    for line in lines:
        stages.setdefault(f"{line['job']}:{line['stage']}", []).append(line)
    for stage, rows in stages.items():
        kinds = Counter(_kind(row) for row in rows)
        parts = [f"{count} {kind}{_some([row for row in rows if _kind(row) == kind])}" for kind, count in kinds.items()]
        yield f"{stage}: {'; '.join(parts)}"


def _kind(line: Json) -> str:
    if line["same"]:
        return "same"
    if line["state"] == line["production"]:
        return "different"
    return f"{line['state']} here but {line['production']} in production"


def _some(rows: list[Json]) -> str:
    if rows[0]["same"]:
        return ""
    shown = [f"{row['key']}{_fields(row['changed'])}" for row in rows[:SHOWN]]
    return f" ({', '.join(shown)}{', …' if len(rows) > SHOWN else ''})"


def _fields(changed: list[str]) -> str:
    return f": {' '.join(changed[:SHOWN])}{' …' if len(changed) > SHOWN else ''}" if changed else ""


def _changed(old: Case, new: Case) -> Iterator[str]:
    yield from (change.path for change in changes(old.content, new.content))
    for name in sorted({*old.files, *new.files}):
        if not (name in old.files and name in new.files and _equal(old.files[name], new.files[name])):
            yield f"files.{name}"


def _equal(one: str, other: str) -> bool:
    import filecmp

    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _present(spool: Spool, job: str, stage: str, name: str) -> Case:
    for _ in range(2):  # a ticket may move on between the two looks
        place = spool.where(job, stage, name)
        if place is None:
            break
        try:
            return _case(spool, job, stage, name, str(place[0]), read_document(place[1]))
        except FileNotFoundError:
            continue
        except Unreadable:
            return Case("unreadable")
    return Case("absent")


def _recorded(spool: Spool, job: str, stage: str, name: str) -> Case:
    """The last result counts, also of what is about to be run again."""
    try:
        document = last_result(spool, job, stage, name)
    except Unreadable:
        return Case("unreadable")
    return _case(spool, job, stage, name, "done", document) if document else _present(spool, job, stage, name)


def _case(spool: Spool, job: str, stage: str, name: str, box: str, document: Json) -> Case:
    key, error, receipt = str(document.get("key", "")), document.get("error"), document.get("receipt")
    if box == Box.DONE:
        box = "skipped" if isinstance(receipt, dict) and "skipped" in receipt else box
        output = document.get("output")
        files = dict(_files(f"{spool.files(job, name)}/{stage}"))
        return Case(box, key, output if isinstance(output, dict) else {}, files=files)
    attempts = document.get("attempts")
    last = error or (attempts[-1] if isinstance(attempts, list) and attempts else None)
    known = last if isinstance(last, dict) else {}
    content: Json = {"error": {"class": known.get("class")}} if error else {}
    return Case(box, key, content, str(known.get("reason") or ""))


def _files(folder: str) -> Iterator[tuple[str, str]]:
    for where, _, files in os.walk(folder):
        yield from ((f"{where}/{file}"[len(folder) + 1 :], f"{where}/{file}") for file in files)
