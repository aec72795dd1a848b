"""Every file of every kind of recorded payloads through what reads its kind: sensible items, or an outcome that says
why; never another error, and never nothing without a word. (Articles: `tests/handlers/test_article.py`.)"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers import http
from rivus.handlers.selected import fields
from rivus.handlers.web import page
from rivus.model.context import Found
from rivus.model.outcome import Json, Outcome
from rivus.sources import finnhub
from rivus.sources.feed import feed
from rivus.sources.github import github_releases
from rivus.sources.json_api import json_api
from rivus.sources.keys import LONGEST_KEY, is_fit
from rivus.sources.podcast import podcast
from rivus.sources.reddit import reddit
from rivus.sources.sec import sec_daily, sec_filings
from rivus.sources.sitemap import sitemap
from rivus.sources.web import web_links
from rivus.sources.web_change import web_change
from rivus.sources.web_table import web_table
from tests.handlers.conftest import FakeContext
from tests.site import Site
from tests.site import site as site
from tests.sources.conftest import FakeLook

AGENT = "Ada Smith ada@example.org"
KINDS = {
    ".xml": "text/xml",
    ".json": "application/json",
    ".html": "text/html",
    ".htm": "text/html",
    ".gz": "application/gzip",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|&(?:amp|lt|gt|quot|apos|nbsp|#\d+|#x[0-9a-fA-F]+);")

Source = Callable[[FakeLook, str], Iterable[Found]]
Handler = Callable[[Json, FakeContext], Json]
SOURCES: dict[str, list[Source]] = {
    "feed": [lambda look, url: feed(look, url=url), lambda look, url: podcast(look, url=url)],
    "page": [
        lambda look, url: web_links(look, url=url, robots="ignore"),
        lambda look, url: web_table(look, url=url, robots="ignore"),
        lambda look, url: web_change(look, url=url, first="item", robots="ignore"),
    ],
    "sitemap": [lambda look, url: sitemap(look, url=url, robots="ignore")],
    "json": [
        lambda look, url: json_api(look, url=url),
        lambda look, url: json_api(look, url=url, items="data.children"),
    ],
    "reddit": [lambda look, url: reddit(look, url=url, over_18=True)],
    "github": [lambda look, url: github_releases(look, repos=["o/r"], base_url=url)],
    "finnhub": [
        lambda look, url: finnhub.finnhub_calendar(look, base_url=url, since="2020-01-01"),
        lambda look, url: finnhub.finnhub_ipo(look, base_url=url, since="2020-01-01"),
        lambda look, url: finnhub.finnhub_news(look, symbols=["AAPL"], base_url=url, since="2020-01-01"),
        lambda look, url: finnhub.finnhub_insider(look, symbols=["AAPL"], base_url=url, since="2020-01-01"),
    ],
    "sec": [
        lambda look, url: sec_daily(look, user_agent=AGENT, base_url=url, since="2018-12-31", until="2019-01-01"),
        lambda look, url: sec_filings(look, user_agent=AGENT, ciks=["0000320193"], base_url=url),
    ],
}
TEXTS: list[Handler] = [
    page,
    lambda item, ctx: fields(
        item, ctx, fields={"title": "title", "links": {"select": "a", "type": "url", "many": True}}
    ),
]


def answer(item: Json, ctx: FakeContext) -> Json:
    """What the site itself has put into its JSON is not ours to judge."""
    return {"x": str(http.get_json(item, ctx, into="x")["x"])}


READ: dict[str, tuple[list[Source], list[Handler]]] = {
    "feeds": (SOURCES["feed"], []), "feeds_ugly": (SOURCES["feed"], []), "youtube_feeds": (SOURCES["feed"], []),
    "html_lists": (SOURCES["page"], TEXTS), "html_articles": (SOURCES["page"], TEXTS),
    "sitemaps": (SOURCES["sitemap"], []), "robots": (SOURCES["sitemap"], TEXTS[:1]),
    "hackernews": (SOURCES["json"], [answer]), "github_json": (SOURCES["github"] + SOURCES["json"], []),
    "reddit_json": (SOURCES["reddit"] + SOURCES["json"], []), "finnhub": (SOURCES["finnhub"] + SOURCES["json"], []),
    "sec_edgar": (SOURCES["sec"] + SOURCES["feed"], []), "captions": ([], [http.download]),
    "ytdlp_info": (SOURCES["json"], [answer]), "youtube_player_status": (SOURCES["json"], [answer]),
}  # fmt: skip

LEAST = {
    "feeds": 800, "feeds_ugly": 9, "youtube_feeds": 100, "html_lists": 1_500, "html_articles": 2_800,
    "sitemaps": 170, "robots": 5, "hackernews": 4, "github_json": 10, "reddit_json": 280, "finnhub": 15,
    "sec_edgar": 10, "captions": 12, "ytdlp_info": 2, "youtube_player_status": 2,
}  # fmt: skip
"""Items and outputs of all files of a kind together."""
EMPTY = {"stream_poll_3.json", "calendar_earnings_empty.json"}
"""Good answers that there is nothing."""


def served(site: Site, file: Path) -> str:
    """The address of a site at which every path answers as it was recorded."""
    side = file.with_name(f"{file.name}.headers.json")
    known = json.loads(side.read_text()) if side.exists() else {}
    kind = {name.lower(): value for name, value in (known.get("headers") or {}).items()}.get("content-type")
    body, kind = file.read_bytes(), kind or KINDS.get(file.suffix, "text/plain")
    site.before = lambda path: site.put(path, body, known.get("status") or 200, kind=kind)
    return site.url


def flaws(found: list[Found]) -> Iterator[str]:
    """What is wrong with items."""
    told: dict[str, Json] = {}
    for one in found:
        if not one.key or not is_fit(one.key) or len(one.key) > LONGEST_KEY:
            yield f"key {one.key!r}"
        if told.setdefault(one.key, one.data).get("url") != one.data.get("url"):
            yield f"two things have the key {one.key!r}"
        yield from wrong_fields(one.data)


def wrong_fields(data: Json) -> Iterator[str]:
    json.dumps(data, allow_nan=False).encode()
    if not data:
        yield "nothing"
    for name in ("published", "updated", "filed_at"):
        if name in data and not plausible(data[name]):
            yield f"{name} {data[name]!r}"
    for name in ("url", "document", "index"):
        if name in data and not re.fullmatch(r"https?://[^/\s]+\S*", str(data[name])):
            yield f"{name} {data[name]!r}"
    title = data.get("title", "")
    if not is_fit(title) or MARKUP.search(title) or "\ufffd" in title:
        yield f"title {title!r}"


def plausible(moment: Any) -> bool:
    if not isinstance(moment, str) or not MOMENT.fullmatch(moment):
        return False
    return datetime(1980, 1, 1, tzinfo=UTC) < datetime.fromisoformat(moment) < datetime.now(UTC) + timedelta(days=367)


@pytest.mark.parametrize("kind", READ)
def test_each_file_gives_sensible_items_or_a_reason(
    shared: Path, site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    sources, handlers = READ[kind]
    wrong: list[str] = []
    read = 0
    for file in recorded(shared, kind):
        url = f"{served(site, file)}/{file.name}"
        for source in sources:
            caplog.clear()
            try:
                found = list(source(FakeLook(tmp_path), url))
            except Outcome as outcome:
                wrong += [f"{file.name}: {outcome!r}"] if not str(outcome) or "\n" in str(outcome) else []
                continue
            if not found and not caplog.records and file.name not in EMPTY:
                wrong.append(f"{file.name}: nothing, without a word")
            wrong += [f"{file.name}: {flaw}" for flaw in flaws(found)]
            read += len(found)
        for number, handler in enumerate(handlers):
            try:
                output = handler({"url": url}, FakeContext(tmp_path / file.name / str(number)))
            except Outcome as outcome:
                wrong += [f"{file.name}: {outcome!r}"] if not str(outcome) or "\n" in str(outcome) else []
                continue
            wrong += [f"{file.name}: {flaw}" for flaw in wrong_fields(output)]
            read += 1
    assert wrong == []
    assert read >= LEAST[kind]


def recorded(shared: Path, kind: str) -> list[Path]:
    return [file for file in sorted((shared / "data" / kind).iterdir()) if not file.name.endswith(".headers.json")]


def test_every_kind_is_read(shared: Path) -> None:
    assert {folder.name for folder in (shared / "data").iterdir() if folder.is_dir()} == READ.keys() == LEAST.keys()
