"""The numbered items of a report to the SEC (10-K, 10-Q, 8-K, 20-F), found in its text by their headings.

A heading stands in the table of contents too, at times in references and at the top of each page. So of all places
where a line begins with an item's number, the one with the most text up to the next such line is the item; its text
then runs to the next item found that way. A 10-Q numbers its items anew in its second part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MOST = 200
LONGEST_HEADING = 250
_ITEM = re.compile(
    r"(?:PART\s{1,3}(?P<part>IV|I{1,3})\b[\s,.:;\u2013\u2014-]{0,5})?"
    r"ITEMS?\s{0,3}(?P<number>\d{1,2}(?:\.\d\d)?)\s?(?P<letter>[A-Z](?![A-Za-z]))?(?P<rest>(?![\w/]).*)",
    re.IGNORECASE,
)
_PART = re.compile(r"PART\s{1,3}(IV|I{1,3})\b", re.IGNORECASE)
_END = re.compile(r"SIGNATURES?\s*\W{0,3}", re.IGNORECASE)
_AROUND = " \t.:;,|\u2013\u2014\u2015-"


class Section(NamedTuple):
    """An item of a report. part: of a 10-K or 10-Q, in Roman numerals, "" without; item: `1A`, `2.02`."""

    part: str
    item: str
    title: str
    text: str


class _Heading(NamedTuple):
    line: int
    part: str
    item: str
    title: str


def sections(text: str, numbered_anew: bool = False) -> list[Section]:
    """The items in `text`, one line of which is a block of the report, in its order; at most 200.

    numbered_anew: in each part, as in a 10-Q; else a number means the same item everywhere.
    """
    lines = text.split("\n")
    headings = _headings(lines)
    best: dict[tuple[str, str], tuple[int, _Heading]] = {}
    for heading, end in _ends(headings, len(lines)):
        size = sum(len(line) for line in lines[heading.line + 1 : end])
        key = (heading.part if numbered_anew else "", heading.item)
        if key not in best or size > best[key][0]:
            best[key] = (size, heading)
    chosen = sorted(heading for _, heading in best.values())
    found = [_section(lines, heading, end) for heading, end in _ends(chosen, len(lines)) if heading.item]
    return [section for section in found if section.text][:MOST]


def _ends(headings: list[_Heading], last: int) -> Iterator[tuple[_Heading, int]]:
    """Each heading with the line of the next one, or the last of all."""
    for number, heading in enumerate(headings, 1):
        yield heading, headings[number].line if number < len(headings) else last


def _headings(lines: list[str]) -> list[_Heading]:
    """The lines that may begin an item, or (with an empty `item`) end the last one. A heading that is repeated with no
    other between goes on."""
    found: list[_Heading] = []
    part = ""
    for number, line in enumerate(lines):
        text = line.strip() if len(line) <= LONGEST_HEADING else ""
        if match := _ITEM.match(text):
            part = (match["part"] or part).upper()
            item = match["number"] + (match["letter"] or "").upper()
            heading = _Heading(number, part, item, match["rest"].strip(_AROUND))
        elif _END.fullmatch(text):
            heading = _Heading(number, "", "", "")
        else:
            part = opened[1].upper() if (opened := _PART.match(text)) else part
            continue
        if not found or found[-1][1:3] != heading[1:3]:
            found.append(heading)
    return found


def _section(lines: list[str], heading: _Heading, stop: int) -> Section:
    body = lines[heading.line + 1 : stop]
    if body and len(body[-1]) <= LONGEST_HEADING and _PART.match(body[-1].strip()):
        body.pop()
    title = heading.title
    if not title and len(body) > 1 and len(body[0]) <= LONGEST_HEADING:
        title, body = body[0].strip(_AROUND), body[1:]
    return Section(heading.part, heading.item, title, "\n".join(body).strip())
