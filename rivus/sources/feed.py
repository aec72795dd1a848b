"""The strategy `feed`: RSS, Atom, RDF and JSON feeds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rivus.model.context import Found, Look
from rivus.sources import conditional, dates
from rivus.sources.addresses import comparable, web_address
from rivus.sources.keys import digest, key_of
from rivus.sources.syndication import Entry, parse

ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"


def feed(
    look: Look,
    *,
    url: str,
    base_url: str | None = None,
    max_items: int = 500,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """Every entry of a feed, in the feed's order.

        discover: {strategy: feed, url: https://example.org/feed.xml, every: 1h}

    url:       the feed's address (RSS, Atom, RDF, JSON Feed).
    base_url:  where relative links start; default: the address that the feed was read from.
    max_items: how many entries are taken from the feed's top.
    since:     only entries from this date or moment on (ISO 8601, UTC); until: only earlier ones. What counts is when
               an entry was published, else updated; with either of the two, entries without a date are left out.

    The key is the entry's own id, else its link, both as https and without tracking parameters, else a digest of title
    and date. The data has what there is of url, title, published, updated (UTC), summary, author, tags, enclosures.
    Raises the outcomes of the network; RetryLater if the answer is no feed; Halt for a span that is none.
    """
    span = dates.span_of(since, until)
    response = conditional.get(look, web_address(url, "url"), accept=ACCEPT, span=span)
    if response is None:
        return
    base = web_address(base_url, "base_url") if base_url else response.url
    parsed = parse(response.content, response.headers.get("Content-Type", ""), base)
    if parsed.flaw:
        look.log.warning("%s is not well-formed: %s", url, parsed.flaw)
    elif not any(entry.data for entry in parsed.entries):
        look.log.warning("%s has no entries, or none that says anything", url)
    found = (one for one in keyed(parsed.entries) if span.holds(one.data.get("published") or one.data.get("updated")))
    yield from islice(found, max_items)
    if parsed.flaw:
        conditional.forget(look)
    else:
        conditional.remember(look, url, response, span)


def keyed(entries: list[Entry]) -> Iterator[Found]:
    """The entries as found things, each with a key of its own.

    Some feeds give several entries one id or one link. The lowest, the oldest, keeps it, so that it is the same
    however many follow; the others get a digest of what sets them apart. Exact repetitions are left out.
    """
    taken: dict[str, str] = {}
    found: list[Found] = []
    for entry in reversed(entries):
        key, exact = _key(entry), _exact(entry)
        if taken.get(key, exact) != exact:
            key = exact
        if key not in taken and entry.data:
            taken[key] = exact
            found.append(Found(key, entry.data))
    return reversed(found)


def _key(entry: Entry) -> str:
    link = entry.data.get("url")
    return key_of(_same_everywhere(entry.id) or (comparable(link) if link else "")) or _exact(entry)


def _same_everywhere(name: str) -> str:
    """An id; one that is an address stays the same under https and with tracking parameters."""
    if not name.lower().startswith(("http://", "https://")):
        return name
    address, mark, part = name.partition("#")
    return f"{comparable(address)}{mark}{part}"


def _exact(entry: Entry) -> str:
    data = entry.data
    url = str(data.get("url", ""))
    address = f"{comparable(url)}#{url.partition('#')[2]}" if url else ""
    told = [address, *(str(data.get(name, "")) for name in ("title", "published"))]
    return digest(*(told if any(told) else [str(data.get("summary", ""))]))
