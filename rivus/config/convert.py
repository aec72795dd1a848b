"""Plain values -> typed values. Every mistake is found, each with its place; nothing is guessed or coerced.

Structs, typed dictionaries, lists, mappings and unions are walked here, so that one mistake does not hide
the next; single values are msgspec's work. Durations (`Seconds`) and rates are text with a unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import isfinite
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec

from rivus.config.problem import Finding, Where, did_you_mean, quoted
from rivus.config.yamltree import UNUSABLE
from rivus.model.quantity import Rate, parse_duration, parse_rate

Seconds = Annotated[float, "seconds"]
"""A duration: written `5min`, handed over as seconds. Code that may not import this writes out the same
type."""

_MAX_QUANTITY = 100
_NAMES = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "nothing",
    "array": "a list", "object": "a mapping",
}  # fmt: skip


def convert(value: Any, kind: Any, path: Where = ()) -> tuple[Any, list[Finding]]:
    """`value` as `kind`, and what is wrong with it. With findings, the parts that are wrong are UNUSABLE."""
    found: list[Finding] = []
    return _walk(value, kind, path, found), found


def _walk(value: Any, kind: Any, path: Where, found: list[Finding]) -> Any:
    if value is UNUSABLE or kind is Any:
        return value
    if kind is Rate:
        return _quantity(value, parse_rate, path, found)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(value, kind, path, found)
    if is_typeddict(kind):
        return _typed_dict(value, kind, path, found)
    walk = _WALKS.get(get_origin(kind), _leaf)
    return walk(value, kind, path, found)


def _struct(value: Any, kind: type[msgspec.Struct], path: Where, found: list[Finding]) -> Any:
    if not isinstance(value, dict):
        return _wrong(path, f"expected a mapping, got {_name_of(value)}", found)
    fields = _fields(kind)
    for name in value.keys() - fields.keys():
        found.append(((*path, name), f"unknown field{did_you_mean(name, fields)}"))
    given: dict[str, Any] = {}
    for name, field in fields.items():
        if name in value:
            given[field.name] = _walk(value[name], field.type, (*path, name), found)
        elif field.required:
            given[field.name] = _wrong(path, f"missing field {name!r}", found)
    return kind(**given)


@lru_cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _typed_dict(value: Any, kind: Any, path: Where, found: list[Finding]) -> Any:
    """The fields in the order in which they were given; those that are not there stay away."""
    if not isinstance(value, dict):
        return _wrong(path, f"expected a mapping, got {_name_of(value)}", found)
    try:
        fields = get_type_hints(kind, include_extras=True)
    except Exception:  # noqa: BLE001 - a name in it can be anything, as in `rivus.plugins`
        return _wrong(path, f"cannot be given in YAML: {kind.__name__}", found)
    unknown = [name for name in value if name not in fields]
    missing = [name for name, hint in fields.items() if name not in value and _required(name, hint, kind)]
    found += [((*path, name), f"unknown field{did_you_mean(name, fields) or _known(fields)}") for name in unknown]
    found += [(path, f"missing field {name!r}") for name in missing]
    return {name: _walk(part, _bare(fields[name]), (*path, name), found)
            for name, part in value.items() if name in fields}  # fmt: skip


def _known(fields: Iterable[str]) -> str:
    return f": known are {', '.join(fields)}"


def _required(name: str, hint: Any, kind: Any) -> bool:
    """`__required_keys__` alone does not do: it cannot look into annotations that are text."""
    marked = get_origin(hint)
    return marked is Required or (name in kind.__required_keys__ and marked is not NotRequired)


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) in (Required, NotRequired) else hint


def _annotated(value: Any, kind: Any, path: Where, found: list[Finding]) -> Any:
    base, *notes = get_args(kind)
    if examples := [text for note in notes if isinstance(note, msgspec.Meta) for text in note.examples or ()]:
        return _such_as(value, kind, examples, path, found)
    timed, before = "seconds" in notes, len(found)
    value = _quantity(value, parse_duration, path, found) if timed else _walk(value, base, path, found)
    if len(found) > before or not any(isinstance(note, msgspec.Meta) for note in notes):
        return value
    return _leaf(value, kind, path, found, "a duration in seconds" if timed else None)


def _such_as(value: Any, kind: Any, examples: list[str], path: Where, found: list[Finding]) -> Any:
    """A text of a form that examples tell better than its pattern."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        got = "" if isinstance(value, str) else f", got {_name_of(value)}"
        return _wrong(path, f"expected text such as {' or '.join(examples)}{got}", found)


