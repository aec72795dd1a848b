"""The strategy `youtube_channel`: the newest videos from the channel's feed, older ones from its page.

The feed is one small request for the 15 newest videos, but it fails at times (404 for a channel that exists). The
page is read by yt-dlp, lazily: when the feed fails, and when the feed may not reach back to what is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, Outcome
from rivus.sources import dates
from rivus.sources.addresses import web_address
from rivus.sources.youtube_page import Place, both_failed, list_page, read_feed

LISTING_TRIES = 3
"""Looks in a row that try to list the older videos before that is given up."""
_NOTHING: Json = {"what": "", "tries": 0}
_CHANNEL = re.compile(r"UC[\w-]{22}", re.ASCII)


def youtube_channel(
    look: Look,
    *,
    channel: str,
    base_url: str = "https://www.youtube.com",
    tab: Literal["videos", "shorts", "streams"] = "videos",
    max_items: int = 500,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The videos of a channel, the newest first.

        discover: {strategy: youtube_channel, channel: UCsXVk37bltHxD1rDPwtNM8Q, limit: youtube, every: 1h}

    channel:   the channel's id, 24 characters that begin with UC (not its @handle).
    base_url:  where YouTube is.
    tab:       what part of the channel's page is read for older ones: videos, shorts or streams.
    max_items: how many videos one look takes at most.
    since:     only videos published from this date or moment on (ISO 8601, UTC); until: only earlier ones. The page
               dates its videos roughly ("2 years ago") and shorts not at all; what has no date is left out.

    The key is the video's id. The data has id, url, title, and what there is of channel, author, published,
    updated (UTC), description, views.
    Raises RetryLater with both reasons if neither the feed nor the page can be read, SourceBlocked if the page
    says so, Halt for a channel that is no id and a span that is none.
    """
    span = dates.span_of(since, until)
    place = _place(_channel_id(channel), web_address(base_url, "base_url").rstrip("/"), tab, max_items, span)
    try:
        entries, beyond = _split(read_feed(look, place), span)
    except Outcome as error:
        feed_error: Outcome | None = error
        entries, beyond = [], False
    else:
        feed_error = None
    # Asked before anything is yielded: what was yielded is known from then on.
    wanted = dict(_NOTHING) if beyond else _wanted(look, entries, feed_error)
    yield from entries[:max_items]
    if wanted["what"]:
        yield from _from_page(look, place, wanted, {found.key for found in entries}, feed_error)
    look.cursor.setdefault("older", dict(_NOTHING))


def _place(channel: str, base: str, tab: str, most: int, span: dates.Span) -> Place:
    feed, page = f"{base}/feeds/videos.xml?channel_id={channel}", f"{base}/channel/{channel}/{tab}"
    return Place(base, feed, page, {"channel": channel}, most, span)


def _channel_id(channel: str) -> str:
    if not _CHANNEL.fullmatch(channel):
        raise Halt(f"channel: {channel!r} is not a channel's id (24 characters that begin with UC, not the @handle)")
    return channel


def _split(entries: list[Found], span: dates.Span) -> tuple[list[Found], bool]:
    """The videos of the span, and whether the feed goes back beyond it: then the page has no more of them."""
    inside = [found for found in entries if span.holds(found.data.get("published"))]
    moments = [dates.moment_of(found.data.get("published")) for found in entries]
    return inside, span.since is not None and any(moment < span.since for moment in moments if moment)


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


def _from_page(
    look: Look, place: Place, wanted: Json, in_feed: set[str], feed_error: Outcome | None
) -> Iterator[Found]:
    """What the page has beyond the feed. Its failure is the look's only if the feed has failed as well."""
    # After a failure the newest are known and the gap lies behind them.
    stop = wanted["what"] == "gap" and not wanted["tries"]
    listed, error = list_page(look, place, in_feed, stop_at_known=stop)
    yield from listed
    tries = wanted["tries"] + 1
    if error is None:
        look.cursor["older"] = dict(_NOTHING)
    elif feed_error is not None:
        raise both_failed(feed_error, error)
    else:
        look.cursor["older"] = {"what": wanted["what"], "tries": tries} if tries < LISTING_TRIES else dict(_NOTHING)
        look.log.warning("older videos cannot be listed (try %d of %d): %s", tries, LISTING_TRIES, error)
