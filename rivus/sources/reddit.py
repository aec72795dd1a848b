"""The strategy `reddit`: the listings of Reddit in JSON (https://www.reddit.com/dev/api)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater, SourceBlocked
from rivus.net.session import LONGEST_REST, check, fetch
from rivus.sources import conditional
from rivus.sources.addresses import absolute, web_address
from rivus.sources.answer import described, json_of, with_query
from rivus.sources.dates import Span, from_seconds, span_of
from rivus.sources.keys import block, key_of, one_line

if TYPE_CHECKING:
    import requests

AT_ONCE = 100
"""Reddit gives no more in one answer."""
SHOWN = 1_000
"""Reddit shows no more of any listing."""
ACCEPT = "application/json"
LONGEST_TITLE, LONGEST_TEXT = 1_000, 50_000
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,50}")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{3,253}")


def reddit(
    look: Look,
    *,
    subreddits: list[str] | None = None,
    domain: str | None = None,
    url: str | None = None,
    sort: Literal["new", "hot", "top", "rising"] = "new",
    period: Literal["hour", "day", "week", "month", "year", "all"] = "day",
    max_items: int = 100,
    over_18: bool = False,
    base_url: str = "https://www.reddit.com",
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The posts of subreddits, of a domain or of any other listing, in Reddit's order.

        discover: {strategy: reddit, subreddits: [stocks, investing], sort: new, limit: reddit, every: 30min}

    subreddits: names, without r/; several are one listing.
    domain:     posts that link to this domain, instead.
    url:        any other listing, instead: https://www.reddit.com/user/NAME/comments.json.
    sort:       new, hot, top or rising; period: of top.
    max_items:  how many are asked for, 100 a request. With `since` and `sort: new` all down to it, of the 1,000 that
                Reddit shows.
    over_18:    whether posts count that are marked so.
    base_url:   where Reddit is.
    since:      only what was posted from this date or moment on (ISO 8601, UTC); until: only earlier ones.

    The key is Reddit's full name of the thing (t3_48fbm9). The data has what there is of url (what a post links to),
    title, published, author, subreddit, text, score, comments (their number), flair, over_18, domain, reddit_url.
    Raises Halt for a subreddit that is private, quarantined or not there; SourceBlocked at the rate limit and when
    Reddit shuts programs out; RetryLater for an answer that is no listing.
    """
    span = span_of(since, until)
    whole = span.since is not None and sort == "new"
    address = _address(subreddits, domain, url, sort, base_url)
    query: dict[str, object] = {"raw_json": 1, "limit": min(AT_ONCE, SHOWN if whole else max_items)}
    first = with_query(address, {**query, "t": period} if sort == "top" else query)
    response = answered = conditional.get(look, first, accept=ACCEPT, span=span, judge=_judge)
    count, past = 0, False
    while response is not None:
        children, after = _listing(response)
        page = list(filter(None, map(_thing, children)))[: None if whole else max_items - count]
        if children and not page:
            raise RetryLater(f"the listing has neither posts nor comments: the first is {described(children[0])}")
        count += len(children)
        yield from (one for one in page if span.holds(one.data.get("published")) and (over_18 or not _adult(one)))
        past = whole and _is_past(page, span)
        done = count >= (SHOWN if whole else max_items) or past or not page
        more = with_query(first, {"after": after, "count": count}) if after and not done else None
        response = _judge(fetch(look.http, more, headers={"Accept": ACCEPT})) if more else None
    if whole and answered is not None and not past:
        look.log.warning("Reddit has shown all it shows, %d things: what is older is missing", count)
    if answered is not None:
        conditional.remember(look, first, answered, span)


def _address(subreddits: list[str] | None, domain: str | None, url: str | None, sort: str, base_url: str) -> str:
    if sum(given is not None for given in (subreddits, domain, url)) != 1:
        raise Halt("subreddits, domain, url: exactly one of the three")
    base = web_address(base_url, "base_url").rstrip("/")
    if url is not None:
        return web_address(url, "url")
    if domain is not None:
        return f"{base}/domain/{_named(domain, _DOMAIN, 'domain')}/{sort}.json"
    names = [_named(name, _SUBREDDIT, "subreddits") for name in subreddits or []]
    if not names:
        raise Halt("subreddits: names none")
    return f"{base}/r/{'+'.join(names)}/{sort}.json"