def _list(value: Any, kind: Any, path: Where, found: list[Finding]) -> Any:
    if not isinstance(value, list):
        return _wrong(path, f"expected a list, got {_name_of(value)}", found)
    (entry,) = get_args(kind)
    return [_walk(part, entry, (*path, number), found) for number, part in enumerate(value)]


def _dict(value: Any, kind: Any, path: Where, found: list[Finding]) -> Any:
    if not isinstance(value, dict):
        return _wrong(path, f"expected a mapping, got {_name_of(value)}", found)
    entry = get_args(kind)[1]
    return {name: _walk(part, entry, (*path, name), found) for name, part in value.items()}


def _union(value: Any, kind: Any, path: Where, found: list[Finding]) -> Any:
    """The first alternative that fits; else the one that was followed deepest says what is wrong (of whole numbers and
    numbers the latter)."""
    kinds = [part for part in get_args(kind) if part is not NoneType]
    if value is None and NoneType in get_args(kind):
        return None
    tries = [convert(value, part, path) for part in kinds]
    for result, findings in tries:
        if not findings:
            return result
    told = [one for one, part in zip(tries, kinds, strict=True) if part is not int or float not in kinds]
    result, findings = max(told, key=lambda one: max(len(place) for place, _ in one[1]))
    found.extend(findings)
    return result


def _literal(value: Any, kind: Any, path: Where, found: list[Finding]) -> Any:
    choices = get_args(kind)
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    one_of = ", ".join(map(repr, choices))
    return _wrong(
        path, f"{quoted(value)} is not one of {one_of}{did_you_mean(value, map(str, choices))}", found
    )


def _quantity(value: Any, parse: Callable[[str], Any], path: Where, found: list[Finding]) -> Any:
    if not isinstance(value, str):
        example = "90s, 5min or 1h" if parse is parse_duration else "250/h or 10/min"
        return _wrong(path, f"expected text such as {example}, got {_name_of(value)}", found)
    try:
        result = parse(value[:_MAX_QUANTITY])
    except ValueError as error:
        return _wrong(path, str(error), found)
    amount = result.per_second if isinstance(result, Rate) else result
    return result if isfinite(amount) else _wrong(path, f"{quoted(value)} is too large", found)


def _leaf(value: Any, kind: Any, path: Where, found: list[Finding], number: str | None = None) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        hint = ": quote it" if kind is str and isinstance(value, int | float) else ""
        return _wrong(path, _plain(str(error), number) + hint, found)
    except TypeError:
        return _wrong(path, f"cannot be given in YAML: {getattr(kind, '__name__', kind)}", found)


def _plain(message: str, number: str | None) -> str:
    """msgspec's words in those of the file; `number` is what a number stands for."""
    names = {**_NAMES, "float": number or _NAMES["float"]}
    message = re.sub(r"`(\w+)`", lambda word: names.get(word[1], word[1]), message)
    return message[:1].lower() + message[1:]


def _name_of(value: Any) -> str:
    names: dict[type, str] = {
        dict: "a mapping", list: "a list", str: "text", bool: "a truth value", NoneType: "nothing",
    }  # fmt: skip
    return names.get(type(value), "a number")


def _wrong(path: Where, message: str, found: list[Finding]) -> Any:
    found.append((path, message))
    return UNUSABLE


_WALKS: dict[Any, Callable[[Any, Any, Where, list[Finding]], Any]] = {
    Annotated: _annotated, Union: _union, UnionType: _union, Literal: _literal, list: _list, dict: _dict,
}  # fmt: skip
