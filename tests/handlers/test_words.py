from __future__ import annotations

import time

import pytest

from rivus.handlers.words import count_words, pieces


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("- no, no-one's; 3.5 -- ?", 3),
        ("我们生活 in 2020", 6),
        ("हिन्दी भाषा", 2),
        ("カタカナ", 4),
        ("a\u00a0b\nc", 3),
    ],
)
def test_words_are_counted_in_any_script(text: str, words: int) -> None:
    assert count_words(text) == words


def test_pieces_are_words_and_signs_in_one_form() -> None:
    assert list(pieces("C++ & Tesla’s\nﬁne")) == ["c", "+", "+", "&", "tesla", "'", "s", "fine"]
    assert list(pieces("हिन्दी")) == ["हिन्दी"]
    assert list(pieces("ｱ苹果 삼성")) == ["ア", "苹", "果", "삼", "성"]


def test_long_runs_take_linear_time() -> None:
    started = time.process_time()
    for text in ("a" * 2_000_000, "-" * 2_000_000, "\u0301" * 1_000_000, "e\u0301" * 500_000, "苹" * 500_000):
        count_words(text)
        sum(1 for _ in pieces(text))
    assert time.process_time() - started < 10
