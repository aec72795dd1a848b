"""Whatever is asked, the answer is a page or a refusal: never a 5xx, never markup that came from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from rivus.config import load_jobs
from rivus.dash.keeper import Keeper
from rivus.dash.queries import QUERIES
from rivus.dash.serve import Dashboard
from rivus.dash.setup import Setup
from rivus.index.tables import TABLES as INDEXED
from rivus.index.update import update, writing
from tests.dash.asking import Answer, Visitor
from tests.dash.house import HOSTILE, KEYS, make

pytest.importorskip("datasette")
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # Datasette's own

JOBS = ["dml", "earnings", "letters", "nope", "dml.json", "../dml", "", "DML", "d" * 300]
TABLES = [
    "items", "tickets", "runs", "failures", "verdicts", "limits", "sources", "jobs", "days", "day_sums", "folders",
    "facts", "search", "search_data", "job_dml", "data_dml", "job_earnings", "failed_today", "find", "cost_per_day",
    "what_waits", "slowest_stages", "retries_in_vain", "sqlite_master", "sqlite_sequence", "nope", "", "[x]", '"',
    "job_", "ITEMS",
]  # fmt: skip
COLUMNS = ["job", "key", "state", "id", "rowid", "title", "discovered", "published", "item", "nope", "", '"', "a]b"]
OPERATIONS = [
    "exact", "not", "contains", "endswith", "gt", "like", "glob", "in", "notin", "arraycontains", "date", "isnull__1",
    "notblank", "nope", "",
]  # fmt: skip
VALUES = [
    "", "0", "1", "-1", "99999999999999999999999", "1e400", "nan", "²", "failed", "%00", "%FF", "%ED%A0%80", "\\",
    "'", '"',
    "<script>alert(1)</script>", "null", "$null", "a,b,c", "[1", "{}", "*", "%", "~", "~7", "~ZZ", "../../etc/passwd",
    "on", "max", "array", "object", "objects", "csv", "json", "\u202etxet", "x" * 2000,
]  # fmt: skip
SPECIAL = [
    "_size", "_next", "_sort", "_sort_desc", "_sort_by_desc", "_facet", "_facet_date", "_facet_array", "_facet_size",
    "_shape",
    "_nl", "_json", "_json_infinity", "_col", "_nocol", "_search", "_search_title", "_searchmode", "_where",
    "_through", "_ttl", "_timelimit",
    "_labels", "_label", "_stream", "_dl", "_trace", "_context", "_header", "_blob_column", "_blob_hash",
    "_filter_column",
    "_filter_op", "_filter_value", "_extra", "_nofacet", "_nocount", "_nosuggest", "_show_hidden", "_hide_sql",
    "sql", "job", "words", "key", "class", "stage", "state", "page", "sort", "day", "hours", "q",
]  # fmt: skip
SQL = [
    "select 1", "select hex(randomblob(100000000))", "select zeroblob(1e9)", "drop table items", "pragma query_only=0",
    "attach 'x' as y", "select load_extension('x')", "with recursive a(b) as (select 1 union all select b+1 from a) "
    "select count(*) from a", "select * from items where key = :key", "explain select 1", "", ";", "select '", "vacuum",
    "select printf('%.*c', 100000000, 'x')", "select group_concat(title) from items, items, items",
    "select writefile('/tmp/x', 1)",
]  # fmt: skip
USUAL = ["", "", "", "", ".json", ".json", ".csv"]
FORMATS = [*USUAL, ".blob", ".jsono", ".db", ".nope", ".json.json", "/", ".html"]
ODD = ["-", ".", "..", "%", "%2", "%2F", "%00", "~2F", "1", "1,2"]
PARTS = st.sampled_from([*JOBS, *TABLES, *KEYS, *HOSTILE, *VALUES, *ODD])

RAW = ("<script>alert", "<b>bold", "onerror=alert(2)>")
"""Of hostile texts, what a page would show if it did not escape them."""

encoded = PARTS.map(lambda part: quote(part, safe=""))
text = st.one_of(st.sampled_from(VALUES), st.text(max_size=20), PARTS)
argument = st.one_of(
    st.tuples(st.sampled_from(SPECIAL), text),
    st.tuples(st.builds("{}__{}".format, st.sampled_from(COLUMNS), st.sampled_from(OPERATIONS)), text),
    st.tuples(st.sampled_from(COLUMNS), text),
    st.tuples(st.sampled_from(["_sort", "_facet", "_sort_desc", "_col"]), st.sampled_from(COLUMNS)),
    st.tuples(st.just("sql"), st.sampled_from(SQL)),
)
there = st.sampled_from([f"/rivus/{name}" for name in (*INDEXED, *QUERIES, "job_dml", "data_dml", "job_earnings")])
path = st.one_of(
    there,
    there,
    there,
    st.sampled_from(["/", "/rivus", "/job/dml", "/failures", "/limits", "/runs", "/stale"]),
    st.builds("/rivus/{}".format, st.sampled_from(TABLES)),
    st.builds("/rivus/{}/{}".format, st.sampled_from(TABLES), PARTS.map(quote)),
    st.builds("/job/{}".format, st.sampled_from(JOBS)),
    st.builds("/item/{}/{}".format, st.sampled_from(JOBS), encoded),
    st.builds("/failures/{}".format, encoded),
    st.sampled_from(["/_internal", "/-/versions", "/_memory", "/:memory:"]),
    st.builds("/static/{}".format, PARTS.map(quote)),
    st.builds("/-/{}".format, PARTS.map(quote)),
    st.lists(PARTS, max_size=4).map(lambda parts: "/" + "/".join(map(quote, parts))),
    st.lists(PARTS, max_size=4).map(lambda parts: "/" + "/".join(parts)),
)


@st.composite
def targets(draw: st.DrawFn) -> str:
    arguments = draw(st.lists(argument, max_size=4))
    query = "&".join(f"{quote(name)}={quote(value, safe='%')}" for name, value in arguments)
    return draw(path) + draw(st.sampled_from(FORMATS)) + (f"?{query}" if query else "")


class Markup(HTMLParser):
    """Looks for what a page may not have: script in it, style in it, handlers, links that are not to pages."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag in ("style", "iframe", "object", "embed", "base", "marquee"):
            self.wrong.append(tag)
        if tag == "script" and known.get("src") != "/static/rivus.js":
            self.wrong.append(f"script {known}")
        if tag == "img":
            self.wrong.append(f"img {known}")
        self.wrong += [name for name in known if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action", "xlink:href"):
            if not re.match(r"[/#?]|https?://|[a-z._]*[?#]|$", known.get(name) or "", re.IGNORECASE):
                self.wrong.append(f"{name}={known[name]}")


@pytest.fixture(scope="module", params=[False, True], ids=["", "with SQL"])
def visit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A dashboard over a small house; the parameter: whether visitors may write SQL."""
    root: Path = tmp_path_factory.mktemp("house")
    spool, jobs = make(root, 60), root / "jobs.d"
    with writing(spool, None):
        update(spool, load_jobs(jobs))
    setup = Setup(spool, jobs, allow_sql=request.param)
    Keeper(setup).look()
    assert setup.jobs.keys() == {"dml", "earnings", "letters"}
    dashboard = Dashboard(setup)
    visitor = Visitor(dashboard.app())
    visitor.runner.run(dashboard.invoke_startup())
    yield visitor
    visitor.runner.close()


def fine(answer: Answer, target: str) -> None:
    """Fails the test if an answer is one that nobody may get."""
    assert answer.status < 500, f"{target}: {answer.status} {answer.text[:2000]}"
    assert "Traceback" not in answer.body.decode("utf-8", "replace")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    location = answer.headers.get("location", "/")
    assert location.startswith("/") and not location.startswith(("//", "/\\")), f"{target}: sent to {location}"
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert Markup(answer.text).wrong == [], target
        assert not any(one in answer.text for one in RAW), target


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(target=targets())
def test_no_address_is_answered_with_a_fault(visit: Visitor, target: str) -> None:
    answer = visit(target)
    fine(answer, target)
    if "location" in answer.headers:
        fine(visit(answer.headers["location"]), f"{target} -> {answer.headers['location']}")


PAGES = [f"/{page}{form}" for page in ("", "failures", "limits", "runs", "stale", "job/dml") for form in ("", ".json")]
KNOWN = ["/rivus", *(f"/rivus/{name}" for name in (*INDEXED, *QUERIES, "job_dml", "data_dml", "job_letters"))]
SHOWN = [*PAGES, *KNOWN, *(f"{one}.json" for one in KNOWN), *(f"{one}.csv" for one in KNOWN[1:])]


@pytest.mark.parametrize("target", SHOWN)
def test_every_page_and_table_is_there_as_html_json_and_csv(visit: Visitor, target: str) -> None:
    answer = visit(target)
    fine(answer, target)
    assert answer.status == 200, answer.text[:2000]
    if target.endswith(".json"):
        assert answer.json


@pytest.mark.parametrize("key", KEYS)
def test_an_item_has_its_page_whatever_its_key_is(visit: Visitor, key: str) -> None:
    target = f"/item/dml/{quote(key, safe='').replace('.json', '%2Ejson')}"
    for one in (target, f"{target}.json"):
        answer = visit(one)
        fine(answer, one)
        assert answer.status == 200, f"{one}: {answer.text[:1000]}"
