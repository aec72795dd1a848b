from __future__ import annotations

import time

import pytest

from rivus.model.outcome import Halt
from rivus.sources import patterns
from rivus.sources.patterns import matching


def test_texts_that_contain_a_match_are_chosen() -> None:
    assert matching(r"/\d+$", ["x/1", "x/a", "é/22", "x/1\n2"]) == {"x/1", "é/22"}


def test_a_catastrophe_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.3)
    started = time.monotonic()
    with pytest.raises(Halt, match="takes too long"):
        matching("(a+)+$", ["a" * 60 + "b"])
    assert time.monotonic() - started < 5
