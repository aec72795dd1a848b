"""The strategies `sec_filings`, `sec_daily` and `sec_search`: what companies have filed with the SEC (EDGAR).

The key of a filing is its accession number, so that all three find the same things. EDGAR's days are those of New
York; `filed` is the day under which a filing stands there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, Json, RetryLater
from rivus.net.sec import ask, ask_json, declared
from rivus.sources import edgar
from rivus.sources.addresses import web_address
from rivus.sources.dates import Span, span_of
from rivus.sources.days import days_of
from rivus.sources.edgar import Filing, Listed
from rivus.sources.keys import digest

WINDOW_DAYS = {"sec_daily": 30, "sec_search": 30}
"""Days that a back-fill asks for at once: a search has 10,000 hits at most. A company's filings come all together."""
ARCHIVES, DATA, SEARCH = "https://www.sec.gov", "https://data.sec.gov", "https://efts.sec.gov"
MOST_HITS = 10_000
MOST_OLDER = 100
"""Files with older submissions of one company; the largest banks have some 60."""


def sec_filings(
    look: Look,
    *,
    user_agent: str,
    ciks: list[str] | None = None,
    tickers: list[str] | None = None,
    forms: list[str] | None = None,
    base_url: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """What some companies, funds or persons have filed: at least the last year, or the last 1,000 filings.

        discover: {strategy: sec_filings, user_agent: "Ada Smith ada@example.org", tickers: [AAPL], forms: [10-K, 8-K],
                   limit: sec, every: 1h}

    user_agent: who asks: a name and an e-mail address, as the SEC demands.
    ciks:       their numbers at the SEC, in quotation marks ("0000320193").
    tickers:    or the symbols of their shares.
    forms:      only these forms, exactly: 10-K/A is another one than 10-K. Default: all.
    base_url:   one server in place of the SEC's own.
    since:      only what was filed from this day on (ISO 8601), however long ago; until: only what was filed before.

    The data has accession, cik (ten digits), company, form, filed, period (both dates), title, description, url (of
    the document; of the whole submission where that is not known), index_url, as far as they are known.
    Raises Halt for a user agent that is none, or that the SEC does not take, for a ticker without a company and for a
    span that is none; SourceBlocked where the SEC was asked too often; ItemFailed for a number that is nobody's;
    RetryLater for an answer that makes no sense.
    """
    declared(user_agent)
    days, wanted = _Days.of(span_of(since, until)), _Forms(forms)
    numbers = [_cik(cik) for cik in ciks or []] + _of_tickers(look, tickers or [], user_agent, _at(base_url, ARCHIVES))
    if not numbers:
        raise Halt("ciks, tickers: one of them is needed")
    for cik in dict.fromkeys(numbers):
        for filing in _submitted(look, cik, user_agent, _at(base_url, DATA), days):
            if filing.form in wanted and days.first <= filing.filed <= days.last:
                yield filing.found(_at(base_url, ARCHIVES))


def sec_daily(
    look: Look,
    *,
    user_agent: str,
    forms: list[str] | None = None,
    ciks: list[str] | None = None,
    days_back: int = 5,
    base_url: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """What was filed by anybody, from the index that EDGAR makes of each day late in its evening.

        discover: {strategy: sec_daily, user_agent: "Ada Smith ada@example.org", forms: [D, D/A], limit: sec, every: 6h}

    user_agent: who asks: a name and an e-mail address, as the SEC demands.
    forms:      only these forms, exactly: 4/A is another one than 4. Default: all, some thousands a day.
    ciks:       only filings of these, by their numbers at the SEC, in quotation marks ("0000320193").
    days_back:  days before today for which there may be a new index. A day that was read is not asked for again.
    base_url:   one server in place of the SEC's own.
    since:      the first day that is asked for instead (ISO 8601); until: the day before which to end.

    The data is that of `sec_filings`, but for period and description; url is that of the whole submission as text.
    parties: who else has part in it (`[{"cik", "company"}]`). Raises what `sec_filings` does.
    """
    declared(user_agent)
    wanted, numbers = _Forms(forms), {_cik(cik) for cik in ciks or []}
    first, last = days_of(span_of(since, until), days_back, 0)
    read = _days_read(look, digest(*sorted(wanted.names), "of", *sorted(numbers)), first)
    archives, today = _at(base_url, ARCHIVES), datetime.now(UTC).date()
    for day in (last - timedelta(days=number) for number in range((last - first).days + 1)):
        if day.isoformat() in read:
            continue
        listed = _of_day(look, day, user_agent, archives)
        for filing in listed.filings if listed else []:
            if filing.form in wanted and _concerns(filing, numbers):
                yield filing.found(archives)
        if listed and day < today:
            read.append(day.isoformat())
    if not read and (last - first).days >= 7:
        look.log.warning("EDGAR has no index of any day from %s to %s", first, last)


def sec_search(
    look: Look,
    *,
    user_agent: str,
    query: str = "",
    forms: list[str] | None = None,
    ciks: list[str] | None = None,
    days_back: int = 7,
    base_url: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Iterator[Found]:
    """Filings whose text, or that of their exhibits, has some words (full-text search, from 2001 on).

        discover: {strategy: sec_search, user_agent: "Ada Smith ada@example.org", query: '"reverse merger"',
                   forms: [8-K], limit: sec, every: 2h}

    user_agent: who asks: a name and an e-mail address, as the SEC demands.
    query:      the words, phrases in quotation marks, OR, -without; default: any text, of `forms` or `ciks`.
    forms:      only these forms, exactly. ciks: only filings of these, by their numbers at the SEC, in quotation marks.
    days_back:  days before today that are searched. A search has 10,000 hits at most, of which a filing can be several.
    base_url:   one server in place of the SEC's own.
    since:      the first day that is searched instead (ISO 8601); until: the day before which to end.

    The data is that of `sec_filings`, with `parties` as in `sec_daily`; url is the document that has the words.
    Raises what `sec_filings` does.
    """
    declared(user_agent)
    wanted, numbers = _Forms(forms), [_cik(cik) for cik in ciks or []]
    if not (query.strip() or forms or numbers):
        raise Halt("query, forms, ciks: one of them is needed")
    first, last = days_of(span_of(since, until), days_back, 0)
    span = {"dateRange": "custom", "startdt": first.isoformat(), "enddt": last.isoformat()}
    more = {"q": query, "forms": ",".join(sorted(wanted.names)), "ciks": ",".join(numbers)}
    asked = {**span, **{name: value for name, value in more.items() if value}}
    taken: set[str] = set()
    for filing in _searched(look, asked, user_agent, _at(base_url, SEARCH)):
        if filing.accession not in taken and filing.form in wanted:
            taken.add(filing.accession)
            yield filing.found(_at(base_url, ARCHIVES))


class _Days(NamedTuple):
    """The first and the last day as texts, "" and "9999" where a span is open. A day that is in it in part counts."""

    first: str
    last: str

    @staticmethod
    def of(span: Span) -> _Days:
        first = span.since.date().isoformat() if span.since else ""
        return _Days(first, (span.until - timedelta(microseconds=1)).date().isoformat() if span.until else "9999")


class _Forms:
    """The names of forms that are wanted; none means all."""

    def __init__(self, names: list[str] | None) -> None:
        self.names = {name.strip().upper() for name in names or []}

    def __contains__(self, form: str) -> bool:
        return not self.names or form.upper() in self.names


def _at(base_url: str | None, server: str) -> str:
    return web_address(base_url, "base_url").rstrip("/") if base_url else server


def _cik(cik: str) -> str:
    number = edgar.cik_of(cik)
    if number is None:
        raise Halt(f"ciks: {cik!r} is no number that the SEC gives (at most ten digits)")
    return number


def _of_tickers(look: Look, tickers: list[str], user_agent: str, archives: str) -> list[str]:
    """The numbers behind symbols, which the cursor keeps: the SEC has them in one file of a megabyte."""
    names = [ticker.strip().upper().replace(".", "-") for ticker in tickers]
    if not names:
        return []
    kept = look.cursor.get("tickers")
    known: Json = kept if isinstance(kept, dict) and all(edgar.cik_of(kept.get(name)) for name in names) else {}
    if not known:
        answer = ask_json(look.http, f"{archives}/files/company_tickers.json", user_agent)
        rows = [row for row in answer.values() if isinstance(row, dict)] if isinstance(answer, dict) else []
        known = {str(row.get("ticker")).upper(): edgar.cik_of(row.get("cik_str")) for row in rows}
    for name in names:
        if not known.get(name):
            raise Halt(f"tickers: the SEC knows no company {name}")
    look.cursor["tickers"] = {name: known[name] for name in names}
    return [known[name] for name in names]


def _submitted(look: Look, cik: str, user_agent: str, data: str, days: _Days) -> Iterator[Filing]:
    answer = _object(ask_json(look.http, f"{data}/submissions/CIK{cik}.json", user_agent), cik)
    company = str(answer.get("name") or "")
    yield from _sound(look, edgar.submissions(answer, cik, company), f"the submissions of {cik}")
    for older in edgar.older_files(answer)[:MOST_OLDER] if days.first else []:
        if older.last >= days.first and older.first <= days.last:
            page = _object(ask_json(look.http, f"{data}/submissions/{older.name}", user_agent), cik)
            yield from _sound(look, edgar.submissions(page, cik, company), older.name)


def _of_day(look: Look, day: date, user_agent: str, archives: str) -> Listed | None:
    """The index of a day; None if there is none: a weekend, a holiday, or too early."""
    folder = f"{archives}/Archives/edgar/daily-index/{day.year}/QTR{(day.month + 2) // 3}"
    response = ask(look.http, f"{folder}/master.{day:%Y%m%d}.idx", user_agent)
    if response.status_code == 404:
        return None
    listed = edgar.day_index(response.content.decode("latin-1"))
    _sound(look, listed, f"the index of {day}")
    return listed


def _searched(look: Look, asked: dict[str, str], user_agent: str, search: str) -> Iterator[Filing]:
    start, total = 0, 1
    while start < min(total, MOST_HITS):
        query = {**asked, "from": str(start)} if start else asked
        answer = _object(ask_json(look.http, f"{search}/LATEST/search-index", user_agent, query), "the search")
        page = edgar.page_of_hits(answer)
        if page is None or answer.get("timed_out"):
            raise RetryLater("EDGAR's search has no answer now")
        yield from _sound(look, page.listed, "the search")
        if not page.hits:
            return
        start, total = start + page.hits, page.total
    if total >= MOST_HITS:
        look.log.warning("the search has 10,000 hits or more, of which the rest cannot be had: ask for fewer days")


def _sound(look: Look, listed: Listed | None, what: str) -> list[Filing]:
    """The filings of a list. Raises RetryLater if it is none."""
    if listed is None:
        raise RetryLater(f"{what}: EDGAR's answer has no filings")
    if listed.unfit:
        look.log.warning("%s: %d filings make no sense and are left out", what, listed.unfit)
    return listed.filings


def _object(answer: Any, what: str) -> Json:
    if not isinstance(answer, dict):
        raise RetryLater(f"{what}: EDGAR's answer is no object")
    return answer


def _concerns(filing: Filing, numbers: set[str]) -> bool:
    return not numbers or bool(numbers & {filing.cik, *(cik for cik, _ in filing.parties)})


def _days_read(look: Look, asked: str, first: date) -> list[str]:
    """The days from `first` on whose index was read in search of the same, in the cursor: what is added is kept."""
    kept = look.cursor.get("read")
    before = kept.get("days") if isinstance(kept, dict) and kept.get("asked") == asked else None
    days = [str(day) for day in before if str(day) >= first.isoformat()] if isinstance(before, list) else []
    look.cursor["read"] = {"asked": asked, "days": days}
    return days
