"""Values are converted without guessing, and every mistake is found with its place."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, Required, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct, field

from rivus.config.convert import Seconds, convert
from rivus.config.schema import Calendar, Cpu, Folder, Memory, Secret
from rivus.config.yamltree import UNUSABLE
from rivus.model.quantity import Rate


class Inner(Struct, frozen=True, kw_only=True):
    number: Annotated[int, Meta(ge=1, le=9)] = 5
    with_: dict[str, Any] = field(default_factory=dict, name="with")


class Outer(Struct, frozen=True, kw_only=True):
    name: str
    wait: Seconds | None = None
    inner: list[Inner] = []
    mode: Literal["ignore", "update"] = "ignore"


@pytest.mark.parametrize(
    ("value", "kind", "result"),
    [
        ("x", str, "x"), (5, int, 5), (5, float, 5.0), (True, bool, True), (None, str | None, None),
        ("90s", Seconds, 90.0), ("1h30min", Seconds | None, 5400.0), (["1s", "2min"], list[Seconds], [1, 120]),
        ("250/h", Rate, Rate(250, 3600)), ({"a": "5/s"}, dict[str, Rate], {"a": Rate(5, 1)}),
        (["a"], str | list[str], ["a"]), ("a", str | list[str], "a"), (["a", "b"], tuple[str, ...], ("a", "b")),
        ({"a": [1, None]}, Any, {"a": [1, None]}), ("update", Literal["ignore", "update"], "update"),
        ([], list, []), ({"a": 1}, dict[str, Any], {"a": 1}),
    ],
)  # fmt: skip
def test_what_fits_is_converted(value: Any, kind: Any, result: Any) -> None:
    assert convert(value, kind) == (result, [])


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (5, str, "expected text, got a whole number: quote it"),
        ("5", int, "expected a whole number, got text"),
        (True, int, "expected a whole number, got true or false"),
        (1, bool, "expected true or false, got a whole number"),
        (None, str, "expected text, got nothing"),
        (0, Annotated[int, Meta(ge=1)], "expected a whole number >= 1"),
        ("x", list[str], "expected a list, got text"),
        ([], dict[str, str], "expected a mapping, got a list"),
        ([], Annotated[list[str], Meta(min_length=1)], "expected a list of length >= 1"),
        (300, Seconds, "expected text such as 90s, 5min or 1h, got a number"),
        ("5 minutes", Seconds, "'5 minutes' is not a duration such as 90s, 5min, 1h or 2d"),
        ("0s", Annotated[Seconds, Meta(gt=0)], "expected a duration in seconds > 0.0"),
        ("fast", Rate, "'fast' is not a rate such as 250/h, 10/min or 1/10s"),
        (5, Rate, "expected text such as 250/h or 10/min, got a number"),
        ("0/h", Rate, "'0/h' is not a rate such as 250/h, 10/min or 1/10s"),
        ("updat", Literal["ignore", "update"], "'updat' is not one of 'ignore', 'update', did you mean 'update'?"),
        (1, Literal["1"], "1 is not one of '1', did you mean '1'?"),
        ("x", Inner, "expected a mapping, got text"),
        ("x", object(), "cannot be given in YAML"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_reported(value: Any, kind: Any, message: str) -> None:
    result, found = convert(value, kind, ("there",))
    assert result is UNUSABLE
    [(place, said)] = found
    assert place == ("there",)
    assert said.startswith(message)


def test_every_mistake_is_found_with_its_place() -> None:
    value = {
        "nam": "x", "wait": "soon", "mode": "never",
        "inner": [{"number": 0}, 5, {"with": {}, "numbr": 1}, {}],
    }  # fmt: skip
    _, found = convert(value, Outer)
    assert sorted(found, key=str) == [
        (("inner", 0, "number"), "expected a whole number >= 1"),
        (("inner", 1), "expected a mapping, got a number"),
        (("inner", 2, "numbr"), "unknown field, did you mean 'number'?"),
        (("mode",), "'never' is not one of 'ignore', 'update'"),
        (("nam",), "unknown field, did you mean 'name'?"),
        (("wait",), "'soon' is not a duration such as 90s, 5min, 1h or 2d"),
        ((), "missing field 'name'"),
    ]


def test_fields_have_the_names_of_the_file() -> None:
    assert convert({"with": {"a": 1}}, Inner)[0].with_ == {"a": 1}
    assert convert({"with_": {}}, Inner)[1] == [(("with_",), "unknown field, did you mean 'with'?")]


def test_a_part_that_was_reported_already_is_not_reported_again() -> None:
    assert convert({"name": UNUSABLE, "wait": UNUSABLE}, Outer)[1] == []


def test_of_several_alternatives_the_nearest_says_what_is_wrong() -> None:
    assert convert(["a", 5], str | list[str], ("x",))[1] == [
        (("x", 1), "expected text, got a whole number: quote it")
    ]


class Rule(TypedDict, total=False):
    field: Required[str]
    points: Required[int | float]
    each: bool


class Strict(TypedDict):
    field: str
    each: NotRequired[bool]


class Unreadable(TypedDict):
    field: Nowhere  # type: ignore[name-defined]  # noqa: F821


def test_a_typed_dictionary_stays_one_with_its_fields_in_their_order() -> None:
    given = {"points": 5, "field": "title"}
    value, found = convert([given], list[Rule])
    assert (value, list(value[0]), type(value[0]["points"]), found) == ([given], ["points", "field"], int, [])
    assert convert({"field": "a"}, Strict) == ({"field": "a"}, [])


@pytest.mark.parametrize("kind", [Rule, str | Rule, Rule | str])
def test_every_mistake_in_a_typed_dictionary_is_found(kind: Any) -> None:
    _, found = convert({"feild": "a", "other": 1, "points": "x"}, kind, ("r",))
    assert sorted(found) == [
        (("r",), "missing field 'field'"),
        (("r", "feild"), "unknown field, did you mean 'field'?"),
        (("r", "other"), "unknown field: known are field, points, each"),
        (("r", "points"), "expected a number, got text"),
    ]


def test_a_typed_dictionary_that_is_none_or_cannot_be_read_is_reported() -> None:
    assert convert([], Rule)[1] == [((), "expected a mapping, got a list")]
    assert convert({}, Strict)[1] == [((), "missing field 'field'")]
    assert convert({"field": "a"}, Unreadable)[1] == [((), "cannot be given in YAML: Unreadable")]


def test_a_quantity_too_large_for_a_number_is_reported() -> None:
    assert convert("9" * 90 + "9/ms", Rate)[1] == []
    assert "not a duration" in convert("9" * 5000 + "s", Seconds)[1][0][1]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Memory, "512 MB", "expected text such as 512M or 2G"),
        (Memory, 512, "expected text such as 512M or 2G, got a number"),
        (Cpu, "1.5", "expected text such as 50% or 150%"),
        (Calendar, "daily\n", "expected text such as Mon..Fri 07:30 America/New_York"),
        (Folder, "data", "expected text such as /srv/data"),
        (Folder, "/srv/../etc", "expected text such as /srv/data"),
        (Folder, "/srv/a b", "expected text such as /srv/data"),
        (Secret, "hunter2!", "expected text such as finnhub_token"),
        (Memory | None, [], "expected text such as 512M or 2G, got a list"),
    ],
)
def test_a_text_of_a_certain_form_is_asked_for_by_example(kind: Any, value: Any, said: str) -> None:
    assert convert(value, kind)[1] == [((), said)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Memory, "2G"), (Cpu, "5%"), (Calendar, "*-*-* 04:00 UTC"), (Folder, "/srv/a.b/ü"), (Secret, "a1")],
)
def test_a_text_of_that_form_is_taken_as_it_is(kind: Any, value: str) -> None:
    assert convert(value, kind) == (value, [])


KINDS = [
    str,
    int,
    Seconds,
    Rate,
    Outer,
    list[Inner],
    list[Rule],
    dict[str, Seconds],
    str | list[int] | None,
    Literal["a"],
    Memory,
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["name", "inner"]), inner),
    max_leaves=10,
)


@given(VALUES, st.sampled_from(KINDS))
def test_no_value_raises(value: Any, kind: Any) -> None:
    convert(value, kind)
