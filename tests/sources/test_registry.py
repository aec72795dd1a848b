from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from rivus.sources import REGISTRY


@pytest.mark.parametrize(("name", "place"), REGISTRY.items())
def test_a_strategy_takes_a_look_and_documented_typed_parameters(name: str, place: str) -> None:
    module, _, function = place.partition(":")
    source = getattr(import_module(module), function)
    first, *others = inspect.signature(source).parameters.values()
    assert first.name == "look" and function == name
    assert f"strategy: {name}" in source.__doc__
    for parameter in others:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.annotation is not inspect.Parameter.empty
        assert f"{parameter.name}:" in source.__doc__
