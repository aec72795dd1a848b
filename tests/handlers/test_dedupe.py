"""Which texts count as the same, and that the order of items decides which of two is the copy."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from rivus.handlers.dedupe import FILE, near
from rivus.handlers.sketch import bands, likeness, sketch
from rivus.model.outcome import Halt, ItemFailed, RetryLater
from tests.handlers.conftest import FakeContext


def words(seed: int, count: int = 300) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices("abcdefghij", k=5)) for _ in range(count)]


def ask(ctx: FakeContext, key: str, text: str, **more: Any) -> dict[str, Any]:
    ctx.key = key
    return near({"text": text}, ctx, **more)


def jaccard(one: list[str], other: list[str]) -> float:
    sets = [{tuple(text[at : at + 4]) for at in range(len(text) - 3)} for text in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_an_earlier_text_that_is_nearly_the_same_is_found(ctx: FakeContext) -> None:
    text = words(1)
    assert ask(ctx, "a", " ".join(text)) == {"near": None, "similarity": 0.0}
    assert ask(ctx, "b", " ".join(words(2))) == {"near": None, "similarity": 0.0}
    found = ask(ctx, "c", "  ".join([*text[:-5], "and", "more"]).upper())
    assert found["near"] == "a" and 0.85 < found["similarity"] < 1
    assert ask(ctx, "d", " ".join(text))["near"] == "a"


def test_the_original_stays_the_original_however_often_it_is_looked_at(ctx: FakeContext) -> None:
    text = " ".join(words(1))
    for _ in range(2):
        assert ask(ctx, "first", text)["near"] is None
        assert ask(ctx, "second", text) == {"near": "first", "similarity": 1.0}
    ask(ctx, "first", " ".join(words(3)))
    assert ask(ctx, "second", text)["near"] is None
    assert ask(ctx, "third", text)["near"] == "second"


@pytest.mark.parametrize("count", [20, 60, 300, 3000])
@pytest.mark.parametrize("kept", [0.98, 0.9, 0.7])
def test_likeness_estimates_what_two_texts_have_in_common(count: int, kept: float) -> None:
    errors = []
    for seed in range(12 if count < 3000 else 6):
        one, fresh = words(seed, count), words(seed + 1000, count)
        other = one[: int(count * kept)] + fresh[int(count * kept) :]
        errors.append(abs(likeness(sketch(" ".join(one)), sketch(" ".join(other))) - jaccard(one, other)))
    assert mean(errors) < (0.12 if count < 100 else 0.06)


def test_texts_much_alike_share_a_band_and_others_do_not() -> None:
    found = strange = 0
    for seed in range(100):
        one = words(seed)
        like = one[:265] + words(seed + 5000)[265:]
        mine = set(bands(sketch(" ".join(one))))
        found += bool(mine & set(bands(sketch(" ".join(like)))))
        strange += bool(mine & set(bands(sketch(" ".join(words(seed + 9000))))))
    assert found >= 97 and strange == 0


@pytest.mark.parametrize("text", ["word", "日本銀行は金利を据え置いた", "x" * 10_000, "a " * 20_000, "\ud800 half"])
def test_any_text_is_like_itself(ctx: FakeContext, text: str) -> None:
    ask(ctx, "a", text)
    assert ask(ctx, "b", text) == {"near": "a", "similarity": 1.0}


def test_what_is_no_text_fails_the_item(ctx: FakeContext) -> None:
    for item in ({}, {"text": " \n"}, {"text": 5}):
        with pytest.raises(ItemFailed, match="no text"):
            near(item, ctx)
    with pytest.raises(Halt, match="threshold"):
        near({"text": "a"}, ctx, threshold=0.1)


def test_a_damaged_database_halts_the_job(ctx: FakeContext) -> None:
    (ctx.state / FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(Halt, match="not a database"):
        ask(ctx, "a", "text")
    (ctx.state / FILE).unlink()
    assert ask(ctx, "a", "text")["near"] is None


def test_of_many_copies_at_once_exactly_one_is_the_original(ctx: FakeContext, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from types import SimpleNamespace as S\n"
        "from rivus.handlers.dedupe import near\n"
        "for key in range(20): print(near({'text': 'the same text again and again'}, "
        "S(key=f'{sys.argv[1]}{key}', state=Path(sys.argv[2]), timeout=20))['near'])"
    )
    argv = [sys.executable, "-c", program]
    with ThreadPoolExecutor(2) as pool:
        outs = pool.map(lambda n: subprocess.check_output([*argv, n, str(ctx.state)], text=True).split(), "xy")
        answers = [line for out in outs for line in out]
    assert answers.count("None") == 1 and len(set(answers)) == 2 and len(answers) == 40


def test_a_database_that_others_keep_is_tried_again_later(ctx: FakeContext) -> None:
    ask(ctx, "a", "text")
    db = sqlite3.connect(ctx.state / FILE)
    db.execute("BEGIN IMMEDIATE")
    ctx.timeout = 0.1
    with pytest.raises(RetryLater, match="in use"):
        ask(ctx, "b", "text")
    db.close()
