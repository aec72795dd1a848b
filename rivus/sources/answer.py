"""What interfaces answer: JSON, the parts of it that JMESPath names, and the address of the next page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from rivus.model.document import parse_json
from rivus.model.outcome import Halt, RetryLater
from rivus.net.cleaned import beginning
from rivus.net.extras import load
from rivus.sources.addresses import absolute
from rivus.sources.keys import one_line

if TYPE_CHECKING:
    import requests

NAMES_TOLD = 12
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")


def json_of(response: requests.Response) -> Any:
    """The JSON of an answer. Raises RetryLater for what is none, as servers in trouble send pages instead."""
    try:
        return parse_json(response.content)
    except ValueError as error:
        start = beginning(response.content, 80)
        raise RetryLater(f"{_place(response.url)}: the answer is no JSON ({one_line(error, 100)}): {start}") from None


def with_secret(name: str, value: str, header: str, query: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and the parts of the query that hold the secret `name`: the part `query`, else the header `header`.
    In Authorization it is a bearer token (RFC 6750), unless it names a scheme itself (`Basic …`). Raises Halt."""
    if query is not None:
        return {}, {query: value}
    if not _HEADER.fullmatch(header):
        raise Halt(f"`header`: {header!r} is no name of a header, for the secret {name}")
    bearer = header.lower() == "authorization" and " " not in value
    return {header: f"Bearer {value}" if bearer else value}, {}


def described(answer: Any) -> str:
    """What an answer is, for a message: the names in an object, else its type."""
    if isinstance(answer, dict):
        names = ", ".join(beginning(name, 40) for name in list(answer)[:NAMES_TOLD])
        return f"an object with {names}" if names else "an empty object"
    if isinstance(answer, list):
        return f"a list of {len(answer)}" if answer else "an empty list"
    return "nothing" if answer is None else f"{type(answer).__name__} {beginning(str(answer), 60)!r}"


def expression(text: str, parameter: str, misfit: type[Exception] = RetryLater) -> Callable[[Any], Any]:
    """The JMESPath expression (https://jmespath.org) as a function of an answer, which raises `misfit` where it does
    not fit. Raises Halt if it is none."""
    jmespath = load("jmespath", "feeds")
    mistakes = (jmespath.exceptions.JMESPathError, RecursionError, TypeError, ValueError)
    try:
        parsed = jmespath.compile(text)
    except mistakes as error:
        raise Halt(f"{parameter}: {text!r} is no JMESPath expression: {one_line(error, 200)}") from None

    def search(answer: Any) -> Any:
        try:
            return parsed.search(answer)
        except mistakes as error:
            raise misfit(f"{parameter}: {text!r} does not fit the answer: {beginning(str(error), 200)}") from None

    return search


def projects_nothing(text: str, answer: Any) -> bool:
    """Whether the expression gives no row though it goes over rows: `data[*].item` where no row of data has an item.
    A filter may well leave nothing."""
    parsing = load("jmespath.parser", "feeds")
    node = parsing.Parser().parse(text).parsed
    while node["type"] in ("projection", "flatten"):
        inner = node["children"][0]
        if parsing.ParsedResult(text, inner).search(answer):
            return bool(node["type"] == "projection")
        node = inner
    return False


def with_query(url: str, query: Mapping[str, object]) -> str:
    """`url` with these parts of its query, instead of those that have the same names."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in query]
    return urlunsplit(parts._replace(query=urlencode([*kept, *query.items()])))


def next_link(response: requests.Response) -> str | None:
    """The address of the next page in the Link header (RFC 8288, rel=next)."""
    return absolute(response.url, response.links.get("next", {}).get("url"))


def same_origin(url: str, other: str) -> str:
    """`other`, if it has the scheme, host and port of `url`. Raises RetryLater."""
    ours, theirs = urlsplit(url), urlsplit(other)
    if (ours.scheme, ours.netloc.lower()) != (theirs.scheme, theirs.netloc.lower()):
        raise RetryLater(f"{_place(url)}: the next page is at another host: {_place(other)}")
    return other


def _place(url: str) -> str:
    """An address without its query, which may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
