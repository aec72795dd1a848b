"""Every bad server of the recorded world against every strategy that asks an interface: an outcome, soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rivus.model.outcome import Halt, ItemFailed, RetryLater, SourceBlocked
from rivus.sources.github import github_releases
from rivus.sources.hackernews import hackernews
from rivus.sources.json_api import json_api
from rivus.sources.reddit import reddit
from tests.conftest import World
from tests.faults import ENDLESS, OUTCOMES, Kinds, told
from tests.faults import bad_world as bad_world

from .conftest import FakeLook

ASKED: dict[str, tuple[str, Callable[[FakeLook, str], Any]]] = {
    "json_api": ("/files", lambda look, url: json_api(look, url=f"{url}/files/github_json/releases.json")),
    "hackernews": ("/v0/topstories", lambda look, url: hackernews(look, base_url=url)),
    "hackernews item": ("/v0/item", lambda look, url: hackernews(look, base_url=url)),
    "hackernews search": ("/api", lambda look, url: hackernews(look, search="x", search_url=url)),
    "reddit": ("/r/", lambda look, url: reddit(look, subreddits=["askreddit"], base_url=url)),
    "github_releases": ("/repos", lambda look, url: github_releases(look, repos=["o/r"], base_url=url)),
}
NO_JSON: dict[str, Kinds] = dict.fromkeys(("empty", "notjson", "login", "short"), (RetryLater,))
OWN: dict[str, dict[str, Kinds]] = {"reddit": {"403": (SourceBlocked,)}, "github_releases": {"404": (Halt,)}}
"""Where these say more by a status than others do."""


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_bad_server_is_an_outcome_soon(tmp_path: Path, bad_world: World, name: str, kind: str) -> None:
    prefix, ask = ASKED[name]
    right = OWN.get(name, {}).get(kind) or NO_JSON.get(kind) or OUTCOMES[kind]
    bad_world.post(faults=told(prefix, kind, 1))
    look = FakeLook(tmp_path, total=0.1 if kind in ENDLESS else 10.0)
    started = time.monotonic()
    with pytest.raises((Halt, ItemFailed, RetryLater, SourceBlocked)) as raised:
        list(ask(look, bad_world.url))
    assert type(raised.value) in right
    assert look.cursor == {} and time.monotonic() - started < 5


@pytest.mark.parametrize("name", ASKED)
def test_an_answer_that_is_too_large_is_refused(tmp_path: Path, bad_world: World, name: str) -> None:
    prefix, ask = ASKED[name]
    bad_world.post(faults=[{"prefix": prefix, "count": 1, "status": 200, "body": "[" + "1," * 40_000 + "1]"}])
    with pytest.raises(ItemFailed, match="larger than"):
        list(ask(FakeLook(tmp_path, max_bytes=50_000), bad_world.url))
