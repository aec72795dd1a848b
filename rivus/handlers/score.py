"""The stage `score.keywords`: how much a text is about given words, counted, without a model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rivus.handlers.words import count_words, pieces
from rivus.model.outcome import Halt, ItemFailed, Json

if TYPE_CHECKING:
    from rivus.model.context import Context

NETWORK = False


def keywords(
    item: Json, ctx: Context, *, weights: dict[str, float], field: str = "text", per_words: int = 1000
) -> Json:
    """The weighted count of words and phrases in a text.

    Takes: the field named by `field`: a text.
    Gives: `value` (the sum of weight x count, for each `per_words` words of the text, to 4 places),
           `hits` (the count of each phrase that was found).

    weights:   a number for each word or phrase; see `count_phrases` for what matches.
    per_words: 0 gives the sum itself, which grows with the length of the text.
    Raises ItemFailed when the field holds no text, Halt for weights that cannot be used.

        score: {handler: score.keywords, with: {weights: {rate cut: 2, "S&P 500": 1, rumour: -1}}}
    """
    text = item.get(field)
    if not isinstance(text, str) or not text.strip():
        raise ItemFailed(f"`{field}` holds no text to score")
    _check(weights, per_words)
    hits = count_phrases(text, weights)
    value = math.fsum(weights[phrase] * count for phrase, count in hits.items())
    if per_words:
        value *= per_words / max(count_words(text), 1)
    return {"value": round(value, 4), "hits": hits}


def count_phrases(text: str, phrases: Mapping[str, object]) -> dict[str, int]:
    """How often each of `phrases` stands in `text`, those that do not left out, in the order of `phrases`.

    Whole words only, whatever the case; the signs between the words must agree (`C++`, `S&P 500`), the white space
    need not. Where several match, the longest does and the others do not. In scripts without spaces between words
    a phrase is found anywhere.
    """
    known = {tuple(pieces(phrase)): phrase for phrase in reversed(list(phrases))}
    lengths: dict[str, list[int]] = {}
    for key in sorted(known, key=len, reverse=True):
        of_first = lengths.setdefault(key[0], [])
        if len(key) not in of_first:
            of_first.append(len(key))
    found: Counter[str] = Counter()
    words, at = list(pieces(text)), 0
    while at < len(words):
        fits = (n for n in lengths.get(words[at], ()) if tuple(words[at : at + n]) in known)
        length = next(fits, 0)
        if length:
            found[known[tuple(words[at : at + length])]] += 1
        at += length or 1
    return {phrase: found[phrase] for phrase in phrases if phrase in found}


def _check(weights: dict[str, float], per_words: int) -> None:
    if not weights:
        raise Halt("`weights` is empty")
    if isinstance(per_words, bool) or not isinstance(per_words, int) or per_words < 0:
        raise Halt(f"`per_words` is no whole number: {per_words!r}")
    for phrase, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight)
        if not number:
            raise Halt(f"the weight of {phrase!r} is no number: {weight!r}")
        if not isinstance(phrase, str) or not any(pieces(phrase)):
            raise Halt(f"`weights` holds {phrase!r}, which is no word")
