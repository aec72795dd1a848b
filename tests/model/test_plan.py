"""The graph of a job's stages."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from rivus.model.plan import Plan

DIAMOND = Plan("job", {"join": ("left", "right"), "left": ("top",), "top": (), "right": ("top",), "alone": ()})


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A graph without cycles, its stages in any order."""
    count = draw(st.integers(1, 7))
    names = [f"s{number}" for number in range(count)]
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True))) if number else ()
        for number, name in enumerate(names)
    }
    return Plan("job", {name: needs[name] for name in draw(st.permutations(names))})


def test_each_stage_comes_after_all_it_needs() -> None:
    assert DIAMOND.order == ("top", "left", "right", "join", "alone")


def test_a_chain_written_backwards_is_put_in_order() -> None:
    assert Plan("job", {"c": ("b",), "b": ("a",), "a": ()}).order == ("a", "b", "c")


def test_the_ancestors_are_all_that_is_needed_in_order_and_each_once() -> None:
    assert DIAMOND.ancestors("join") == ("top", "left", "right")
    assert DIAMOND.ancestors("top") == DIAMOND.ancestors("alone") == ()


def test_the_successors_are_those_that_need_it_directly() -> None:
    assert DIAMOND.successors("top") == ("left", "right")
    assert DIAMOND.successors("left") == ("join",)
    assert DIAMOND.successors("join") == ()


@settings(deadline=None)
@given(plans())
def test_any_graph_without_cycles_is_put_in_order(plan: Plan) -> None:
    place = {stage: number for number, stage in enumerate(plan.order)}
    assert sorted(plan.order) == sorted(plan.needs)
    for stage, needs in plan.needs.items():
        assert all(place[need] < place[stage] for need in needs)
        ancestors = plan.ancestors(stage)
        assert set(ancestors) == set(needs).union(*(plan.ancestors(need) for need in needs))
        assert sorted(ancestors, key=place.__getitem__) == list(ancestors)
        assert {other for other in plan.needs if stage in plan.needs[other]} == set(plan.successors(stage))


def test_what_a_result_may_release_are_its_successors_and_those_that_await_children_of_it() -> None:
    plan = Plan("job", {"a": (), "b": ("a",), "c": ("b",), "d": ()}, {"c": (("pages", "map"), ("job", "c"))})
    assert (plan.followers("a"), plan.followers("b"), plan.followers("d")) == (("b", "c"), ("c",), ())
    assert plan.awaiting("pages", "map") == plan.awaiting("job", "c") == ("c",)
    assert plan.awaiting("pages", "c") == ()


@given(plans())
def test_a_plan_is_sound_until_it_names_a_stage_that_is_not_there_or_goes_in_a_circle(plan: Plan) -> None:
    assert plan.sound
    first = plan.order[0]
    assert not Plan("job", {**plan.needs, first: ("gone",)}).sound
    assert not Plan("job", {**plan.needs, first: (plan.order[-1],), plan.order[-1]: (first,)}).sound
