"""Points by rules, on texts that may be out to harm."""

from __future__ import annotations

from typing import Any

import pytest

from rivus.handlers.rules import rules
from rivus.model.outcome import Halt, ItemFailed
from rivus.sources import patterns
from tests.handlers.conftest import FakeContext

ITEM = {"title": "Rate cut, rate cut!", "live": {"text": "x" * 50}, "views": 1200, "price": "9.5", "tags": ["a", "b"]}


def points(ctx: FakeContext, *given: dict[str, Any], item: dict[str, Any] = ITEM) -> dict[str, Any]:
    return rules(item, ctx, rules=list(given))


def test_the_points_of_the_rules_that_hold_are_added_up(ctx: FakeContext) -> None:
    output = points(
        ctx,
        {"field": "title", "pattern": "(?i)rate cut", "points": 2, "name": "cut"},
        {"field": "title", "pattern": "(?i)rate cut", "points": 1, "each": True},
        {"field": "live.text", "at_most": 60, "points": -0.5},
        {"field": "views", "at_least": 1000, "at_most": 2000, "points": 4},
        {"field": "price", "at_least": 9, "points": 8},
        {"field": "tags", "pattern": '"b"', "at_least": 2, "points": 16},
        {"field": "tags", "points": 32},
        {"field": "gone", "points": 64},
        {"field": "gone", "at_most": 5, "points": 128},
        {"field": "views", "at_least": 1201, "points": 256},
    )
    assert output == {"value": 63.5, "hits": {"cut": 2, "2": 2, "3": -0.5, "4": 4, "5": 8, "6": 16, "7": 32}}


def test_an_item_that_fits_no_rule_has_no_points(ctx: FakeContext) -> None:
    assert points(ctx, {"field": "a", "pattern": "b", "points": 1}, item={}) == {"value": 0.0, "hits": {}}


def test_a_text_on_which_a_pattern_never_ends_fails_the_item_alone(
    ctx: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.3)
    with pytest.raises(ItemFailed, match="too long"):
        points(ctx, {"field": "t", "pattern": "(a+)+$", "points": 1}, item={"t": "a" * 60 + "b"})


@pytest.mark.parametrize(
    ("rule", "reason"),
    [({"points": 1}, "rule 1: `field`"), ({"field": "a"}, "`points`"), ({"field": "a", "points": True}, "`points`"),
     ({"field": "a", "points": 1, "pattern": "("}, "not a regular"),
     ({"field": "a", "points": 1, "patern": ""}, "patern"),
     ({"field": "a", "points": 1, "at_least": "x"}, "`at_least`"), ({"field": "a", "points": 1, "each": True}, "each")],
)  # fmt: skip
def test_a_rule_that_cannot_be_used_halts_the_job(ctx: FakeContext, rule: dict[str, Any], reason: str) -> None:
    with pytest.raises(Halt, match=reason):
        points(ctx, rule)
    with pytest.raises(Halt, match="0 rules"):
        points(ctx)