def _named(text: str, pattern: re.Pattern[str], parameter: str) -> str:
    if not pattern.fullmatch(text):
        raise Halt(f"{parameter}: {text!r} is no name that Reddit has")
    return text


def _judge(response: requests.Response) -> requests.Response:
    """The response, if it is good. Reddit tells in JSON what is wrong with a listing; a page is for everybody."""
    told = _told(response) if response.status_code in (403, 404) else ""
    place = urlsplit(response.url).path
    if told:
        raise Halt(f"{place}: Reddit answers {response.status_code}: {told}")
    if response.status_code == 403:
        raise SourceBlocked(f"{place}: Reddit shuts this program out (403)")
    if response.status_code == 429 and "Retry-After" not in response.headers:
        raise SourceBlocked(f"{place}: too many requests (429)", until=_reset(response))
    if "/subreddits/search" in place:
        raise Halt(f"Reddit has no such subreddit, and searches instead: {place}")
    return check(response)


def _told(response: requests.Response) -> str:
    try:
        answer = json_of(response)
    except RetryLater:
        return ""
    if not isinstance(answer, dict):
        return ""
    usual = "private or quarantined" if response.status_code == 403 else "there is none, or it is banned"
    return one_line(f"{answer.get('message') or ''} ({answer.get('reason') or usual})", 200)


def _reset(response: requests.Response) -> float | None:
    """When the limit ends, by the seconds in X-Ratelimit-Reset."""
    text = response.headers.get("X-Ratelimit-Reset", "")
    fit = re.fullmatch(r"\d{1,9}(\.\d+)?", text)
    return time.time() + min(float(text), LONGEST_REST) if fit else None


def _listing(response: requests.Response) -> tuple[list[Any], str]:
    """The things of a listing, and the name after which the next one begins."""
    answer = json_of(response)
    data = answer.get("data") if isinstance(answer, dict) and answer.get("kind") == "Listing" else None
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(children, list):
        raise RetryLater(f"{urlsplit(response.url).path}: no listing: {described(answer)}")
    after = data.get("after")
    return children, after if isinstance(after, str) else ""


def _thing(child: Any) -> Found | None:
    """A post (t3) or a comment (t1)."""
    data = child.get("data") if isinstance(child, dict) and child.get("kind") in ("t1", "t3") else None
    if not isinstance(data, dict) or not isinstance(data.get("name"), str) or not key_of(data["name"]):
        return None
    place = absolute("https://www.reddit.com", one_line(data.get("permalink")))
    moment, flair = data.get("created_utc"), data.get("link_flair_text")
    found: Json = {
        "url": absolute("https://www.reddit.com", one_line(data.get("url"))) or place,
        "title": one_line(data.get("title") or data.get("link_title"), LONGEST_TITLE),
        "published": from_seconds(moment) if isinstance(moment, int | float) else None,
        "author": one_line(data.get("author"), 100), "subreddit": one_line(data.get("subreddit"), 100),
        "text": block(data.get("selftext") or data.get("body"), LONGEST_TEXT),
        "score": _count(data.get("score")), "comments": _count(data.get("num_comments")),
        "flair": one_line(flair, 200), "over_18": data.get("over_18") is True,
        "domain": one_line(data.get("domain"), 253), "reddit_url": place,
    }  # fmt: skip
    return Found(key_of(data["name"]), {name: value for name, value in found.items() if value not in (None, "")})


def _count(value: Any) -> int | None:
    return value if type(value) is int else None


def _adult(one: Found) -> bool:
    return bool(one.data.get("over_18"))


def _is_past(page: list[Found], span: Span) -> bool:
    """Whether the last of a page is older than the span, so that all that follow are."""
    last = page[-1].data.get("published") if page else None
    return last is not None and not Span(span.since, None).holds(last)
