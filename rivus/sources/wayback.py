"""The strategy `wayback`: what the Wayback Machine of the Internet Archive has kept of a site.

Its index (the CDX server, https://github.com/internetarchive/wayback) is sorted by address, then by time, and read
page by page with its resumption keys. The cursor keeps the key of the page to go on with; once all was read, the next
looks ask only for what was kept since.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.net.charset import decode
from rivus.net.cleaned import beginning
from rivus.net.session import check, fetch
from rivus.sources import dates
from rivus.sources.addresses import LONGEST, absolute, comparable, web_address
from rivus.sources.keys import digest, is_fit, key_of, one_line

WINDOW_DAYS = {"wayback": 365}
PAGE = 2_000
"""Snapshots of one page of the index."""
MOST_PAGES = 200
LATE = timedelta(days=3)
"""The index learns of a snapshot some time after it was made."""
_FIELDS = ("timestamp", "original", "mimetype", "statuscode", "digest", "length")


def wayback(
    look: Look,
    *,
    url: str,
    key: Literal["url", "snapshot"] = "url",
    status: str | None = "200",
    mimetype: str | None = None,
    collapse: str | None = None,
    base_url: str = "https://web.archive.org",
    max_items: int = 10_000,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The snapshots of an address, or of all that begin like it, sorted by address and time.

        discover: {strategy: wayback, url: "example.org/news/*", mimetype: text/html, limit: archive, every: 1d}

    url:       the address; `example.org/news/*` for all below, `*.example.org` for all of a domain.
    key:       `url`: one item for each address, of its first snapshot (in a later look, its first since);
               `snapshot`: one for each snapshot.
    status:    only snapshots with this HTTP status (a regular expression of the archive); null: all.
    mimetype:  only snapshots of this type (a regular expression of the archive).
    collapse:  one snapshot of those that follow each other and are equal in a field: `digest`, `urlkey`, `timestamp:8`
               (the first 8 digits: one a day).
    base_url:  where the archive is.
    max_items: how many new items one look takes; the next look goes on.
    since:     only snapshots made from this date or moment on (ISO 8601, UTC); until: only earlier ones.

    The key is the original address without fragment, scheme and tracking parameters, with `snapshot` followed by
    `@` and the time (14 digits). The data has url (the snapshot as it was archived, `…id_/…`), original, published
    (when it was made, UTC), and what there is of mimetype, status, digest (of the body, by the archive), bytes.
    Raises the outcomes of the network, RetryLater if the answer is no index, Halt for a span that is none.
    """
    span = dates.span_of(since, until)
    if not url.strip() or not is_fit(url) or any(c.isspace() for c in url):
        raise Halt(f"url: {url[:100]!r} is not an address or the beginning of one")
    base = web_address(base_url, "base_url").rstrip("/")
    fields = {"statuscode": status, "mimetype": mimetype}
    asked = {"url": url, "collapse": collapse, "filter": [f"{name}:{text}" for name, text in fields.items() if text]}
    about = digest(json.dumps(asked), str(since), str(until), base)
    reading = _Reading(look, base, asked, span, _state(look.cursor.get("wayback"), about))
    new = 0
    for found in reading.found(key):
        if not look.known(found.key):
            if new >= max_items:
                look.log.warning("%s: more than %d new items; the next look goes on", url, max_items)
                break
            new += 1
        yield found
    look.cursor["wayback"] = {"about": about, **reading.state}


def _state(kept: Any, about: str) -> Json:
    """start: what the next pass over the index begins with. resume: where this one goes on. after: what it began
    with."""
    known = kept if isinstance(kept, dict) and kept.get("about") == about else {}
    return {name: str(known.get(name) or "") for name in ("start", "resume", "after")}


@dataclass
class _Reading:
    look: Look
    base: str
    asked: Json
    span: dates.Span
    state: Json

    def found(self, key: str) -> Iterator[Found]:
        """All from where the last look stopped. The state moves on when the things of a page were taken."""
        state = self.state
        if not state["start"]:
            state["start"] = _digits(datetime.now(UTC) - LATE)
        for _ in range(MOST_PAGES):
            rows, resume = self._page()
            yield from filter(None, (self._thing(row, key) for row in rows))
            state["resume"] = resume
            if not resume:
                self.state = {"start": "", "resume": "", "after": state["start"]}
                return
        self.look.log.warning("%s: more than %d pages; the next look goes on", self.asked["url"], MOST_PAGES)

    def _page(self) -> tuple[list[list[str]], str]:
        since, until = self.span
        begin = max(_digits(since) if since else "", self.state["after"])
        query = {
            **{name: value for name, value in self.asked.items() if value},
            "output": "json", "fl": ",".join(_FIELDS), "limit": PAGE, "showResumeKey": "true",
            **({"from": begin} if begin else {}),
            # The archive takes the end as included.
            **({"to": _digits(until - timedelta(seconds=1))} if until else {}),
            **({"resumeKey": self.state["resume"]} if self.state["resume"] else {}),
        }  # fmt: skip
        response = check(fetch(self.look.http, f"{self.base}/cdx/search/cdx", params=query))
        return _rows(decode(response.content)[0], self.base)

    def _thing(self, row: list[str], key: str) -> Found | None:
        snapshot = dict(zip(_FIELDS, row, strict=True))
        moment, original = snapshot["timestamp"], absolute("", snapshot["original"])
        published = _published(moment)
        if original is None or published is None or not self.span.holds(published):
            return None
        name = comparable(original)
        data = {
            "url": f"{self.base}/web/{moment}id_/{original}",
            "original": original,
            "published": published,
            "mimetype": one_line(snapshot["mimetype"], 100),
            "status": _number(snapshot["statuscode"]),
            "digest": one_line(snapshot["digest"], 100),
            "bytes": _number(snapshot["length"]),
        }
        known = {field: value for field, value in data.items() if value not in (None, "", "-")}
        return Found(key_of(name if key == "url" else f"{name[: LONGEST - 20]}@{moment}"), known)


def _rows(text: str, base: str) -> tuple[list[list[str]], str]:
    """The rows of a page and the key of the next, "" at the end. Raises RetryLater for what is no page of the index."""
    try:
        rows = json.loads(text) if text.strip() else []
        good = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    except (ValueError, RecursionError):
        good = False
    if not good or (rows and rows[0] != list(_FIELDS)):
        raise RetryLater(f"{base}: not a page of the index: it begins with {beginning(text, 80)!r}")
    resume = ""
    if len(rows) > 2 and rows[-2] == [] and len(rows[-1]) == 1:
        resume, rows = one_line(rows[-1][0])[:LONGEST], rows[:-2]
    width = len(_FIELDS)
    return [[str(value) for value in row] for row in rows[1:] if len(row) == width], resume


def _digits(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S")


def _published(text: str) -> str | None:
    try:
        moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return dates.from_seconds(moment.timestamp())


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
