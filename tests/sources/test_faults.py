"""Every bad server against every strategy that reads the web: an outcome, soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Outcome, RetryLater, SourceBlocked
from rivus.sources.podcast import podcast
from rivus.sources.sitemap import sitemap
from rivus.sources.wayback import wayback
from rivus.sources.web_change import web_change
from rivus.sources.web_table import web_table
from tests.conftest import World, serving

from .conftest import FakeLook

STRATEGIES: dict[str, Callable[[FakeLook, str], Iterator[Any]]] = {
    "podcast": lambda look, url: podcast(look, url=url),
    "sitemap": lambda look, url: sitemap(look, url=url, robots="ignore"),
    "wayback": lambda look, url: wayback(look, url="example.org/*", base_url=url),
    "web_change": lambda look, url: web_change(look, url=url, selector="main", robots="ignore"),
    "web_table": lambda look, url: web_table(look, url=url, robots="ignore"),
}
KINDS = ["401", "404", "429", "500", "503", "hang", "reset", "trickle", "short", "loop", "private", "empty", "notjson",
         "login"]  # fmt: skip
EMPTY_IS_NOTHING = {("wayback", "empty")}


@pytest.fixture(scope="module")
def bad(shared: Path) -> Iterator[World]:
    yield from serving(shared)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_bad_server_is_an_outcome(tmp_path: Path, bad: World, name: str) -> None:
    for kind in KINDS:
        look, began = FakeLook(tmp_path, total=0.15), time.monotonic()
        bad.post(faults=[{"prefix": "/", "kind": kind}])
        if (name, kind) in EMPTY_IS_NOTHING:
            assert list(STRATEGIES[name](look, f"{bad.url}/fault")) == []
            continue
        with pytest.raises(Outcome) as raised:
            list(STRATEGIES[name](look, f"{bad.url}/fault"))
        assert isinstance(raised.value, SourceBlocked) == (kind in ("429", "503")), kind
        assert isinstance(raised.value, RetryLater | SourceBlocked) == (kind not in ("401", "404", "private")), kind
        assert look.cursor == {} and time.monotonic() - began < 5


def test_a_compressed_bomb_is_refused(tmp_path: Path, bad: World) -> None:
    with pytest.raises(Outcome, match="larger than"):
        list(sitemap(FakeLook(tmp_path, max_bytes=100_000), url=f"{bad.url}/fault/bomb", robots="ignore"))
