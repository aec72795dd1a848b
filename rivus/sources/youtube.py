"""The strategy `youtube_channel`: the newest videos from the channel's feed, older ones from its page.

The feed is one small request for the 15 newest videos, but it fails at times (404 for a channel that exists). The
page is read by yt-dlp, lazily: when the feed fails, and when the feed may not reach back to what is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, Outcome, RetryLater, SourceBlocked
from rivus.net.guard import guarding
from rivus.net.ytdlp import open_ytdlp, translate
from rivus.sources import conditional, dates
from rivus.sources.addresses import web_address
from rivus.sources.keys import block, one_line
from rivus.sources.syndication import LONGEST_SUMMARY, Entry, parse, plain

LISTING_SECONDS = 120.0
LISTING_TRIES = 3
"""Looks in a row that try to list the older videos before that is given up."""
_NOTHING: Json = {"what": "", "tries": 0}
_CHANNEL = re.compile(r"UC[\w-]{22}", re.ASCII)
_VIDEO = re.compile(r"[\w-]{11}", re.ASCII)


def youtube_channel(
    look: Look,
    *,
    channel: str,
    base_url: str = "https://www.youtube.com",
    tab: Literal["videos", "shorts", "streams"] = "videos",
    max_items: int = 500,
) -> Iterator[Found]:
    """The videos of a channel, the newest first.

        discover: {strategy: youtube_channel, channel: UCsXVk37bltHxD1rDPwtNM8Q, limit: youtube, every: 1h}

    channel:   the channel's id, 24 characters that begin with UC (not its @handle).
    base_url:  where YouTube is.
    tab:       what part of the channel's page is read for older ones: videos, shorts or streams.
    max_items: how many videos one look takes at most.

    The key is the video's id. The data has id, url, title, and what there is of channel, author, published,
    updated (UTC), description, views.
    Raises RetryLater with both reasons if neither the feed nor the page can be read, SourceBlocked if the page
    says so, Halt for a channel that is no id.
    """
    place = _Place(_channel_id(channel), web_address(base_url, "base_url").rstrip("/"), tab, max_items)
    try:
        entries = _from_feed(look, place)
    except Outcome as error:
        feed_error: Outcome | None = error
        entries = []
    else:
        feed_error = None
    # Asked before anything is yielded: what was yielded is known from then on.
    wanted = _wanted(look, entries, feed_error)
    yield from entries[:max_items]
    if wanted["what"]:
        yield from _from_page(look, place, wanted, {found.key for found in entries}, feed_error)
    look.cursor.setdefault("older", dict(_NOTHING))


@dataclass(frozen=True, slots=True)
class _Place:
    channel: str
    base: str
    tab: str
    most: int

    @property
    def feed(self) -> str:
        return f"{self.base}/feeds/videos.xml?channel_id={self.channel}"

    @property
    def page(self) -> str:
        return f"{self.base}/channel/{self.channel}/{self.tab}"

    def found(self, video: str, more: Json) -> Found | None:
        if not _VIDEO.fullmatch(video):
            return None
        data = {"id": video, "url": f"{self.base}/watch?v={video}", "channel": self.channel, **more}
        return Found(video, {name: value for name, value in data.items() if value not in (None, "")})


def _channel_id(channel: str) -> str:
    if not _CHANNEL.fullmatch(channel):
        raise Halt(f"channel: {channel!r} is not a channel's id (24 characters that begin with UC, not the @handle)")
    return channel


def _wanted(look: Look, entries: list[Found], feed_error: Outcome | None) -> Json:
    """What is to be read from the page: `all` at the first look, a `gap` up to what is known, or nothing.

    A listing that failed stays wanted for some looks, for later nothing else would show that videos are missing.
    """
    before = look.cursor.get("older")
    if not isinstance(before, dict) or before.keys() != _NOTHING.keys():
        return {"what": "all", "tries": 0}
    gap = bool(entries) and not any(look.known(found.key) for found in entries)
    if before["what"] or not (gap or feed_error):
        return before
    return {"what": "gap", "tries": 0}


def _from_feed(look: Look, place: _Place) -> list[Found]:
    """The videos in the feed; none if it is unchanged."""
    response = conditional.get(look, place.feed)
    if response is None:
        return []
    feed = parse(response.content, response.headers.get("Content-Type", ""), place.feed)
    if not feed.flaw:
        conditional.remember(look, place.feed, response)
    return [found for found in (_from_entry(entry, place) for entry in feed.entries) if found]


def _from_entry(entry: Entry, place: _Place) -> Found | None:
    """The video of a feed's entry. The feed's own channel id lacks its UC in places, so the one asked for counts."""
    views = str((entry.raw.get("media_statistics") or {}).get("views", ""))
    more = {name: entry.data.get(name) for name in ("title", "published", "updated", "author")}
    more["description"] = entry.data.get("summary")
    more["views"] = int(views) if views.isdecimal() else None
    return place.found(one_line(entry.raw.get("yt_videoid")), more)


def _from_page(
    look: Look, place: _Place, wanted: Json, in_feed: set[str], feed_error: Outcome | None
) -> Iterator[Found]:
    """What the page has beyond the feed. Its failure is the look's only if the feed has failed as well."""
    # After a failure the newest are known and the gap lies behind them.
    stop = wanted["what"] == "gap" and not wanted["tries"]
    listed, error = _list_page(look, place, in_feed, stop_at_known=stop)
    yield from listed
    tries = wanted["tries"] + 1
    if error is None:
        look.cursor["older"] = dict(_NOTHING)
    elif feed_error is not None:
        both = f"feed: {feed_error}; page: {error}"
        raise SourceBlocked(both, error.until) if isinstance(error, SourceBlocked) else RetryLater(both)
    else:
        look.cursor["older"] = {"what": wanted["what"], "tries": tries} if tries < LISTING_TRIES else dict(_NOTHING)
        look.log.warning("older videos cannot be listed (try %d of %d): %s", tries, LISTING_TRIES, error)


def _list_page(
    look: Look, place: _Place, in_feed: set[str], *, stop_at_known: bool
) -> tuple[list[Found], Outcome | None]:
    """The page's unknown videos, those before a failure included, and that failure."""
    listed: list[Found] = []
    options = {"extract_flat": True, "lazy_playlist": True, "skip_download": True}
    try:
        with guarding(look.private_hosts, LISTING_SECONDS), open_ytdlp(options) as ydl:
            info: Any = ydl.extract_info(place.page, download=False, process=False)
            for found in (_from_listing(entry, place) for entry in islice(_entries(info), place.most)):
                if found is None or found.key in in_feed:
                    continue
                if not look.known(found.key):
                    listed.append(found)
                elif stop_at_known:
                    break
    except Exception as error:  # noqa: BLE001 - extractors raise anything
        return listed, translate(error)
    return listed, None


def _entries(info: Any) -> Iterator[Any]:
    if not isinstance(info, dict) or info.get("_type") not in ("playlist", "multi_video"):
        raise RetryLater("the channel's page is no list of videos")
    return iter(info.get("entries") or ())


def _from_listing(entry: Any, place: _Place) -> Found | None:
    if not isinstance(entry, dict):
        return None
    more = {
        "title": plain(entry.get("title")),
        "published": dates.from_seconds(entry.get("timestamp") or entry.get("release_timestamp")),
        "author": plain(entry.get("uploader") or entry.get("channel")),
        "description": block(entry.get("description"), LONGEST_SUMMARY),
        "views": entry.get("view_count"),
    }
    return place.found(one_line(entry.get("id")), more)
