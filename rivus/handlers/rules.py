"""The stage `score.rules`: points for what an item holds, by rules that stand in the job."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Required, TypedDict

from rivus.handlers.fields import value_at
from rivus.model.outcome import Halt, ItemFailed, Json
from rivus.sources.patterns import counted

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False
MOST_RULES, MOST_PLACES = 200, 1000


class Rule(TypedDict, total=False):
    """One rule, as it stands in the job."""

    name: str
    field: Required[str]
    pattern: str
    at_least: int | float
    at_most: int | float
    points: Required[int | float]
    each: bool


def rules(item: Json, ctx: Context, *, rules: list[Rule]) -> Json:
    """The sum of the points of the rules that hold.

    Takes: the fields that the rules name (`live.title`: in the object `live`).
    Gives: `value` (the sum), `hits` (the points of each rule that held, by its `name`, else by its number from 1).

    rules: each with `points` and `field`, and one condition or more, all of which must hold:
           `pattern` (a regular expression found in the text; of anything else in its JSON), `at_least` and `at_most`
           (a number; a list, or a text that is no number, counts by its length). Without a condition the field must
           hold something. With `each: true` the points count for each place where the pattern is found (1,000 at most).
    Raises Halt for rules that cannot be used, ItemFailed when the patterns take longer than 5 s on this item.

        score:
          handler: score.rules
          with:
            rules:
              - {field: title, pattern: "(?i)rate (cut|hike)", points: 5, name: rates}
              - {field: text, at_most: 300, points: -2}
              - {field: views, at_least: 10000, points: 1}
    """
    _check(rules)
    found = iter(_found(item, rules))
    hits: dict[str, float] = {}
    for number, rule in enumerate(rules, 1):
        places = next(found) if "pattern" in rule else 1
        if places and _holds(rule, value_at(item, rule["field"])):
            name = str(rule.get("name", number))
            hits[name] = hits.get(name, 0) + rule["points"] * (places if rule.get("each") else 1)
    return {"value": round(math.fsum(hits.values()), 4), "hits": hits}


def _found(item: Json, rules: list[Rule]) -> list[int]:
    """In how many places each pattern is found."""
    asked = [(rule["pattern"], _text(value_at(item, rule["field"]))) for rule in rules if "pattern" in rule]
    try:
        return counted(asked, MOST_PLACES) if asked else []
    except TimeoutError:
        raise ItemFailed("a pattern takes too long on this text (nested repetitions such as (a+)+ do)") from None


def _holds(rule: Rule, value: Any) -> bool:
    if value is None or value in ("", [], {}):
        return False
    size = _size(value)
    return bool(rule.get("at_least", -math.inf) <= size <= rule.get("at_most", math.inf))


def _size(value: Any) -> float:
    """A number, also one that is written as text; else how much there is."""
    if isinstance(value, list | dict):
        return len(value)
    try:
        number = float(value)
    except ValueError:
        return len(value)
    return number if math.isfinite(number) else len(str(value))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check(rules: list[Rule]) -> None:
    if not 0 < len(rules) <= MOST_RULES:
        raise Halt(f"`rules` has {len(rules)} rules: 1 to {MOST_RULES} can be used")
    for number, rule in enumerate(rules, 1):
        if unknown := sorted(rule.keys() - Rule.__annotations__.keys()):
            raise Halt(f"rule {number}: {unknown[0]!r} is none of {', '.join(Rule.__annotations__)}")
        for name in ("field", "pattern"):
            if not isinstance(rule.get(name, ""), str) or (name == "field" and not rule.get(name)):
                raise Halt(f"rule {number}: `{name}` is no text")
        for name in ("points", "at_least", "at_most"):
            if not _is_number(rule.get(name, 0)) or (name == "points" and name not in rule):
                raise Halt(f"rule {number}: `{name}` is no number")
        if rule.get("each") and "pattern" not in rule:
            raise Halt(f"rule {number}: `each` needs a `pattern`")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
