"""The bad servers of the recorded world (`/fault/KIND`), and how a try ends that asks one by `rivus.net.session`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest

from rivus.model.outcome import ItemFailed, RetryLater, SourceBlocked
from tests.conftest import World, serving

Kinds: TypeAlias = tuple[type[Exception] | None, ...]
"""Outcomes that are right; None: it is done."""
LATER: Kinds = (RetryLater, TimeoutError)
FAILED: Kinds = (ItemFailed,)
OUTCOMES: dict[str, Kinds] = {
    "hang": LATER, "trickle": LATER, "reset": LATER, "short": LATER, "loop": (RetryLater, ItemFailed),
    "private": FAILED, "empty": LATER, "notjson": FAILED, "login": FAILED,
    "400": FAILED, "401": FAILED, "403": FAILED, "404": FAILED, "408": LATER, "410": FAILED, "425": LATER,
    "429": (SourceBlocked,), "451": FAILED, "500": LATER, "502": LATER, "503": (SourceBlocked,), "504": LATER,
    "599": LATER,
}  # fmt: skip
"""Without `bomb`, which costs the world a second of work each time: `site` can serve one."""
ENDLESS = ("hang", "trickle")
"""Those that only a time limit ends."""


@pytest.fixture(scope="module")
def bad_world(shared: Any) -> Iterator[World]:
    """The recorded world once for all tests of a module, which do not change it for each other."""
    yield from serving(shared)


def told(prefix: str, kind: str, count: int) -> list[dict[str, Any]]:
    """What `World.post(faults=…)` takes to have the next `count` requests below `prefix` meet that fault."""
    if not kind.isdigit():
        return [{"prefix": prefix, "count": count, "kind": kind}]
    headers = {"Retry-After": "2"} if kind in ("429", "503") else {}
    return [{"prefix": prefix, "count": count, "status": int(kind), "headers": headers}]
