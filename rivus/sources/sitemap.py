"""The strategy `sitemap`: the pages that a site lists for search engines.

The cursor remembers of each file when it was read, its validators and the lastmod that an index gave it; files that
have changed are read before others, those never read first, so that a site of any size is worked through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from rivus.model.context import Found, Look
from rivus.model.outcome import Json, Outcome, SourceBlocked
from rivus.sources import conditional, dates
from rivus.sources.addresses import comparable, web_address
from rivus.sources.keys import digest, key_of
from rivus.sources.listed import MOST as MOST_LISTED
from rivus.sources.listed import note_listed
from rivus.sources.patterns import compiled, matching
from rivus.sources.robots import Obedience, Robots
from rivus.sources.sitemap_files import Child, read_sitemap

ACCEPT = "application/xml, text/xml, text/plain;q=0.8, */*;q=0.5"
DEEPEST = 3
"""Indexes inside each other; the protocol allows one."""
MOST_WAITING = 10_000
SETTLED = timedelta(days=2)
"""A lastmod may be a date alone: a file that was read soon after it may have changed again on that day."""


def sitemap(
    look: Look,
    *,
    url: str,
    pattern: str | None = None,
    max_items: int = 5_000,
    max_sitemaps: int = 50,
    since: str | None = None,
    until: str | None = None,
    robots: Obedience = "obey",
) -> Iterator[Found]:
    """The pages in a site's sitemap, the last modified of each file first.

        discover: {strategy: sitemap, url: https://example.org/, pattern: "/news/", every: 6h}

    url:          a sitemap, an index of sitemaps (XML, text or a feed; gzip too), or a site without a path: then those
                  that its robots.txt names, else /sitemap.xml.
    pattern:      a regular expression that the address must contain a match of.
    max_items:    how many new pages one look takes; the next look goes on.
    max_sitemaps: how many files one look reads; the next look goes on.
    since:        only pages modified from this date or moment on (ISO 8601, UTC); until: only earlier ones. What counts
                  is lastmod, else when it was published; with either of the two, pages without a date are left out.
    robots:       `obey` or `ignore` robots.txt, its Crawl-delay included.

    The key is the address without fragment, scheme and tracking parameters. The data has what there is of url, updated
    (lastmod), title, published (UTC), news, videos, images, alternates (language -> address). A file that cannot be
    read is warned of and read again next time. A page that is no longer listed is noted as vanished.
    Raises the outcomes of the network and RetryLater if no file can be read, SourceBlocked, Halt for what robots.txt
    forbids, a bad pattern and a span that is none.
    """
    span = dates.span_of(since, until)
    if pattern is not None:
        compiled(pattern)
    rules = Robots(look, robots)
    about = digest(url, str(pattern), str(since), str(until))
    visit = _Visit(look, rules, span, pattern, _files(look, about))
    new = 0
    for page in visit.pages(_roots(web_address(url, "url"), rules), max_sitemaps):
        if not look.known(page.key):
            if new >= max_items:
                look.log.warning("%s: more than %d new pages; the next look goes on", url, max_items)
                break
            new += 1
        yield page
    else:
        if span.open and visit.whole:
            note_listed(look, (url, pattern), visit.sections)
    look.cursor["sitemaps"] = {"about": about, "files": visit.files}


def _files(look: Look, about: str) -> dict[str, Json]:
    kept = look.cursor.get("sitemaps")
    return dict(kept.get("files") or {}) if isinstance(kept, dict) and kept.get("about") == about else {}


def _roots(url: str, rules: Robots) -> list[Child]:
    if urlsplit(url).path not in ("", "/"):
        return [Child(url, None)]
    return [Child(each, None) for each in rules.sitemaps(url) or [urljoin(url, "/sitemap.xml")]]


@dataclass
class _Visit:
    """One look at the files. files: what is remembered of each. sections: the keys of each, None if they are as before.
    whole: whether nothing can be missing in `sections`."""

    look: Look
    rules: Robots
    span: dates.Span
    pattern: str | None
    files: dict[str, Json]
    sections: dict[str, list[str] | None] = field(default_factory=dict)
    whole: bool = True
    good: int = 0

    def pages(self, roots: list[Child], most: int) -> Iterator[Found]:
        """The pages of the files, the newest of each first. Raises SourceBlocked; the last error if all have failed.

        A file is remembered once its pages were all taken.
        """
        waiting = [(root, 0) for root in roots]
        seen = {root.url for root in roots}
        error: Outcome | None = None
        while waiting and most > 0:
            child, depth = waiting.pop(0)
            self.sections[child.url] = None
            if self._passed_over(child):
                self.good += 1
                continue
            most -= 1
            try:
                found = self._read(child)
            except SourceBlocked:
                raise
            except Outcome as failed:
                error = self._failed(child, failed)
                continue
            self.good += 1
            yield from self._chosen(child, found)
            inside = found.children if depth < DEEPEST else ()
            waiting = [*((one, depth + 1) for one in self._in_turn(_unseen(inside, seen))), *waiting]
        if error and not self.good:
            raise error
        self._leave([child for child, _ in waiting])

    def _failed(self, child: Child, error: Outcome) -> Outcome:
        self.look.log.warning("%s is left for the next look: %s", child.url, error)
        # One that was never read may be an index of many.
        self.whole = self.whole and child.url in self.files
        return error

    def _leave(self, waiting: list[Child]) -> None:
        """Notes what was not read, and forgets the files that are no longer named."""
        if waiting:
            self.look.log.warning("%d sitemaps are left for the next look", len(waiting))
        self.whole = self.whole and all(child.url in self.files for child in waiting)
        self.sections |= {child.url: None for child in waiting}
        if self.whole:
            self.files = {url: kept for url, kept in self.files.items() if url in self.sections}

    def _in_turn(self, children: list[Child]) -> list[Child]:
        newest = sorted(children, key=lambda child: child.lastmod or "", reverse=True)
        return sorted(newest, key=lambda child: str(self.files.get(child.url, {}).get("read", "")))

    def _passed_over(self, child: Child) -> bool:
        changed, kept = dates.moment_of(child.lastmod), self.files.get(child.url, {})
        if changed is None:
            return False
        read = dates.moment_of(kept.get("read"))
        settled = kept.get("lastmod") == child.lastmod and read is not None and read > changed + SETTLED
        return settled or (self.span.since is not None and changed + SETTLED < self.span.since)

    def _read(self, child: Child) -> _Read:
        """What is in the file. Raises the outcomes of the network and of robots.txt, RetryLater if it is no sitemap."""
        self.rules.allow(child.url)
        known = self.files.get(child.url, {})
        response = conditional.ask(self.look.http, child.url, known, ACCEPT)
        if response is None:
            return _Read(kept={name: value for name, value in known.items() if name not in ("read", "lastmod")})
        found = read_sitemap(response.content, response.headers.get("Content-Type", ""), response.url)
        if found.flaw:
            self.look.log.warning("%s is not well-formed: %s", child.url, found.flaw)
        elif not found.pages and not found.children:
            self.look.log.warning("%s lists nothing", child.url)
        # A broken file may heal, and the files of an index change without it: these are read again each time.
        kept = None if found.flaw or found.children else conditional.validators(response)
        return _Read(found.pages, tuple(found.children), kept)

    def _chosen(self, child: Child, found: _Read) -> Iterator[Found]:
        pages = found.pages
        if pages is not None:
            if self.pattern is not None:
                fit = matching(self.pattern, [page["url"] for page in pages])
                pages = [page for page in pages if page["url"] in fit]
            things = [Found(key_of(comparable(page["url"])), page) for page in sorted(pages, key=_date, reverse=True)]
            yield from (thing for thing in things if self.span.holds(_date(thing.data)))
            self._list(child.url, [thing.key for thing in things])
        if found.kept is None:
            self.files.pop(child.url, None)
        else:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            lastmod = {"lastmod": child.lastmod} if child.lastmod else {}
            self.files[child.url] = {**found.kept, **lastmod, "read": now}

    def _list(self, url: str, keys: list[str]) -> None:
        """Keeps the keys of a file, as long as there are not too many to be compared."""
        if len(keys) + sum(len(section or ()) for section in self.sections.values()) > MOST_LISTED:
            self.whole = False
        else:
            self.sections[url] = keys


class _Read(NamedTuple):
    """A file as it was read. pages: None if it is unchanged. kept: what to remember, None for nothing."""

    pages: list[Json] | None = None
    children: tuple[Child, ...] = ()
    kept: Json | None = None


def _unseen(children: tuple[Child, ...], seen: set[str]) -> list[Child]:
    """Those whose addresses are not in `seen`, each once; now they are."""
    new: list[Child] = []
    for child in children:
        if child.url not in seen and len(seen) < MOST_WAITING:
            seen.add(child.url)
            new.append(child)
    return new


def _date(page: Json) -> str:
    return str(page.get("updated") or page.get("published") or "")
