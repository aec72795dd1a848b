"""Strategies and handlers as text for a person: a list of all, or all about one."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator

from rivus.model.quantity import format_duration
from rivus.tell.catalogue import Brief, Entry, Parameter

WIDTH = 100
_INSET = "  "


def listed(known: Iterable[Brief]) -> Iterator[str]:
    """Two lines each: the name and what it does; its parameters, the optional ones in brackets."""
    rows = list(known)
    wide = max((len(row.name) for row in rows), default=0)
    for row in rows:
        yield f"{row.name:{wide}}  {row.summary}".rstrip()
        if row.given:
            yield f"{'':{wide}}  {' '.join(row.given)}"


def described(entry: Entry) -> Iterator[str]:
    """Name, what it needs, the signature, and the whole docstring. What that does not say of a parameter itself stands
    in the signature."""
    doc = " ".join(entry.doc.split())
    yield f"{entry.name}: {entry.summary}".rstrip(": ")
    yield f"{_INSET}{needs_of(entry)}"
    for parameter in entry.parameters:
        yield f"{_INSET}{parameter.name} ({kind_of(parameter)})"
        more = "" if parameter.doc in doc else parameter.doc
        yield from textwrap.wrap(more, WIDTH, initial_indent=_INSET * 3, subsequent_indent=_INSET * 3)
    yield ""
    yield from textwrap.indent(entry.doc, _INSET).splitlines()


def needs_of(entry: Entry) -> str:
    """What it needs and can, in one line."""
    parts = ["uses the network" if entry.network else "uses no network"]
    parts += [f"secrets: {', '.join(entry.secrets)}"] if entry.secrets else []
    parts += [f"extras: {', '.join(entry.extras)}"] if entry.extras else []
    parts += ["can be asked for a span (since, until)"] if entry.since_until else []
    return "; ".join(parts)


def kind_of(parameter: Parameter) -> str:
    """`text, required`, `whole number, default 500`, `text, optional`."""
    if parameter.required:
        return f"{parameter.type}, required"
    if parameter.default is None:
        return f"{parameter.type}, optional"
    if parameter.type == "duration" and isinstance(parameter.default, float):
        return f"{parameter.type}, default {format_duration(parameter.default)}"
    return f"{parameter.type}, default {json.dumps(parameter.default, ensure_ascii=False, default=str)}"
