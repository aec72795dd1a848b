"""Regular expressions on texts from outside, for a bounded time.

A match cannot be interrupted inside Python, and some expressions take years on the right text. So the matching
is done by a child process, which is ended when its time is over.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from rivus.model.outcome import Halt
from rivus.programs import Program

SECONDS = 5.0
LONGEST_PATTERN = 1_000
_CHILD = """
import itertools, json, re, sys
most, asked = json.load(sys.stdin)
found = (itertools.islice(re.compile(pattern).finditer(text), most) for pattern, text in asked)
json.dump([sum(1 for _ in places) for places in found], sys.stdout)
"""


def compiled(pattern: str) -> re.Pattern[str]:
    """The expression. Raises Halt if it is none."""
    try:
        if len(pattern) > LONGEST_PATTERN:
            raise ValueError(f"longer than {LONGEST_PATTERN} characters")
        return re.compile(pattern)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise Halt(f"pattern: {pattern[:100]!r} is not a regular expression: {error}") from None


def matching(pattern: str, texts: list[str]) -> set[str]:
    """Those of `texts` in which `pattern` is found. Raises Halt if that takes longer than SECONDS."""
    try:
        found = counted([(pattern, text) for text in texts], most=1)
    except TimeoutError:
        raise Halt(f"pattern: {pattern!r} takes too long (nested repetitions such as (a+)+ do)") from None
    return {text for text, places in zip(texts, found, strict=True) if places}


def counted(asked: list[tuple[str, str]], most: int) -> list[int]:
    """In how many places, of at most `most`, each pattern is found in its text.

    Raises Halt for what is no pattern, TimeoutError when all of it takes longer than SECONDS.
    """
    for pattern in {pattern for pattern, _ in asked}:
        compiled(pattern)
    question = json.dumps([most, asked]).encode()
    with Program([sys.executable, "-I", "-S", "-c", _CHILD], cwd=Path("/"), question=question) as child:
        answer = child.output(SECONDS)
    if child.code:
        raise Halt(f"a pattern cannot be tried: {child.last_line}")
    found: list[int] = json.loads(answer)
    return found
