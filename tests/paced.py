"""For tests that ask a server on loopback in the SEC's place: it bears any number of questions."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves no time between the questions."""
    monkeypatch.setattr("rivus.net.sec.INTERVAL", 0.0)
