"""The stage `web.fields`: fields of a page, each by a CSS selector."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Required, TypeAlias, TypedDict, get_args

from rivus.handlers.bodies import body_of, keep_body
from rivus.handlers.fields import nested
from rivus.handlers.page import parse_as_is
from rivus.model.outcome import Halt, ItemFailed, Json
from rivus.net.charset import decode_markup
from rivus.sources.addresses import absolute
from rivus.sources.dates import from_iso, from_mail
from rivus.sources.keys import block, one_line
from rivus.sources.markup import TooComplex

if TYPE_CHECKING:
    from rivus.model.context import Context

Type: TypeAlias = Literal["text", "number", "date", "url", "html"]
MOST = 1_000
"""Values of one field."""
LONGEST = 100_000
MOST_READ = 10_000_000
"""Characters that are looked at for one field: elements in one another hold the same text again and again."""
LARGEST = 2**53
"""From here on whole numbers are no longer exact everywhere."""
_NUMBER = re.compile(r"[-+\u2212]?\d[\d.,'\u2019\u00a0\u202f]{0,40}")
_GROUPS = re.compile(r"\d{1,3}([,.'\u2019\u00a0\u202f])\d{3}(?:\1\d{3})*|\d+")


class Rule(TypedDict, total=False):
    """What stands in `fields` for one field, as `Wanted` has it."""

    select: Required[str]
    type: Type
    attribute: str
    required: bool
    many: bool
    decimal: Literal[".", ","]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One field: what stands in `fields`, checked."""

    select: str
    type: str = "text"
    attribute: str | None = None
    required: bool = False
    many: bool = False
    decimal: str = "."

    def __post_init__(self) -> None:
        texts = (self.select, self.type, self.attribute or "", self.decimal)
        if not all(isinstance(text, str) for text in texts) or not self.select.strip():
            raise ValueError("`select`, `type`, `attribute` and `decimal` are texts, and `select` is needed")
        if not isinstance(self.required, bool) or not isinstance(self.many, bool):
            raise ValueError("`required` and `many` are true or false")
        if self.type not in get_args(Type) or self.decimal not in (".", ","):
            raise ValueError(f"`type` is one of {', '.join(get_args(Type))}; `decimal` is . or ,")


def fields(
    item: Json, ctx: Context, *, fields: dict[str, str | Rule], url_field: str = "url", file_field: str | None = None,
    into: str | None = None,
) -> Json:  # fmt: skip
    """Fields of a page: the text of the first element that each selector finds, or what else is asked for.

    Takes: the field named by `url_field`: an http or https address; or, with `file_field`, a page that `web.page` has
           kept: it is not fetched again.
    Gives: each field that was found, under its name; `url` (after redirects) and, if the page was fetched, `file`
           (`page.html.gz`).

    fields:     name -> selector, or a mapping with `select` and any of `type` (text; number; date, in UTC; url, made
                absolute; html), `attribute` (instead of the text), `required`, `many` (a list of all that are found)
                and `decimal` (the sign before decimals: `.`, or `,` as in 1.299,00 €).
    file_field: as for `web.article`. into: gives all of it as one field of that name.
    Raises ItemFailed that names the required fields which are not there, or not of their type, and for a page without
    any; Halt for a selector that is none; otherwise as `web.page`. Scripts and comments cannot be selected.

        price: {handler: web.fields, with: {fields: {title: h1, price: {select: span.price, type: number}}}}
    """
    wanted = {name: _wanted(name, rule) for name, rule in fields.items()}
    if not wanted:
        raise Halt("`fields` is empty")
    body = body_of(item, ctx, url_field, file_field)
    html, _ = decode_markup(body.content, body.header)
    found = found_in(html, body.url, wanted)
    kept = {} if file_field else {"file": keep_body(ctx, body.content)}
    return nested({"url": body.url, **kept, **found}, into)


def found_in(html: str, url: str, wanted: Mapping[str, Wanted]) -> Json:
    """The fields of a page at `url` that are there. Raises ItemFailed and Halt as `fields` does."""
    try:
        tree: Any = parse_as_is(html)
    except TooComplex as error:
        raise ItemFailed(str(error)) from None
    base = tree.css_first("base[href]")
    address = (base and absolute(url, base.attributes.get("href"))) or url
    values = {name: list(islice(_values(tree, each, name, address), MOST if each.many else 1))
              for name, each in wanted.items()}  # fmt: skip
    missing = [name for name, each in wanted.items() if each.required and not values[name]]
    if missing or not any(values.values()):
        raise ItemFailed(f"the page has no {', '.join(missing or wanted)}")
    return {name: found if wanted[name].many else found[0] for name, found in values.items() if found}


def number_in(text: str, decimal: str = ".") -> int | float | None:
    """The first number in a text; None if there is none, it is too large, or its signs make no
    sense (`1,29` where `.` is decimal)."""
    match = _NUMBER.search(text)
    if match is None:
        return None
    digits = match[0].rstrip(".,'\u2019\u00a0\u202f")
    sign, digits = (digits[0], digits[1:]) if not digits[0].isdigit() else ("", digits)
    whole, _, rest = digits.partition(decimal)
    grouped = _GROUPS.fullmatch(whole)
    if grouped is None or not (rest.isascii() and (rest.isdecimal() or rest == "")):
        return None
    plain = re.sub(r"\D", "", whole)
    value = float(f"{plain}.{rest}") if rest else int(plain)
    if value >= LARGEST:
        return None
    return -value if sign in ("-", "\u2212") else value


def _wanted(name: str, rule: str | Rule) -> Wanted:
    given: dict[str, Any] = {"select": "", **rule} if isinstance(rule, dict) else {"select": rule}
    if unknown := [one for one in given if one not in Rule.__annotations__]:
        raise Halt(f"fields.{name}: {unknown[0]!r} is none of {', '.join(Rule.__annotations__)}")
    try:
        return Wanted(**given)
    except ValueError as error:
        raise Halt(f"fields.{name}: {error}") from None


def _values(tree: Any, wanted: Wanted, name: str, url: str) -> Iterator[Any]:
    try:
        nodes = tree.css(wanted.select)
    except Exception as error:  # noqa: BLE001 - the parser's own errors have no common class
        raise Halt(f"fields.{name}: {wanted.select!r} is not a CSS selector: {one_line(error, 100)}") from None
    read = 0
    for node in islice(nodes, MOST):
        raw = _raw(node, wanted)
        read += len(raw)
        if read > MOST_READ:
            raise ItemFailed(f"fields.{name}: {wanted.select!r} finds more text than is read")
        value = _typed(raw[:LONGEST], wanted, url)
        if value is not None and value != "":
            yield value


def _raw(node: Any, wanted: Wanted) -> str:
    given = node.attributes
    attribute = wanted.attribute or {"url": "href" if "href" in given else "src"}.get(wanted.type)
    if wanted.type == "date" and attribute is None and "datetime" in given:
        attribute = "datetime"
    if attribute is not None:
        return given.get(attribute) or ""
    return (node.html or "") if wanted.type == "html" else node.text(deep=True, separator="")


def _typed(raw: str, wanted: Wanted, url: str) -> Any:
    if wanted.type == "html":
        return block(raw, LONGEST)
    text = one_line(raw, LONGEST)
    if wanted.type == "number":
        return number_in(text, wanted.decimal)
    if wanted.type == "url":
        return absolute(url, text) if text else None
    return (from_iso(text) or from_mail(text)) if wanted.type == "date" else text
