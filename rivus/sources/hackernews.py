"""The strategy `hackernews`: Hacker News, by its own interface (https://github.com/HackerNews/API) or the search of
Algolia (https://hn.algolia.com/api)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.net.session import check, fetch
from rivus.sources import conditional
from rivus.sources.addresses import absolute, web_address
from rivus.sources.answer import described, json_of, with_query
from rivus.sources.dates import Span, from_seconds, span_of
from rivus.sources.keys import block, one_line

List: TypeAlias = Literal["top", "new", "best", "ask", "show", "job"]
PAGE = "https://news.ycombinator.com/item?id="
HITS = 100
"""Of one question to the search."""
MOST_QUESTIONS = 1_000
LONGEST_TITLE, LONGEST_TEXT = 1_000, 50_000


def hackernews(
    look: Look,
    *,
    list: List | None = None,
    search: str | None = None,
    tags: str = "story",
    max_items: int = 100,
    base_url: str = "https://hacker-news.firebaseio.com",
    search_url: str = "https://hn.algolia.com",
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The stories of one of Hacker News' lists, or what its search finds, the newest first.

        discover: {strategy: hackernews, search: nvidia, every: 1h}

    list:       top (the default), new, best, ask, show or job. Each unknown story is one request.
    search:     words to search for instead; "" finds everything.
    tags:       what is searched, as Algolia has it: story, comment, ask_hn, show_hn, author_NAME, (story,poll) …
    max_items:  how many are taken from the top of a list, or of what the search finds; a search with `since` takes all.
    base_url:   where the lists are; search_url: where the search is.
    since:      only what was posted from this date or moment on (ISO 8601, UTC); until: only earlier ones. A list shows
                but what is on it now: for the past there is the search.

    The key is the item's number. The data has what there is of url (of a story without a link: its own page), title,
    published, author, score, comments (their number), text (HTML), type, hn_url. Deleted and dead items are passed
    over. Raises Halt for `list` and `search` together, RetryLater for an answer that is no list.
    """
    if list is not None and search is not None:
        raise Halt("list, search: only one of the two")
    span = span_of(since, until)
    if search is None:
        yield from _listed(look, web_address(base_url, "base_url").rstrip("/"), list or "top", max_items, span)
    else:
        address = web_address(search_url, "search_url").rstrip("/") + "/api/v1/search_by_date"
        question = with_query(address, {"query": search, "tags": tags, "hitsPerPage": HITS})
        yield from _searched(look, question, max_items, span)


def _listed(look: Look, base: str, name: str, most: int, span: Span) -> Iterator[Found]:
    url = f"{base}/v0/{name}stories.json"
    response = conditional.get(look, url, accept="application/json", span=span)
    if response is None:
        return
    numbers = json_of(response)
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise RetryLater(f"{url}: not a list of numbers: {described(numbers)}")
    if not numbers:
        look.log.warning("%s lists nothing", url)
    gone = 0
    unknown = [number for number in numbers[:most] if not look.known(str(number))]
    for number in unknown:
        item = json_of(check(fetch(look.http, f"{base}/v0/item/{number}.json")))
        if item is None or (isinstance(item, dict) and (item.get("deleted") or item.get("dead"))):
            gone += 1
        else:
            yield from (found for found in _item(item, number) if span.holds(found.data.get("published")))
    if gone:
        # One that is new is not there yet either: it is asked for again.
        look.log.info("%d of %d unknown items are deleted, dead or not there: passed over", gone, len(unknown))
        conditional.forget(look)
    else:
        conditional.remember(look, url, response, span)


def _item(item: Any, number: int) -> Iterator[Found]:
    if not isinstance(item, dict) or item.get("id") != number:
        raise RetryLater(f"item {number}: the answer is {described(item)}")
    comments = item.get("descendants")
    yield _found(number, item.get("time"), item, author=item.get("by"), score=item.get("score"), comments=comments)


def _searched(look: Look, question: str, most: int, span: Span) -> Iterator[Found]:
    """What the search finds. It shows the first 1,000 only, so each question ends where the last answer did."""
    seen: set[str] = set()
    since = int(span.since.timestamp()) if span.since else None
    last = int(span.until.timestamp()) - 1 if span.until else None
    for _ in range(MOST_QUESTIONS):
        page = _hits(look, question, since, last)
        new = [(found, moment) for found, moment in page if found.key not in seen]
        for found, _moment in new:
            if since is None and len(seen) >= most:
                return
            seen.add(found.key)
            if span.holds(found.data.get("published")):
                yield found
        if len(page) < HITS or (since is None and len(seen) >= most):
            return
        # More than fit into an answer within one second cannot be told apart.
        before, last = last, min(moment for _, moment in page) - (0 if new else 1)
        if not new and before is not None and last >= before:
            raise RetryLater("the search does not go back in time: it gives the same items again")
    raise RetryLater(f"the search finds more than {MOST_QUESTIONS * HITS:,} items: ask for a shorter span")


def _hits(look: Look, question: str, since: int | None, last: int | None) -> list[tuple[Found, int]]:
    bounds = [(">=", since), ("<=", last)]
    filters = ",".join(f"created_at_i{sign}{moment}" for sign, moment in bounds if moment is not None)
    url = with_query(question, {"numericFilters": filters}) if filters else question
    answer = json_of(check(fetch(look.http, url)))
    hits = answer.get("hits") if isinstance(answer, dict) else None
    if not isinstance(hits, list):
        raise RetryLater(f"the search's answer has no hits: {described(answer)}")
    return [_hit(hit) for hit in hits]


def _hit(hit: Any) -> tuple[Found, int]:
    number, moment = (hit.get("objectID"), hit.get("created_at_i")) if isinstance(hit, dict) else (None, None)
    if not re.fullmatch(r"[0-9]{1,18}", str(number)) or type(moment) is not int:
        raise RetryLater(f"a hit without objectID or created_at_i: {described(hit)}")
    tags = hit.get("_tags")
    named = {
        "title": hit.get("title") or hit.get("story_title"), "url": hit.get("url"),
        "text": hit.get("story_text") or hit.get("comment_text"),
        "type": tags[0] if isinstance(tags, list) and tags else None,
    }  # fmt: skip
    author, score, comments = hit.get("author"), hit.get("points"), hit.get("num_comments")
    return _found(int(str(number)), moment, named, author=author, score=score, comments=comments), moment


def _found(number: int, moment: Any, named: Json, **more: Any) -> Found:
    page = f"{PAGE}{number}"
    counts = {name: more[name] if type(more[name]) is int else None for name in ("score", "comments")}
    data: Json = {
        "url": absolute(page, one_line(named.get("url"))) or page,
        "title": one_line(named.get("title"), LONGEST_TITLE),
        "published": from_seconds(moment) if type(moment) is int else None,
        "author": one_line(more["author"], 100), **counts,
        "text": block(named.get("text"), LONGEST_TEXT), "type": one_line(named.get("type"), 40), "hn_url": page,
    }  # fmt: skip
    return Found(str(number), {name: value for name, value in data.items() if value not in (None, "")})
