"""The strategy `json_api`: what any interface lists in JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt
from rivus.net.session import check, fetch
from rivus.sources import conditional
from rivus.sources.addresses import web_address
from rivus.sources.answer import json_of, with_query, with_secret
from rivus.sources.dates import Span, span_of
from rivus.sources.jsonrows import Rows
from rivus.sources.keys import digest
from rivus.sources.paging import NONE, Asked, Course, paging_of

if TYPE_CHECKING:
    import requests

Scalar: TypeAlias = str | int | float | bool
Form: TypeAlias = Literal["moment", "date", "seconds"]
ACCEPT = "application/json"
MOST_MARKS = 1_000


def json_api(
    look: Look, *, url: str, items: str = "@", key: str = "id", fields: dict[str, str] | None = None,
    published: str | None = None, params: dict[str, Scalar] | None = None, secret: str | None = None,
    header: str = "X-Api-Key", query: str | None = None, paging: Asked | None = None,
    stop_at_known: bool = False, since_param: str | None = None, until_param: str | None = None,
    time_format: Form = "moment", since: str | None = None, until: str | None = None,
) -> Iterator[Found]:  # fmt: skip
    """The rows of a list that an address answers with in JSON.

        discover:
          strategy: json_api
          url: https://api.example.com/v2/articles
          items: data.articles
          key: id
          fields: {title: headline, url: "join('', ['https://example.com', path])", published: dates.first}
          params: {language: en, per_page: 50}
          secret: example_key
          paging: {by: page, max_pages: 4}

    url:       the address; params: its query.
    items:     where the list is in the answer; default: it is the answer. This and all that follows in `fields`, `key`
               and `published` is JMESPath (https://jmespath.org).
    key:       what makes a row the same when it is found again: a text or a number.
    fields:    name -> what the item's field is made of; default: the row as it is.
    published: the row's date (ISO 8601, seconds or milliseconds since the epoch, or as in mail), which becomes the
               field `published` in UTC; default: the field of that name.
    secret:    the name of a secret that goes along. List it under `secrets:` of the job, too.
    header:    the header that has it (Authorization: as `Bearer VALUE`, unless the value names a scheme, `Basic …`);
               query: the part of the query, instead.
    paging:    `by: page` (param: page, start: 1), `by: offset` (param: offset, start: 0, size: rows of a page),
               `by: cursor` (cursor: where the answer says what comes next; param: the part of the query that takes
               it, or none if it is an address) or `by: link` (the Link header, rel=next); max_pages: 10. Pages end with
               one that has no rows or only rows of the pages before, or fewer than `size`. All are at the same host.
    stop_at_known: no further pages after one of known items that was the first when all were last read: for lists that
               have the newest first.
    since:     only rows published from this date or moment on (ISO 8601, UTC); until: only earlier ones.
    since_param: the part of the query that takes `since`; until_param: that takes `until`. Then rows without a date are
               taken as the server sends them.
    time_format: how these two are written: moment (2024-01-31T00:00:00Z), date, or seconds since the epoch.

    Raises Halt for an expression that is none, a secret that is missing or refused, and a span that nothing can tell;
    RetryLater for an answer in which there is no list, or no row with a key; otherwise as the network says.
    """
    span = span_of(since, until)
    rows = Rows(items, key, fields, published, span, (since_param is not None, until_param is not None))
    pages = paging_of(paging)
    times = _times(span, since_param, until_param, time_format)
    address = with_query(web_address(url, "url"), {**_texts(params), **pages.first(), **times})
    ask = _Asking(look, secret, *_sent(look, secret, header, query))
    walk = _Walk(look, ask, rows, Course(pages, address, "[?" not in items), stop_at_known)
    yield from walk.run(digest(repr((address, items, key, fields, published, paging))))


@dataclass(slots=True)
class _Asking:
    """Asks with the secret of that name, which goes into headers or the query."""

    look: Look
    secret: str | None
    headers: dict[str, str]
    params: dict[str, str]

    def changed(self, url: str, span: Span) -> requests.Response | None:
        """The answer, None if it is the one remembered."""
        return conditional.get(
            self.look, url, accept=ACCEPT, span=span, headers=self.headers, params=self.params, judge=self._judge
        )

    def whole(self, url: str) -> requests.Response:
        """The answer, whatever is remembered."""
        address = with_query(url, self.params) if self.params else url
        return self._judge(fetch(self.look.http, address, headers={"Accept": ACCEPT, **self.headers}))

    def _judge(self, response: requests.Response) -> requests.Response:
        if self.secret and response.status_code == 401:
            raise Halt(f"the secret {self.secret} is refused (401)")
        return check(response)


@dataclass(slots=True)
class _Walk:
    """One look, page by page. newest_first: whether it may end at a page of known items."""

    look: Look
    ask: _Asking
    rows: Rows
    course: Course
    newest_first: bool
    _marks: set[str] = field(default_factory=set)
    _newest: list[str] = field(default_factory=list)

    def run(self, about: str) -> Iterator[Found]:
        """What is in the span, each key once. about: what the marks in the cursor are for."""
        url, span = self.course.url, self.rows.span
        single = self.course.paging is NONE
        if self.newest_first and span.open:
            self._marks = _marks(self.look, about)
        # The first page tells of all the others only if the newest come first.
        first = self.ask.changed(url, span) if single or self._marks else self.ask.whole(url)
        if first is None:
            return
        yield from self._pages(first)
        if self.newest_first:
            self.look.cursor["newest"] = {"of": about, "keys": self._newest}
        if self.newest_first or single:
            conditional.remember(self.look, url, first, span)

    def _pages(self, response: requests.Response | None) -> Iterator[Found]:
        seen: set[str] = set()
        while response is not None:
            answer = json_of(response)
            page = self.rows.of(self.look, answer)
            new = list({one.key: one for one in reversed(page) if one.key not in seen}.values())[::-1]
            yield from filter(self.rows.within, new)
            seen.update(one.key for one in new)
            after = self._after(response, answer, page, bool(new))
            response = self.ask.whole(after) if after else None

    def _after(self, response: requests.Response, answer: Any, page: list[Found], new: bool) -> str | None:
        keys = [digest(one.key) for one in page[:MOST_MARKS]]
        self._newest = self._newest or keys
        after = self.course.after(response, answer, self.rows.count)
        if after is None or (page and not new):
            return None
        if not self._marks.isdisjoint(keys) and all(self.look.known(one.key) for one in page):
            return None
        if self.course.pages < self.course.paging.max_pages:
            return after
        if self.course.paging is not NONE and not self.rows.span.open:
            self.look.log.warning("the span has more than the %d pages of max_pages", self.course.pages)
        return None


def _sent(look: Look, name: str | None, header: str, query: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and the query that hold the secret."""
    if name is None:
        return {}, {}
    return with_secret(name, look.secret(name), header, query)


def _texts(params: Mapping[str, Scalar] | None) -> dict[str, object]:
    """The query as it is written: true and false as in JSON."""
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in (params or {}).items()}


def _times(span: Span, since_param: str | None, until_param: str | None, form: Form) -> dict[str, str]:
    """The query that tells the server of the span."""
    bounds = [(since_param, span.since), (until_param, span.until)]
    return {name: _written(moment, form) for name, moment in bounds if name and moment}


def _written(moment: datetime, form: Form) -> str:
    if form == "seconds":
        return str(int(moment.timestamp()))
    return moment.strftime("%Y-%m-%d" if form == "date" else "%Y-%m-%dT%H:%M:%SZ")


def _marks(look: Look, about: str) -> set[str]:
    """What was first when all pages were last read with the same parameters."""
    kept = look.cursor.get("newest")
    keys = kept.get("keys") if isinstance(kept, dict) and kept.get("of") == about else None
    return set(map(str, keys)) if isinstance(keys, list) else set()
