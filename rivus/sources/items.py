"""The strategy `items`: what another job's stage is done with, so that jobs can be chained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypedDict

from rivus.model.context import Finished, Found, Look
from rivus.model.item import digest
from rivus.model.outcome import Halt, Json
from rivus.sources.dates import span_of

NETWORK = False
SETTLED = 2_000_000_000
"""Nanoseconds after which nothing can come to `done` with an earlier time: what came since is looked at again."""
Scalar: TypeAlias = str | int | float | bool


class Bounds(TypedDict, total=False):
    """What a field must keep to."""

    min: str | int | float
    max: str | int | float
    contains: Scalar


Test: TypeAlias = Scalar | list[Scalar] | Bounds


def items(
    look: Look,
    *,
    job: str,
    stage: str,
    where: dict[str, Test] | None = None,
    fields: list[str] | None = None,
    skipped: bool = False,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The items that a stage of another job is done with, the last finished first.

        discover:
          strategy: items
          job: dml
          stage: score
          where: {score: {min: 5}, language: [en, de], title: {contains: nvidia}}
          fields: [url, title, score]
          every: 10min

    job:     whose items these are; stage: what must be done with them.
    where:   only items whose fields pass: equal to the value; to one of a list; or at least `min`, at most `max`,
             `contains` (a part of a text in upper or lower case, an element of a list). `a.b` is b in the object a.
             A field that is not there, or is of another type than the value, does not pass.
    fields:  which fields the new item gets; default: all.
    skipped: whether items count for which that stage had nothing to do.
    since:   only items finished from this date or moment on (ISO 8601, UTC); until: only earlier ones.

    The key is the item's own. The data are the item's with the outputs of the stages up to that one laid over them;
    files that these name stay with the other job's item. `meta.source` says where it comes from: job, stage, key.
    Raises Halt for a job or stage that is not in jobs.d, a span that is none, and a test that is none.
    """
    span, tests = span_of(since, until), _tests(where or {})
    about = digest([job, stage, where, fields, skipped, since, until])
    start = time.time_ns()
    mark = _mark(look.cursor, about, start)
    # Nothing is finished after its ticket came to `done`, but for the coarser clock of the file system.
    first = mark if span.since is None else max(mark, int(span.since.timestamp()) * 10**9 - SETTLED)
    for one in look.finished(job, stage, first):
        mark = max(mark, min(one.came, start - SETTLED))
        if (skipped or not one.skipped) and span.holds(one.ended) and all(test(one.data) for test in tests):
            yield Found(one.key, _chosen(one, fields), {"source": {"job": job, "stage": stage, "key": one.key}})
    look.cursor.update(of=about, after=mark)


def _mark(cursor: Json, about: str, now: int) -> int:
    """Up to when everything was looked at with the same parameters. One that lies ahead is from before the clock was
    set back."""
    mark = cursor.get("after") if cursor.get("of") == about else None
    return mark if isinstance(mark, int) and mark <= now else 0


def _chosen(one: Finished, fields: list[str] | None) -> Json:
    return one.data if fields is None else {name: one.data[name] for name in fields if name in one.data}


def _tests(where: Mapping[str, Test]) -> list[Callable[[Json], bool]]:
    return [_test(field, given) for field, given in where.items()]


def _test(field: str, given: Test) -> Callable[[Json], bool]:
    if isinstance(given, list):
        return lambda data: any(_equal(_at(data, field), value) for value in given)
    if not isinstance(given, dict):
        return lambda data: _equal(_at(data, field), given)
    bounds: dict[str, Any] = {**given}
    for name, bound in bounds.items():
        if name not in _BOUNDS:
            raise Halt(f"where.{field}: {name!r} is none of {', '.join(_BOUNDS)}")
        if name != "contains" and isinstance(bound, bool):
            raise Halt(f"where.{field}.{name}: a truth value has no order")
    if not bounds:
        raise Halt(f"where.{field}: it asks for nothing: {', '.join(_BOUNDS)}")
    return lambda data: all(_BOUNDS[name](_at(data, field), bound) for name, bound in bounds.items())


def _at(data: Json, field: str) -> Any:
    value: Any = data
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _equal(value: Any, wanted: Scalar) -> bool:
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def _ordered(value: Any, bound: Scalar) -> bool:
    """Whether the two can be compared: two texts, or two numbers."""
    if isinstance(bound, str):
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(value: Any, part: Scalar) -> bool:
    if isinstance(value, str):
        return isinstance(part, str) and part.casefold() in value.casefold()
    return isinstance(value, list) and any(_equal(element, part) for element in value)


_BOUNDS: dict[str, Callable[[Any, Scalar], bool]] = {
    "min": lambda value, bound: _ordered(value, bound) and value >= bound,
    "max": lambda value, bound: _ordered(value, bound) and value <= bound,
    "contains": _contains,
}
