"""The strategies `youtube_playlist` and `youtube_search`: what yt-dlp lists, without opening a video."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Outcome
from rivus.sources import dates
from rivus.sources.addresses import web_address
from rivus.sources.keys import is_fit
from rivus.sources.youtube_page import Place, both_failed, list_page, read_feed

_PLAYLIST = re.compile(r"(PL|UU|FL|OL|LL|RD)[\w-]{10,80}", re.ASCII)
LONGEST_QUERY = 500
MOST_SEARCHED = 1_000


def youtube_playlist(
    look: Look,
    *,
    playlist: str,
    base_url: str = "https://www.youtube.com",
    max_items: int = 500,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The videos of a playlist: the 15 of its feed, then the others of its page.

        discover: {strategy: youtube_playlist, playlist: PLFs4vir_WsTwEd-nJgVJCZPNL3HALHHpF, limit: youtube, every: 6h}

    playlist:  the playlist's id (`list=` in its address).
    base_url:  where YouTube is.
    max_items: how many videos one look takes at most.
    since:     only videos published from this date or moment on (ISO 8601, UTC); until: only earlier ones. The page
               dates its videos roughly ("2 years ago") or not at all; what has no date is left out.

    Videos can be added at any place, so the page is read at each look. Key and data are those of `youtube_channel`,
    with playlist instead of channel.
    Raises RetryLater with both reasons if neither the feed nor the page can be read, SourceBlocked if the page says
    so, Halt for a playlist that is no id and a span that is none.
    """
    span = dates.span_of(since, until)
    if not _PLAYLIST.fullmatch(playlist):
        raise Halt(f"playlist: {playlist[:100]!r} is not a playlist's id (PL…, UU…)")
    base = web_address(base_url, "base_url").rstrip("/")
    feed, page = f"{base}/feeds/videos.xml?playlist_id={playlist}", f"{base}/playlist?list={playlist}"
    place = Place(base, feed, page, {"playlist": playlist}, max_items, span)
    feed_error: Outcome | None = None
    entries: list[Found] = []
    try:
        entries = [found for found in read_feed(look, place) if span.holds(found.data.get("published"))][:max_items]
    except Outcome as error:
        feed_error = error
    yield from entries
    listed, page_error = list_page(look, place, {found.key for found in entries}, stop_at_known=False)
    yield from listed[: max_items - len(entries)]
    if page_error is None:
        return
    if feed_error is not None:
        raise both_failed(feed_error, page_error)
    look.log.warning("only the 15 videos of the feed were read: %s", page_error)


def youtube_search(
    look: Look,
    *,
    query: str,
    max_items: int = 50,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The videos that a search on YouTube finds, the most relevant first (YouTube has given up the order by date).

        discover: {strategy: youtube_search, query: "ipo filing", max_items: 20, limit: youtube, every: 6h}

    query:     what is searched for.
    max_items: how many videos one look takes at most.
    since:     only videos published from this date or moment on (ISO 8601, UTC); until: only earlier ones. The search
               dates its videos roughly ("2 years ago"); what has no date is left out.

    Key and data are those of `youtube_channel`, with query instead of channel. A search that finds nothing is warned
    of. Raises SourceBlocked and RetryLater as YouTube answers, Halt for an empty query and a span that is none.
    """
    span = dates.span_of(since, until)
    if not query.strip() or not is_fit(query) or len(query) > LONGEST_QUERY:
        raise Halt(f"query: {query[:100]!r} is not something to search for")
    # How many it gives is bounded by the place: what is outside of the span does not count.
    search = f"ytsearch{max_items if span.open else MOST_SEARCHED}:{query}"
    place = Place("https://www.youtube.com", "", search, {"query": query}, max_items, span)
    listed, error = list_page(look, place, set(), stop_at_known=False)
    yield from listed
    if error is not None:
        raise error
    if not listed and not look.cursor:
        look.log.warning("%r finds nothing", query)
    look.cursor["searched"] = True
