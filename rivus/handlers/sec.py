"""The stage `sec.filing`: the document of a filing at the SEC, its items as text, or its form as fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rivus.handlers.bodies import HTML, keep_body
from rivus.handlers.fields import address_in, nested
from rivus.handlers.page import read_page
from rivus.handlers.secforms import form_fields
from rivus.handlers.secsections import sections
from rivus.model.outcome import ItemFailed, Json
from rivus.net.charset import content_type, decode_markup
from rivus.sources.keys import block, cut, one_line
from rivus.sources.markup import TooComplex

if TYPE_CHECKING:
    from rivus.model.context import Context

KINDS = (*HTML, "text/plain", "text/xml", "application/xml")
LONGEST_TEXT = 2_000_000
"""Characters of a report that are looked at."""
_SUBMISSION = re.compile(r"<SEC-DOCUMENT>|<IMS-DOCUMENT>|<DOCUMENT>")
_TYPE = re.compile(r"<TYPE>([^\s<]{1,40})")
_WRAPPED = re.compile(r"\s*<(XML|XBRL|PDF)>(.*?)(?:</\1>\s*|\Z)", re.DOTALL)
_PERIOD = re.compile(r"CONFORMED PERIOD OF REPORT:\s{1,20}(\d{4})(\d\d)(\d\d)\b")
_MARKUP = re.compile(r"<(?:html|body|div|p|table|font)\b", re.IGNORECASE)
_FORM = re.compile(r"\s*(?:<!--[^<>]*-->\s*)?<(?:\w+:)?(?:ownershipDocument|edgarSubmission)\b")
_HIDDEN = re.compile(r"<ix:header\b.*?(?:</ix:header\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_INLINE = re.compile(r"</?(?:ix:\w+|a|b|em|font|i|span|strong|sub|sup|u)(?=[\s/>])[^<>]*>", re.IGNORECASE)


class Document(NamedTuple):
    """A document of a submission. form: as the submission calls it, "" where that is not known; period: ISO date."""

    text: str
    form: str = ""
    period: str = ""


def filing(
    item: Json, ctx: Context, *, user_agent: str, items: list[str] | None = None, max_chars: int = 400_000,
    min_text: int = 200, url_field: str = "url", into: str | None = None,
) -> Json:  # fmt: skip
    """The main document of a filing: a report cut into its items, or a form of XML (3, 4, 5, D) as fields.

    Takes: the field named by `url_field`: the address of the document, or of the whole submission as text, as the
           strategies `sec_filings`, `sec_daily` and `sec_search` give it; of the fields of those `form`.
    Gives: `file` (`page.html.gz`: what came, byte for byte), `url` (after redirects), `form`, `period`; and of a report
           `text` (a line for each block), `sections`: a list of `{"part", "item", "title", "text"}` in the report's
           order (10-K, 10-Q, 8-K, 20-F; of others none), `truncated` if something was cut;
           of forms 3, 4, 5 `issuer` (`cik`, `name`, `symbol`), `persons` (`cik`, `name`, `relationship`,
           `officer_title`), `transactions` (`security`, `date`, `code`, `shares`, `price`, `acquired_disposed`,
           `shares_after`, `ownership`, `derivative`, and of derivatives `exercise_price`, `expires`, `underlying`,
           `underlying_shares`);
           of form D `issuer` (`cik`, `name`, `type`, `jurisdiction`, `city`, `state`), `amounts` (`offering`, `sold`,
           `remaining`: US dollars, or "Indefinite"), `minimum`, `investors`, `industry`, `revenue`, `first_sale`,
           `exemptions`, `amendment`, `persons` (`name`, `relationship`, `clarification`).

    user_agent: who asks: a name and an e-mail address, as the SEC demands.
    items:      only these items of a report (["1A", "7"], ["2.02"]; of a 10-Q also ["II.1A"]): `text` has them alone.
    max_chars:  of `text` and of each section. min_text: fewer characters than this are an error.
    into:       gives all of it as one field of that name.
    Raises ItemFailed for a document that is no text, other XML, too large (20 MB) or too complex, or lacks all of
    `items`; Halt for a user agent that is none or that the SEC does not take; SourceBlocked where the SEC was asked too
    often; RetryLater for an empty answer; otherwise what `rivus.net.session` says.

        fetch: {handler: sec.filing, limit: sec, with: {user_agent: "Ada Smith ada@example.org", items: ["7"]}}
    """
    from rivus.net.sec import ask
    from rivus.net.session import check

    response = check(ask(ctx.http, address_in(item, url_field), user_agent))
    header = response.headers.get("Content-Type", "")
    if content_type(header)[0] not in KINDS:
        raise ItemFailed(f"not a document of text: {one_line(content_type(header)[0], 100)}")
    document = main_document(decode_markup(response.content, header)[0])
    form = document.form or one_line(item.get("form"), 40)
    if is_xml(document.text):
        found = form_fields(document.text)
    else:
        found = report(document.text, form, items, max_chars)
        if len(found["text"]) < min_text:
            raise ItemFailed(f"the document has {len(found['text'])} characters of text, fewer than {min_text}")
    told = {"form": form, "period": document.period}
    known = {name: value for name, value in told.items() if value}
    return nested({"file": keep_body(ctx, response.content), "url": response.url, **known, **found}, into)


def main_document(text: str) -> Document:
    """The first document of a submission, which is the filing itself; of anything else all of it. Raises ItemFailed for
    one without documents, and for a PDF."""
    if not _SUBMISSION.search(text[:2_000]):
        return Document(text)
    head, begun, rest = text.partition("<TEXT>")
    body = rest.partition("</TEXT>")[0]
    wrapped, kind, period = _WRAPPED.match(body), _TYPE.search(head), _PERIOD.search(head)
    if not begun:
        raise ItemFailed("the submission has no document")
    if wrapped and wrapped[1] == "PDF":
        raise ItemFailed("the filing is a PDF")
    text = wrapped[2] if wrapped else body
    return Document(text, kind[1] if kind else "", "-".join(period.groups()) if period else "")


def is_xml(text: str) -> bool:
    """Whether a document is XML that no browser shows, as the forms are; the page of a report can be XML too."""
    head = text[:2_000].lower()
    shown = "<html" in head and "<companyfilings" not in head
    return bool(_FORM.match(text)) or (head.lstrip().startswith("<?xml") and not shown)


def report(text: str, form: str, items: list[str] | None, max_chars: int) -> Json:
    """Text and items of a report. items: those that are wanted. Raises ItemFailed as `filing` does."""
    whole = visible(text)
    found = sections(whole[:LONGEST_TEXT], form.upper().startswith("10-Q"))
    if items:
        wanted = {name.upper() for name in items}
        found = [section for section in found if wanted & {section.item, f"{section.part}.{section.item}"}]
        if not found:
            raise ItemFailed(f"the document has none of the items {', '.join(sorted(wanted))}")
    plain = "\n".join(section.text for section in found) if items else whole
    longest = max([len(plain), *(len(section.text) for section in found)])
    rows = [{**section._asdict(), "text": cut(section.text, max_chars)} for section in found]
    more = {"truncated": True} if longest > max_chars or len(whole) > LONGEST_TEXT else {}
    return {"text": cut(plain, max_chars), "sections": rows, **more}


def visible(text: str) -> str:
    """What a reader sees of a document, one line for each block. Raises ItemFailed for one that is too complex."""
    if not _MARKUP.search(text[:50_000]):
        return "\n".join(line.rstrip() for line in block(text, len(text) + 1).splitlines())
    try:
        # Reports mark their figures and fonts with tags by the ten thousand, none of which begins a block.
        return read_page(_INLINE.sub("", _HIDDEN.sub("", text)))[1]
    except TooComplex as error:
        raise ItemFailed(str(error)) from None
