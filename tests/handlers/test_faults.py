"""Each bad server of the recorded world against each handler that asks the network: the right outcome, in time."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers import finnhub, http, sec, video, youtube
from rivus.handlers.article import article
from rivus.handlers.selected import fields
from rivus.handlers.web import page
from rivus.model.outcome import Halt, ItemFailed, RetryLater, SourceBlocked
from rivus.net.session import open_session
from tests.conftest import World
from tests.faults import ENDLESS, FAILED, LATER, OUTCOMES, Kinds, told
from tests.faults import bad_world as bad_world
from tests.handlers.conftest import FakeContext
from tests.site import Site

PAGES: dict[str, Callable[..., Any]] = {
    "web.page": page,
    "web.article": lambda item, ctx: article(item, ctx, min_text=100),
    "web.fields": lambda item, ctx: fields(item, ctx, fields={"price": {"select": ".price", "required": True}}),
    "http.json": lambda item, ctx: http.get_json(item, ctx, into="x"),
    "sec.filing": lambda item, ctx: sec.filing(item, ctx, user_agent="Ada Smith ada@example.org"),
    "http.download": lambda item, ctx: http.download(item, ctx, max_mb=1),
}
VIDEOS = {"youtube.captions": youtube.captions, "youtube.info": video.info, "youtube.audio": video.audio}
FINNHUB = {"finnhub.quote": finnhub.quote, "finnhub.company": finnhub.company, "finnhub.surprises": finnhub.surprises}
YOUTUBE: dict[str, Kinds] = {"empty": FAILED, "403": (RetryLater,), "503": (SourceBlocked, RetryLater)}
"""What yt-dlp hides, or knows better."""
DONE: Kinds = (None,)
OTHERS: dict[tuple[str, str], Kinds] = {
    ("web.page", "login"): DONE, ("http.download", "login"): DONE, ("http.download", "notjson"): DONE,
    ("http.json", "login"): LATER, ("http.json", "notjson"): LATER, ("sec.filing", "403"): (SourceBlocked,),
}  # fmt: skip
"""A file of any kind is a file; the page of a login is for `expect:` to find."""
TOKENS: dict[str, Kinds] = {"401": (Halt,), "403": (Halt,), "notjson": LATER, "login": LATER}


def outcome(
    handler: Callable[..., Any], item: dict[str, Any], folder: Path, seconds: float, **more: Any
) -> type[Exception] | None:
    ctx = FakeContext(folder)
    ctx.timeout, ctx.http = seconds, open_session(ctx.private_hosts, total=seconds)
    try:
        assert handler(item, ctx, **more)
    except Exception as error:
        assert "\n" not in str(error) and len(str(error)) < 1_000 and "Traceback" not in str(error)
        return type(error)
    return None


def outcomes(
    pages: dict[str, Callable[..., Any]], url: str, base: str, folder: Path, seconds: float = 20
) -> dict[str, type[Exception] | None]:
    """How each handler ends: those of `pages` on `url`, those of Finnhub on `base`, all at once."""
    with ThreadPoolExecutor(20) as pool:
        tries = {name: pool.submit(outcome, each, {"url": url}, folder / name, seconds) for name, each in pages.items()}
        for name, each in FINNHUB.items():
            tries[name] = pool.submit(outcome, each, {"symbol": "A"}, folder / name, seconds, base_url=base)
    return {name: each.result() for name, each in tries.items()}


def expected(name: str, kind: str) -> Kinds:
    if name in FINNHUB:
        return TOKENS.get(kind, OUTCOMES[kind])
    if name in VIDEOS:
        return YOUTUBE.get(kind, OUTCOMES[kind])
    return OTHERS.get((name, kind), OUTCOMES[kind])


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_bad_server_gives_every_handler_the_right_outcome_in_time(
    bad_world: World, tmp_path: Path, kind: str
) -> None:
    bad_world.post(faults=told("/api/", kind, len(FINNHUB)))
    # yt-dlp takes its time to start, and what it makes of a status is tested with `rivus.net.ytdlp`.
    pages = PAGES if kind.isdigit() and kind not in YOUTUBE else PAGES | VIDEOS
    started = time.monotonic()
    found = outcomes(pages, f"{bad_world.url}/fault/{kind}", bad_world.url, tmp_path, 0.5 if kind in ENDLESS else 20)
    assert time.monotonic() - started < 20
    assert {name: each for name, each in found.items() if each not in expected(name, kind)} == {}


def test_an_answer_that_unpacks_to_more_than_fits_fails_the_item(site: Site, tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(30_000_000))
    paths = ["/bomb", *(f"/api/v1/{path}" for path in ("quote", "stock/profile2", "stock/earnings"))]
    urls = [site.put(path, bomb, Content_Encoding="gzip") for path in paths]
    found = outcomes(PAGES | VIDEOS, urls[0], site.url, tmp_path)
    assert set(found.values()) == {ItemFailed}
