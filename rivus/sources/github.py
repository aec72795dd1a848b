"""The strategy `github_releases`: the releases of repositories (https://docs.github.com/rest/releases/releases)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, ItemFailed, Json, Outcome, RetryLater, SourceBlocked
from rivus.net.session import LONGEST_REST, check, fetch, retry_after
from rivus.sources import conditional
from rivus.sources.addresses import absolute, web_address
from rivus.sources.answer import described, json_of, next_link, same_origin
from rivus.sources.dates import Span, from_iso, span_of
from rivus.sources.keys import block, key_of, one_line

if TYPE_CHECKING:
    import requests

ACCEPT = "application/vnd.github+json"
AT_ONCE = 100
MOST_PAGES = 100
"""GitHub shows the first 10,000 releases."""
MOST_ASSETS = 100
LONGEST_TITLE, LONGEST_TEXT = 1_000, 100_000
_REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,100}/[A-Za-z0-9._-]{1,100}")


def github_releases(
    look: Look,
    *,
    repos: list[str],
    prereleases: bool = False,
    drafts: bool = False,
    secret: str | None = None,
    max_items: int = 100,
    base_url: str = "https://api.github.com",
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """The releases of repositories, the newest of each first.

        discover: {strategy: github_releases, repos: [simonw/datasette, astral-sh/uv], limit: github, every: 1h}

    repos:       owner/name.
    prereleases: whether they count; drafts: whether those count that nobody but their owners can see.
    secret:      the name of a secret, a token of GitHub: more requests an hour, and private repositories. List it under
                 `secrets:` of the job, too.
    max_items:   how many of each repository; with `since` all down to it.
    base_url:    where GitHub's interface is.
    since:       only what was published from this date or moment on (ISO 8601, UTC); until: only earlier ones.

    The key is owner/name@tag. The data has what there is of url, title, published, author, repo, tag, text (Markdown),
    prerelease, draft, assets (name, url, bytes). A repository that has not changed costs none of GitHub's limit with a
    token. Of several repositories, one that cannot be read does not hide the others; its outcome ends the look.
    Raises Halt for one that is not there and a token that is refused, SourceBlocked at the limit, RetryLater for an
    answer that is no list of releases.
    """
    span = span_of(since, until)
    base = web_address(base_url, "base_url").rstrip("/")
    for repo in repos:
        if not _REPOSITORY.fullmatch(repo):
            raise Halt(f"repos: {repo!r} is not owner/name")
    asking = _Asking(look, secret, span, None if span.since else max_items, f"{prereleases} {drafts} {max_items}")
    for repo in repos:
        for one in asking.releases(repo, f"{base}/repos/{repo}/releases?per_page={AT_ONCE}"):
            wanted = (prereleases or not one.data["prerelease"]) and (drafts or not one.data["draft"])
            if wanted and span.holds(one.data.get("published")):
                yield one
    if asking.failed:
        raise asking.failed
    if span.open:
        look.cursor["validators"] = asking.validators


class _Asking:
    """Asks for the releases of one repository after the other, of each for `most`. about: what else decides which of
    them are taken. Afterwards, validators: address -> those of its last answer; failed: the first outcome of a
    repository that could not be read."""

    def __init__(self, look: Look, secret: str | None, span: Span, most: int | None, about: str) -> None:
        self._look, self._span, self._secret, self._most, self._about = look, span, secret, most, about
        self._headers = {"Authorization": f"Bearer {look.secret(secret)}"} if secret else {}
        kept = look.cursor.get("validators") if span.open else None
        self._known: Json = kept if isinstance(kept, dict) else {}
        self.validators: Json = {}
        self.failed: Outcome | None = None

    def releases(self, repo: str, url: str) -> Iterator[Found]:
        """What GitHub says of each, page by page; nothing if it is as it was."""
        try:
            yield from self._pages(repo, url)
        except (Halt, ItemFailed, RetryLater) as error:
            self._look.log.warning("%s: %s", repo, error)
            self.failed = self.failed or error

    def _pages(self, repo: str, url: str) -> Iterator[Found]:
        place = f"{url} {self._about}"
        known = self._known.get(place)
        conditions: Json = known if isinstance(known, dict) else {}
        first = conditional.ask(self._look.http, url, conditions, ACCEPT, self._judge, headers=self._headers)
        response, pages, count = first, 0, 0
        while response is not None:
            releases = json_of(response)
            if not isinstance(releases, list):
                raise RetryLater(f"{repo}: no list of releases: {described(releases)}")
            room = None if self._most is None else self._most - count
            yield from (_release(release, repo) for release in releases[:room])
            pages, count = pages + 1, count + len(releases)
            done = pages >= MOST_PAGES or (self._most is not None and count >= self._most) or self._is_past(releases)
            after = None if done else next_link(response)
            response = self._next(url, after) if after else None
        self.validators[place] = conditions if first is None else conditional.validators(first)

    def _next(self, url: str, after: str) -> requests.Response:
        headers = {"Accept": ACCEPT, **self._headers}
        return self._judge(fetch(self._look.http, same_origin(url, after), headers=headers))

    def _is_past(self, releases: list[Any]) -> bool:
        """Whether the span begins after all of these were published. They come in another order, that of the commits
        they stand for."""
        if self._span.since is None or not releases:
            return False
        from_then = Span(self._span.since, None)
        return not any(from_then.holds(release.get("published_at")) for release in releases)

    def _judge(self, response: requests.Response) -> requests.Response:
        """The response, if it is good. 403 is GitHub's word for its limits, too."""
        place, status = urlsplit(response.url).path, response.status_code
        if status == 401 and self._secret:
            raise Halt(f"the secret {self._secret} is refused (401)")
        if status == 404:
            raise Halt(f"{place}: no such repository, or not for {self._secret or 'those without a token'} (404)")
        rest = _rest(response)
        if status in (403, 429) and rest is not None:
            raise SourceBlocked(f"{place}: GitHub's limit is reached ({status})", until=time.time() + rest)
        return check(response)


