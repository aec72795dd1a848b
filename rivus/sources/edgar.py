"""Filings as EDGAR lists them: the submissions of a company, the index of a day, the answer to a search.

Everything here is pure: what a server has answered goes in, filings come out, and how many entries made no sense.
Addresses are built from numbers that were checked, never taken as they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import zip_longest
from typing import Any, NamedTuple

from rivus.model.context import Found
from rivus.model.outcome import Json
from rivus.sources.keys import one_line

_ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}", re.ASCII)
_CIK = re.compile(r"\d{1,10}", re.ASCII)
_IN_INDEX = re.compile(r"edgar/data/(\d{1,10})/(\d{10}-\d{2}-\d{6})\.txt", re.ASCII)
_FILE = re.compile(r"(?:xsl[\w-]{1,40}/)?([\w-][\w.-]{0,200})", re.ASCII)
"""A document's file; in a folder `xsl…` the same, made fit for reading."""
_OLDER = re.compile(r"CIK\d{10}-submissions-\d{3,6}\.json", re.ASCII)
_DISPLAYED = re.compile(r"(.*?)\s*(?:\(([^()]{1,100})\)\s*)?\(CIK (\d{1,10})\)\s*", re.ASCII | re.DOTALL)
_HEADER = "CIK|Company Name|Form Type|Date Filed|File Name"
_LONGEST_NAME = 300


@dataclass(frozen=True, slots=True)
class Filing:
    """A filing. cik: ten digits; filed, period: ISO dates; document: the file's name, "" if it is not known; parties:
    who else has part in it, as (CIK, name)."""

    accession: str
    cik: str
    company: str
    form: str
    filed: str
    period: str = ""
    document: str = ""
    about: str = ""
    parties: tuple[tuple[str, str], ...] = field(default=())

    def found(self, archives: str) -> Found:
        """It as a found thing. archives: where EDGAR's archives are."""
        folder = f"{archives}/Archives/edgar/data/{int(self.cik)}/{self.accession.replace('-', '')}"
        data: Json = {
            "url": f"{folder}/{self.document or f'{self.accession}.txt'}",
            "index_url": f"{folder}/{self.accession}-index.htm",
            "title": f"{self.company or self.cik} {self.form} {self.filed}",
            "cik": self.cik, "company": self.company, "form": self.form, "filed": self.filed,
            "accession": self.accession, "period": self.period, "description": self.about,
            "parties": [{"cik": cik, "company": name} for cik, name in self.parties],
        }  # fmt: skip
        return Found(self.accession, {name: value for name, value in data.items() if value})


class Listed(NamedTuple):
    """The filings in EDGAR's order, each once; how many entries made no sense."""

    filings: list[Filing]
    unfit: int = 0


class Page(NamedTuple):
    """A page of a search: the filings, the hits they were made of, and how many hits there are in all."""

    listed: Listed
    hits: int
    total: int


class Older(NamedTuple):
    """A file with a company's older submissions: its name, the first and last day in it."""

    name: str
    first: str
    last: str


def cik_of(value: object) -> str | None:
    """A CIK as ten digits; None for what is none."""
    text = str(value).strip().upper().removeprefix("CIK")
    return f"{int(text):010d}" if _CIK.fullmatch(text) and int(text) else None


def submissions(answer: Json, cik: str, company: str) -> Listed | None:
    """The filings in `filings.recent`, or in an older file, whose columns stand at the top. None if there are none."""
    outer = answer.get("filings")
    table = outer.get("recent") if isinstance(outer, dict) else answer
    names = ("accessionNumber", "form", "filingDate", "reportDate", "primaryDocument", "primaryDocDescription")
    columns = [table.get(name) for name in names] if isinstance(table, dict) else []
    if not columns or not all(isinstance(column, list) for column in columns[:3]):
        return None
    rows = zip_longest(*(column if isinstance(column, list) else [] for column in columns))
    return _listed(_submission(cik, company, *row) for row in rows)


