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
import json, re, sys
pattern, texts = json.load(sys.stdin)
search = re.compile(pattern).search
json.dump([bool(search(text)) for text in texts], sys.stdout)
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
    compiled(pattern)
    question = json.dumps([pattern, texts]).encode()
    try:
        with Program([sys.executable, "-I", "-S", "-c", _CHILD], cwd=Path("/"), question=question) as child:
            answer = child.output(SECONDS)
    except TimeoutError:
        raise Halt(f"pattern: {pattern!r} takes too long (nested repetitions such as (a+)+ do)") from None
    if child.code:
        raise Halt(f"pattern: {pattern!r} cannot be tried: {child.last_line}")
    return {text for text, found in zip(texts, json.loads(answer), strict=True) if found}