def _rest(response: requests.Response) -> float | None:
    """Seconds to wait, if this is about a limit."""
    reset = response.headers.get("X-RateLimit-Reset", "")
    if response.headers.get("X-RateLimit-Remaining") == "0" and re.fullmatch(r"\d{1,12}", reset):
        return min(max(float(reset) - time.time(), 1.0), LONGEST_REST)
    return retry_after(response.headers)


def _release(release: Any, repo: str) -> Found:
    if not isinstance(release, dict) or not isinstance(release.get("tag_name"), str) or not release["tag_name"]:
        raise RetryLater(f"{repo}: a release without tag_name: {described(release)}")
    tag, author, page = one_line(release["tag_name"], 500), release.get("author"), f"https://github.com/{repo}"
    data: Json = {
        "url": absolute(page, one_line(release.get("html_url"))),
        "title": one_line(release.get("name"), LONGEST_TITLE) or tag,
        "published": from_iso(release.get("published_at") or release.get("created_at")),
        "author": one_line(author.get("login"), 100) if isinstance(author, dict) else None,
        "repo": repo, "tag": tag, "text": block(release.get("body"), LONGEST_TEXT),
        "prerelease": release.get("prerelease") is True, "draft": release.get("draft") is True,
        "assets": _assets(release.get("assets"), page),
    }  # fmt: skip
    known = {name: value for name, value in data.items() if value not in (None, "", [])}
    return Found(key_of(f"{repo.lower()}@{tag}"), known)


def _assets(given: Any, page: str) -> list[Json]:
    found = [asset for asset in given if isinstance(asset, dict)] if isinstance(given, list) else []
    return [
        {"name": one_line(asset.get("name"), 300), "url": absolute(page, one_line(asset.get("browser_download_url"))),
         "bytes": asset.get("size") if type(asset.get("size")) is int else None}
        for asset in found[:MOST_ASSETS]
    ]  # fmt: skip
