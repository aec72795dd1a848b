"""jobs.d/prices.yaml: what calls of language models cost, so that handlers can report tokens.

    small-model: {input: 0.15, output: 0.60}      # USD for a million tokens

A model that is not in it has an unknown cost.
"""

from __future__ import annotations

import os
from pathlib import Path

from rivus.config.convert import convert
from rivus.config.doctor import Price
from rivus.config.problem import Problem, problem_at
from rivus.config.yamltree import read_yaml
from rivus.errors import BadConfig

PRICES = "prices.yaml"
MILLION = 1_000_000


def load_prices(folder: Path) -> dict[str, Price]:
    """The prices in `folder` by model, {} without a file. Raises BadConfig with all problems."""
    prices, problems = read_prices(folder)
    if problems:
        raise BadConfig("\n".join(map(str, problems)))
    return prices


def read_prices(folder: Path) -> tuple[dict[str, Price], list[Problem]]:
    """The same, with the problems handed over; with any of them there are no prices."""
    path = folder / PRICES
    if not os.path.lexists(path):
        return {}, []
    tree = read_yaml(path)
    prices, found = convert({} if tree.value is None else tree.value, dict[str, Price])
    problems = sorted([*tree.problems, *(problem_at(tree.file, tree.marks, finding) for finding in found)])
    return ({}, problems) if problems else (prices, [])


def usd_of(price: Price, input_tokens: int, output_tokens: int) -> float:
    """What so many tokens cost, in USD."""
    return (price.input * input_tokens + price.output * output_tokens) / MILLION
