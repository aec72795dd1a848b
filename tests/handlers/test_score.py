from __future__ import annotations

import time
from typing import Any

import pytest

from rivus.handlers.score import count_phrases, keywords
from rivus.model.outcome import Halt, ItemFailed
from tests.handlers.conftest import FakeContext


@pytest.mark.parametrize(
    ("text", "phrases", "hits"),
    [
        ("Rate cuts: a rate\ncut, a RATE CUT!", ["rate cut"], {"rate cut": 2}),
        ("a pirate cut", ["rate cut", "rate"], {}),
        (
            "new york times, New York",
            ["new york", "new york times", "york"],
            {"new york": 1, "new york times": 1},
        ),
        ("C++ and C, S&P 500", ["c", "c++", "s&p 500"], {"c": 1, "c++": 1, "s&p 500": 1}),
        ("Tesla’s, don't", ["Tesla", "don't", "don"], {"Tesla": 1, "don't": 1}),
        ("STRASSE Straße", ["straße"], {"straße": 2}),
        ("cafe\u0301 Café cafe", ["café"], {"café": 2}),
        ("我喜欢苹果手机", ["苹果", "苹果手"], {"苹果手": 1}),
        ("삼성전자가 올랐다", ["삼성전자"], {"삼성전자": 1}),
        ("हिन्दी", ["हिन"], {}),
        ("no no no", ["no no"], {"no no": 1}),
        ("stock, market", ["stock market"], {}),
        ("", ["x"], {}),
    ],
)
def test_whole_phrases_are_counted_and_the_longest_wins(text: str, phrases: list[str], hits: dict[str, int]) -> None:
    assert count_phrases(text, dict.fromkeys(phrases, 1.0)) == hits


def test_the_value_is_the_weighted_count_for_each_thousand_words(ctx: FakeContext) -> None:
    item = {"text": "rate cut " + "word " * 98 + "rumour rumour"}
    weights = {"rate cut": 2.5, "rumour": -1, "absent": 9}
    hits = {"rate cut": 1, "rumour": 2}
    assert keywords(item, ctx, weights=weights) == {"value": 4.902, "hits": hits}
    assert keywords(item, ctx, weights=weights, per_words=0) == {"value": 0.5, "hits": hits}


def test_a_text_without_any_of_the_words_has_the_value_zero(ctx: FakeContext) -> None:
    assert keywords({"title": "hello"}, ctx, weights={"x": 1}, field="title") == {"value": 0.0, "hits": {}}


@pytest.mark.parametrize("item", [{}, {"text": None}, {"text": " \n"}, {"text": ["a"]}])
def test_an_item_without_the_text_fails(ctx: FakeContext, item: dict[str, Any]) -> None:
    with pytest.raises(ItemFailed, match="`text` holds no text"):
        keywords(item, ctx, weights={"x": 1})


@pytest.mark.parametrize(
    "given",
    [{"weights": {}}, {"weights": {"x": float("nan")}}, {"weights": {"x": True}}, {"weights": {"x": "1"}},
     {"weights": {" ": 1}}, {"weights": {5: 1}}, {"weights": {"x": 1}, "per_words": -1}],
)  # fmt: skip
def test_weights_that_cannot_be_used_halt_the_job(ctx: FakeContext, given: dict[str, Any]) -> None:
    with pytest.raises(Halt):
        keywords({"text": "x"}, ctx, **given)


def test_thousands_of_phrases_over_a_long_text_take_seconds() -> None:
    phrases = {f"word{n} word{n + 1}": 1.0 for n in range(5_000)}
    started = time.process_time()
    hits = count_phrases(" ".join(f"word{n % 5_000}" for n in range(200_000)), phrases)
    assert time.process_time() - started < 5
    assert sum(hits.values()) > 90_000
