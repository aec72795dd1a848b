"""What differs between two outputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rivus.model.compare import Change, changes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


def test_a_field_is_added_removed_or_changed() -> None:
    assert changes({"a": 1, "b": 2, "c": 3}, {"c": 4, "b": 2, "d": 5}) == [
        Change("a", "removed", 1, None), Change("c", "changed", 3, 4), Change("d", "added", None, 5),
    ]  # fmt: skip


def test_a_path_goes_through_objects_and_lists() -> None:
    old = {"score": {"value": 1, "why": ["x", {"text": "y"}]}}
    new = {"score": {"value": 1, "why": ["x", {"text": "z"}]}}
    assert changes(old, new) == [Change("score.why.1.text", "changed", "y", "z")]


def test_lists_of_other_lengths_differ_as_a_whole() -> None:
    assert changes({"cues": [1, 2, 3]}, {"cues": [2, 3]}) == [Change("cues", "changed", [1, 2, 3], [2, 3])]


def test_true_is_not_one_and_one_is_one_point_nought() -> None:
    assert [change.path for change in changes({"a": True, "b": 1}, {"a": 1, "b": 1.0})] == ["a"]


def test_null_is_not_an_absent_field() -> None:
    assert changes({"a": None}, {}) == [Change("a", "removed", None, None)]


def test_no_more_are_named_than_were_asked_for_and_no_path_is_without_end() -> None:
    many = {str(number): number for number in range(1000)}
    assert len(changes({}, many)) == 100
    assert len(changes({}, many, 3)) == 3
    assert len(changes({"x" * 10_000: 1}, {})[0].path) == 200


@given(OBJECTS, OBJECTS)
def test_nothing_differs_from_itself_and_both_ways_tell_the_same(one: dict, other: dict) -> None:  # type: ignore[type-arg]
    assert changes(one, one) == []
    there, back = changes(one, other), changes(other, one)
    assert sorted(change.path for change in there) == sorted(change.path for change in back)
    assert bool(there) == (changes(one, other, 1) != [])