def older_files(answer: Json) -> list[Older]:
    """The files with what is no longer in `filings.recent`."""
    outer = answer.get("filings")
    files = outer.get("files") if isinstance(outer, dict) else None
    found = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    return [
        Older(str(file["name"]), str(file.get("filingFrom") or "0000"), str(file.get("filingTo") or "9999"))
        for file in found
        if _OLDER.fullmatch(str(file.get("name")))
    ]


def day_index(text: str) -> Listed | None:
    """The filings in `master.YYYYMMDD.idx`, the text of which is Latin-1. None if it is no such index."""
    head, ruled, rows = text.partition("\n-----")
    if not ruled or _HEADER not in head:
        return None
    return _listed(_indexed(row) for row in rows.splitlines()[1:] if row.strip())


def page_of_hits(answer: Json) -> Page | None:
    """What an answer of the full-text search holds. None if it is none."""
    outer = answer.get("hits")
    found, total = (outer.get("hits"), outer.get("total")) if isinstance(outer, dict) else (None, None)
    count = total.get("value") if isinstance(total, dict) else total
    if not isinstance(found, list) or not isinstance(count, int):
        return None
    return Page(_listed(_hit(hit) for hit in found), len(found), count)


def _listed(read: Iterable[Filing | None]) -> Listed:
    """A filing stands in the index once for each who has part in it, and among hits once for each document."""
    filings: dict[str, Filing] = {}
    unfit = 0
    for filing in read:
        if filing is None:
            unfit += 1
        else:
            known = filings.get(filing.accession)
            filings[filing.accession] = _joined(known, filing) if known else filing
    return Listed(list(filings.values()), unfit)


def _joined(known: Filing, again: Filing) -> Filing:
    more = dict.fromkeys([*known.parties, (again.cik, again.company), *again.parties])
    return replace(known, parties=tuple(each for each in more if each[0] != known.cik))


def _submission(cik: str, company: str, *row: Any) -> Filing | None:
    accession, form, filed, period, document, about = row
    return _checked(accession, cik, company, form, filed, period, document, about)


def _indexed(row: str) -> Filing | None:
    parts = row.split("|")
    place = _IN_INDEX.fullmatch(parts[-1].strip())
    if len(parts) < 5 or not place:
        return None
    return _checked(place[2], parts[0], "|".join(parts[1:-3]), parts[-3], parts[-2])


def _hit(hit: Any) -> Filing | None:
    source = hit.get("_source") if isinstance(hit, dict) else None
    if not isinstance(source, dict):
        return None
    accession, _, document = str(hit.get("_id")).partition(":")
    named = [match for name in _list(source.get("display_names")) if (match := _DISPLAYED.fullmatch(str(name)[:500]))]
    parties = [(cik, one_line(match[1], _LONGEST_NAME)) for match in named if (cik := cik_of(match[3]))]
    cik, company = parties[0] if parties else (next(_list(source.get("ciks")), None), "")
    form, filed, period = (source.get(name) for name in ("form", "file_date", "period_ending"))
    about = source.get("file_description") or source.get("file_type")
    filing = _checked(source.get("adsh") or accession, cik, company, form, filed, period, document, about)
    return replace(filing, parties=tuple(parties[1:])) if filing else None


def _checked(
    accession: Any, cik: Any, company: Any, form: Any, filed: Any, period: Any = "", document: Any = "", about: Any = ""
) -> Filing | None:
    number, day = cik_of(cik), _day(filed)
    kind = one_line(form, 40)
    if not isinstance(accession, str) or not _ACCESSION.fullmatch(accession) or not number or not day or not kind:
        return None
    file = _FILE.fullmatch(str(document or ""))
    name = one_line(company, _LONGEST_NAME)
    return Filing(accession, number, name, kind, day, _day(period) or "", file[1] if file else "", one_line(about, 300))


def _list(value: Any) -> Iterator[Any]:
    return iter(value if isinstance(value, list) else ())


def _day(value: Any) -> str | None:
    try:
        return date.fromisoformat(str(value).strip()).isoformat()
    except ValueError:
        return None
