"""What YouTube shows of a channel, a playlist or a search: its feed, if it has one, and the page that yt-dlp lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rivus.model.context import Found, Look
from rivus.model.outcome import Json, Outcome, RetryLater, SourceBlocked
from rivus.net.guard import guarding
from rivus.net.ytdlp import open_ytdlp, translate
from rivus.sources import conditional, dates
from rivus.sources.keys import block, one_line
from rivus.sources.syndication import LONGEST_SUMMARY, Entry, parse, plain

LISTING_SECONDS = 120.0
_VIDEO = re.compile(r"[\w-]{11}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where videos are listed. base: where YouTube is. feed: the address of the feed, "" if there is none. page: what
    yt-dlp is asked for. told: what the data of each video says of the place. most: how many videos are taken."""

    base: str
    feed: str
    page: str
    told: Json
    most: int
    span: dates.Span

    def found(self, video: str, more: Json) -> Found | None:
        """The video of that id; None for what is no id."""
        if not _VIDEO.fullmatch(video):
            return None
        data = {"id": video, "url": f"{self.base}/watch?v={video}", **self.told, **more}
        return Found(video, {name: value for name, value in data.items() if value not in (None, "")})


def read_feed(look: Look, place: Place) -> list[Found]:
    """The videos in the feed; none if it is unchanged."""
    response = conditional.get(look, place.feed, span=place.span)
    if response is None:
        return []
    feed = parse(response.content, response.headers.get("Content-Type", ""), place.feed)
    if not feed.flaw:
        conditional.remember(look, place.feed, response, place.span)
    return [found for found in (_from_entry(entry, place) for entry in feed.entries) if found]


def _from_entry(entry: Entry, place: Place) -> Found | None:
    """The video of a feed's entry. The feed's own channel id lacks its UC in places, so the one asked for counts."""
    raw = entry.raw or {}
    views = str((raw.get("media_statistics") or {}).get("views", ""))
    more = {name: entry.data.get(name) for name in ("title", "published", "updated", "author")}
    more["description"] = entry.data.get("summary")
    more["views"] = int(views) if views.isdecimal() else None
    return place.found(one_line(raw.get("yt_videoid")), more)


def list_page(
    look: Look, place: Place, in_feed: set[str], *, stop_at_known: bool
) -> tuple[list[Found], Outcome | None]:
    """The page's unknown videos, those before a failure included, and that failure."""
    listed: list[Found] = []
    options: Json = {"extract_flat": True, "lazy_playlist": True, "skip_download": True}
    if not place.span.open:
        options["extractor_args"] = {"youtubetab": {"approximate_date": [""]}}
    try:
        with guarding(look.private_hosts, LISTING_SECONDS), open_ytdlp(options) as ydl:
            info: Any = ydl.extract_info(place.page, download=False, process=False)
            inside = (entry for entry in _entries(info) if place.span.holds(_listed_date(entry)))
            for found in (_from_listing(entry, place) for entry in islice(inside, place.most)):
                if found is None or found.key in in_feed:
                    continue
                if not look.known(found.key):
                    listed.append(found)
                elif stop_at_known:
                    break
    except Exception as error:  # noqa: BLE001 - extractors raise anything
        return listed, translate(error)
    return listed, None


def both_failed(feed: Outcome, page: Outcome) -> Outcome:
    """The outcome of a look whose feed and page have both failed, with both reasons."""
    both = f"feed: {feed}; page: {page}"
    blocked = next((each for each in (page, feed) if isinstance(each, SourceBlocked)), None)
    return SourceBlocked(both, blocked.until) if blocked else RetryLater(both)


def _entries(info: Any) -> Iterator[Any]:
    if not isinstance(info, dict) or info.get("_type") not in ("playlist", "multi_video"):
        raise RetryLater("the page is no list of videos")
    return iter(info.get("entries") or ())


def _from_listing(entry: Any, place: Place) -> Found | None:
    if not isinstance(entry, dict):
        return None
    more = {
        "title": plain(entry.get("title")),
        # One that is good enough to choose by is not good enough to be told.
        "published": _listed_date(entry) if place.span.open else None,
        "author": plain(entry.get("uploader") or entry.get("channel")),
        "description": block(entry.get("description"), LONGEST_SUMMARY),
        "views": entry.get("view_count"),
    }
    return place.found(one_line(entry.get("id")), more)


def _listed_date(entry: Any) -> str | None:
    """When a video of the page was published: roughly, if the page was asked for such dates."""
    if not isinstance(entry, dict):
        return None
    return dates.from_seconds(entry.get("timestamp") or entry.get("release_timestamp"))
