"""What meta and receipts say of parents and children, whoever wrote them."""

from __future__ import annotations

from typing import Any

import pytest

from rivus.model.children import Parent, awaited, depth_of, emitted, parent_of
from rivus.model.plan import Plan


def test_a_parent_is_a_job_and_a_key() -> None:
    assert parent_of({"parent": {"job": "feed", "key": "a/b"}}) == Parent("feed", "a/b")
    assert Parent("feed", "a/b").name == "a%2Fb.json"


@pytest.mark.parametrize(
    "meta",
    [None, {}, {"parent": "feed/a"}, {"parent": {"job": "../x", "key": "a"}}, {"parent": {"job": "feed", "key": ""}},
     {"parent": {"job": "feed", "key": "a/../b"}}, {"parent": {"job": 3, "key": "a"}}, {"parent": {"key": "a"}}],
)  # fmt: skip
def test_what_names_no_item_is_no_parent(meta: Any) -> None:
    assert parent_of(meta) is None


def test_a_receipt_names_children_and_what_is_no_name_is_left_out() -> None:
    assert emitted({"emitted": {"pages": ["a", 3, "b"], "../x": ["c"], "more": "d"}}) == {"pages": ["a", "b"]}
    assert [emitted(other) for other in (None, {}, {"emitted": ["a"]}, "x")] == [{}] * 4


def test_each_child_is_awaited_once_in_the_order_of_emission() -> None:
    plan = Plan("j", {"one": (), "two": ("one",), "all": ("two",)}, {"all": (("p", "map"), ("q", "x"))})
    receipts = {"one": {"emitted": {"p": ["b", "a"]}}, "two": {"emitted": {"p": ["c", "a"], "other": ["z"]}}}
    assert awaited(plan, "all", receipts) == {("p", "map"): ["b", "a", "c"], ("q", "x"): []}
    assert awaited(plan, "two", receipts) == {}


def test_the_depth_is_a_number_of_ancestors() -> None:
    assert [depth_of({"depth": depth}) for depth in (0, 3, -1, "2", None)] == [0, 3, 0, 0, 0]
