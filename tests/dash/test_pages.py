"""Pages show what the spool holds: every count, every item, every reason; and what they offer to paste works."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("datasette")

from rivus.config import load_jobs
from rivus.dash.keeper import Keeper
from rivus.dash.pages import words
from rivus.dash.pages.answer import asked
from rivus.dash.pages.trends import percentiles
from rivus.dash.serve import Dashboard
from rivus.dash.setup import Setup
from rivus.index.update import update, writing
from rivus.model.item import file_name
from rivus.model.plan import Plan
from rivus.spool.layout import Spool, open_spool
from rivus.tell.look import counts
from rivus.versions.parts import version_of
from tests.conftest import House
from tests.dash.asking import Answer, Visitor
from tests.dash.house import HOSTILE, KEYS, PLANS, make


@dataclass
class Site:
    """A dashboard over a house, asked in this process."""

    house: House
    spool: Spool
    visit: Visitor

    def update(self) -> None:
        """Brings the index up to date."""
        with writing(self.spool, None):
            update(self.spool, load_jobs(self.house.root / "jobs.d"))

    def json(self, address: str) -> Any:
        answer = self.visit(address)
        assert answer.status == 200, answer.text
        return answer.json

    def page(self, address: str) -> str:
        answer = self.visit(address)
        assert answer.status == 200, answer.text
        return answer.text


def site_of(root: Path, spool: Spool) -> Site:
    setup = Setup(spool, root / "jobs.d")
    Keeper(setup).look()
    dashboard = Dashboard(setup)
    visitor = Visitor(dashboard.app())
    visitor.runner.run(dashboard.invoke_startup())
    return Site(House(root), spool, visitor)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A busy house that no test changes."""
    root = tmp_path_factory.mktemp("house")
    site = site_of(root, make(root, 600))
    yield site
    site.visit.runner.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Site]:
    """A house of one job, with two items in it, for tests that change it."""
    (tmp_path / "jobs.d").mkdir()
    (tmp_path / "spool").mkdir()
    house = House(tmp_path)
    house.job("demo", "stages: {fetch: {command: [cat]}, score: {command: [cat]}}\ncolumns: {title: data.title}\n")
    house.run("rivus-inject", "demo", stdin='{"id": "a", "title": "one"}\n{"id": "it\'s/b", "title": "two"}\n')
    site = site_of(tmp_path, open_spool(str(tmp_path / "spool")))
    yield site
    site.visit.runner.close()


def stored(document: dict[str, Any]) -> str:
    return json.dumps(document)


def test_home_counts_what_is_in_the_spool(site: Site) -> None:
    for job in site.json("/.json")["jobs"]:
        boxes = counts(site.spool, job["name"], list(PLANS[job["name"]]))
        assert {stage["name"]: stage["states"] for stage in job["stages"]} == {
            stage: {box: count for box, count in found.items() if count} for stage, found in boxes.items()
        }


def test_every_count_of_home_leads_to_as_many_rows(site: Site) -> None:
    pattern = r'href="(/job/[^"]+_state=\w+)".*?<b>([\d,]+)</b>'
    links = [(unescape(link), int(count.replace(",", ""))) for link, count in re.findall(pattern, site.page("/"))]
    assert len(links) > 20
    for link, count in links:
        path, _, query = link.partition("?")
        assert site.json(f"{path}.json?{query}")["total"] == count, link


def test_home_says_what_stands_still_why_and_what_lets_it_go_on(site: Site) -> None:
    needs = {(one["kind"], one["short"]): one for one in site.json("/.json")["needs"]}
    paused = needs["paused", "rivus-limit unpause earnings"]
    assert paused["grave"] and paused["why"] == "the credential finnhub_token is missing"
    assert needs["parked", "rivus-limit resume finnhub"]["grave"]
    assert not needs["parked", "rivus-limit resume youtube"]["grave"]


def test_home_names_the_failures_that_only_a_person_moves(site: Site) -> None:
    needs = [one for one in site.json("/.json")["needs"] if one["kind"] in ("held", "failed")]
    assert needs[0]["kind"] == "held"
    told = " ".join(one["what"] for one in needs)
    assert "parser_broken" in told and "gone_permanently" in told and "transient_network" not in told
    for one in needs:
        group = one["href"].rpartition("/")[2]
        assert one["command"].endswith(f" {group}") and site.json(f"{one['href']}.json")["group"]["items"] > 0


def test_home_is_calm_when_nothing_needs_a_person(small: Site) -> None:
    assert small.json("/.json")["needs"] == []
    assert "Nothing needs you" in small.page("/")


def test_home_says_that_nobody_sweeps(small: Site) -> None:
    later = Path(small.spool.root, "demo/fetch/later/a.json")
    Path(small.spool.root, "demo/fetch/ready/a.json").rename(later)
    os.utime(later, (time.time() - 4000,) * 2)
    small.update()
    (found,) = small.json("/.json")["needs"]
    assert (found["kind"], found["short"]) == ("overdue", "rivus-sweep") and found["grave"]


def test_home_says_which_job_file_is_not_sound(small: Site) -> None:
    small.house.job("demo", "stages: {fetch: {comand: [cat]}}\n")
    small.update()
    found = next(one for one in small.json("/.json")["needs"] if one["kind"] == "broken")
    assert "demo.yaml:1:10" in found["why"] and found["short"] == "rivus-check"


def test_home_says_which_source_has_gone_quiet(small: Site) -> None:
    small.house.job("demo", 'discover: {strategy: files, glob: "in/*", every: 1h}\nstages: {fetch: {command: [cat]}}\n')
    for day in range(1, 9):
        meta = {"discovered": f"2026-01-0{day}T00:00:00.000Z"}
        document = {"job": "demo", "key": f"k{day}", "data": {}, "meta": meta}
        Path(small.spool.births("demo"), f"k{day}.json").write_text(stored(document))
    for key in ("a", "it's/b"):
        Path(small.spool.births("demo"), file_name(key)).unlink()
    looks = {"looks": [{"t": "2026-01-08T00:00:00.000Z", "seen": 1, "new": 1}]}
    Path(small.spool.root, "demo/discover/looks.json").write_text(stored(looks))
    small.update()
    assert [one["short"] for one in small.json("/.json")["needs"]] == ["rivus-discover -v demo"]


def test_what_is_not_known_is_never_shown_as_no_cost(site: Site) -> None:
    totals = site.json("/.json")["totals"]
    assert totals["usd_month"] > 0
    assert words.usd(None) == "–" and words.usd(0.00042) == "$0.0004"


def test_a_jobs_columns_come_first_in_the_order_of_its_file(site: Site) -> None:
    names = [column["name"] for column in site.json("/job/dml.json")["columns"]]
    assert names == ["title", "published", "topic", "score", "words", "discovered"]


@pytest.mark.parametrize("column", ["title", "score", "published", "discovered"])
@pytest.mark.parametrize("way", ["_sort", "_sort_desc"])
def test_a_job_is_sorted_by_any_column_and_pages_do_not_overlap(site: Site, column: str, way: str) -> None:
    seen: list[Any] = []
    keys: list[str] = []
    for page in range(1, 10):
        found = site.json(f"/job/dml.json?{way}={column}&_page={page}")
        seen += [row["values"][column] for row in found["rows"]]
        keys += [row["key"] for row in found["rows"]]
    assert len(keys) == len(set(keys)) == found["total"] == 420
    known = [value for value in seen if value is not None]
    assert known == sorted(known, reverse=way == "_sort_desc") and len(known) > 300


def test_filters_narrow_a_job_down_and_go_on_to_the_table(site: Site) -> None:
    found = site.json("/job/dml.json?topic=earnings&state=done")
    assert found["total"] > 5 and {row["values"]["topic"] for row in found["rows"]} == {"earnings"}
    assert site.json(found["table"].replace("?", ".json?"))["filtered_table_rows_count"] == found["total"]


def test_a_number_in_an_address_finds_the_number_in_a_column(site: Site) -> None:
    found = site.json("/job/letters.json?year=2003")
    assert found["total"] > 0 and {row["values"]["year"] for row in found["rows"]} == {2003}


def test_columns_with_few_values_are_facets_with_counts(site: Site) -> None:
    facets = {facet["name"]: facet["values"] for facet in site.json("/job/dml.json")["facets"]}
    assert facets.keys() == {"state", "topic"}
    assert sum(one["n"] for one in facets["state"]) == 420
    for one in facets["topic"]:
        path, _, query = one["href"].partition("?")
        assert site.json(f"{path}.json?{query}")["total"] == one["n"]


def test_search_finds_words_and_beginnings_of_words(site: Site) -> None:
    found = site.json("/job/dml.json?_search=squeeze%20nob")
    assert found["total"] > 5 and all("squeeze nobody" in row["values"]["title"] for row in found["rows"])
    for odd in ("%22", "%22)%20OR%201", "*", "NEAR(", "%00", "%F0%9F%90%82"):
        site.json(f"/job/dml.json?_search={odd}")


@pytest.mark.parametrize("query", ["_sort=nope", "_page=-1", "_page=%C2%B2", "_page=99999999", "state=x", "_stage=x"])
def test_what_a_job_cannot_be_asked_is_passed_over(site: Site, query: str) -> None:
    site.page(f"/job/dml?{query}")


def test_durations_are_of_all_stages(site: Site) -> None:
    found = site.json("/job/dml.json")["durations"]
    assert found.keys() == {"fetch", "extract", "score"}
    assert found["fetch"]["p95"] > found["fetch"]["p50"] > found["extract"]["p50"] > 0


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentiles([]) == (None, None)
    assert percentiles([3.0]) == (3.0, 3.0)
    assert percentiles([float(n) for n in range(1, 101)]) == (50, 95)


def test_an_item_shows_its_data_stages_story_and_reasons(site: Site) -> None:
    held = site.json("/job/dml.json?extract_state=held")["rows"][0]
    found = site.json(f"{held['href']}.json")
    stages = {stage["name"]: stage for stage in found["stages"]}
    assert [stages[name]["state"] for name in ("fetch", "extract", "score")] == ["done", "held", "wait"]
    assert stages["fetch"]["output"]["words"] > 0 and stages["fetch"]["receipt"]["host"] == "house"
    last = stages["extract"]["attempts"][-1]
    assert last["class"] == "parser_broken" and last["today"]["rule"]
    assert found["reasons"][0]["stage"] == "score" and "held" in found["reasons"][1]["text"]
    assert found["story"][0]["what"] == "found and published"


@pytest.mark.parametrize("key", KEYS)
def test_an_item_is_found_whatever_its_key_is(site: Site, key: str) -> None:
    address = words.item("dml", key)
    assert key in unescape(site.page(address))
    assert site.json(f"{address}.json")["key"] == key


def test_the_address_of_a_key_that_ends_in_json_can_be_typed_by_hand(site: Site) -> None:
    assert site.json("/item/dml/key.json")["key"] == "key.json"


def test_no_text_from_outside_becomes_markup(site: Site) -> None:
    for number, text in enumerate(HOSTILE[:3]):
        page = site.page(words.item("dml", KEYS[number]))
        assert text not in page or "<" not in text
        assert text.replace("\n", " ")[:20] in unescape(page)


@pytest.mark.parametrize(
    "address",
    ["/job/nope", "/item/dml/nope", "/item/nope/x", "/item/dml/" + "x" * 900, "/item/dml/%FF%00", "/failures/nope",
     "/failures/0123456789abcdef", "/job/%3Cb%3E", "/item/dml/..", "/item/../x"],
)  # fmt: skip
def test_what_is_not_there_is_a_page_of_ours(site: Site, address: str) -> None:
    answer: Answer = site.visit(address)
    assert answer.status == 404 and 'class="brand"' in answer.text and "<b>" not in answer.text


def test_the_commands_of_an_item_can_be_pasted(small: Site) -> None:
    found = small.json(words.item("demo", "it's/b") + ".json")
    able = {one["what"]: one["command"] for one in found["commands"]}
    shown = small.house.shell(able["everything there is of it"])
    assert json.loads(shown.stdout)["key"] == "it's/b", shown.stderr
    held = small.house.shell(able["park it for a person"])
    assert held.returncode == 0, held.stderr
    small.update()
    after = small.json(words.item("demo", "it's/b") + ".json")
    assert {stage["state"] for stage in after["stages"]} == {"held"}
    assert small.json("/.json")["needs"][0]["kind"] == "held"
    able = {one["what"]: one["command"] for one in after["commands"]}
    assert small.house.shell(able["let go what is held"]).returncode == 0


def test_a_file_that_cannot_be_read_is_shown_as_such(small: Site) -> None:
    Path(small.spool.root, "demo/fetch/ready/broken.json").write_text('{"half": ')
    small.update()
    found = small.json("/item/demo/broken.json")
    assert found["fault"] and found["stages"][0]["fault"]
    small.page("/item/demo/broken")


def test_large_parts_are_left_in_the_file(small: Site) -> None:
    path = Path(small.spool.root, "demo/fetch/ready/a.json")
    document = json.loads(path.read_text())
    document["output"] = {"text": "x" * 1_000_000, "words": 7}
    path.write_text(stored(document))
    found = small.json("/item/demo/a.json")["stages"][0]["output"]
    assert found["words"] == 7 and "too long" in found[""] and len(json.dumps(found)) < 10_000


def test_a_group_of_failures_holds_all_its_items(site: Site) -> None:
    groups = site.json("/failures.json")["groups"]
    assert {one["class"] for one in groups} == {
        "rate_limited", "not_yet_available", "parser_broken", "gone_permanently", "transient_network", "bad_input",
    }  # fmt: skip
    for one in groups:
        found = site.json(words.group(one["fingerprint"]) + ".json")
        assert found["group"]["items"] == one["n"] == sum(place["items"] for place in found["places"])
        assert len(found["rows"]) == min(one["n"], 100) and found["example"]["today"]
        path, _, query = found["table"].partition("?")
        assert site.json(f"{path}.json?{query}")["filtered_table_rows_count"] == one["n"]


def test_a_verdict_stands_on_its_groups_page(small: Site) -> None:
    Path(small.spool.verdicts, "0123456789abcdef.yaml").write_text("class: auth\naction: needs_human\nwhy: ask Ann\n")
    small.update()
    found = small.json("/failures/0123456789abcdef.json")
    assert found["verdict"]["why"] == "ask Ann" and found["group"]["class"] == "auth"


def test_limits_show_what_rests_who_uses_it_and_what_ends_it(site: Site) -> None:
    found = {one["name"]: one for one in site.json("/limits.json")["limits"]}
    assert found.keys() == {"youtube", "finnhub", "llm"}
    assert found["finnhub"]["parked"]["until"] is None and found["youtube"]["parked"]["trips"] == 2
    assert found["youtube"]["users"] == [{"job": "dml", "what": "discover"}, {"job": "dml", "what": "fetch"}]
    assert found["finnhub"]["short"] == "rivus-limit resume finnhub"
    assert found["llm"]["short"] == "rivus-limit park llm"
    assert found["youtube"]["samples"][-1]["parked_until"]


def test_a_limit_that_cannot_be_read_is_closed(small: Site) -> None:
    (small.house.root / "jobs.d/limits.yaml").write_text("web: {slots: 1}\n")
    folder = Path(small.spool.limits, "web")
    folder.mkdir()
    (folder / "parked.json").write_text("{")
    assert small.json("/limits.json")["limits"][0]["broken"]
    assert [one["short"] for one in small.json("/.json")["needs"]] == ["rivus-limit reset web"]


def test_runs_are_drawn_and_summed_up(site: Site) -> None:
    found = site.json("/runs.json?hours=24")
    assert found["runs"][0]["started"] >= found["runs"][-1]["started"]
    summed = {(one["job"], one["stage"]): one for one in found["sums"]}
    one = summed["dml", "fetch"]
    assert sum(one["outcomes"].values()) == one["n"] > 5 and 0 < one["mean"] <= one["longest"]
    assert "<svg" in site.page("/runs?hours=24") and site.page("/runs?hours=nope")


def test_stale_tells_what_is_known_and_says_what_is_not(site: Site) -> None:
    found = {(one["job"], one["stage"]): one for one in site.json("/stale.json")["stages"]}
    one = found["dml", "extract"]
    assert {version["version"]: version["n"] for version in one["versions"]}["0" * 16] == one["stale"]
    assert one["stale"] > 50 and one["unknown"] > 50 and one["results"] > 300
    assert found["dml", "fetch"]["stale"] == 0
    assert "without a version on record" in site.page("/stale")
    assert f"dml:extract: {one['stale']:,} stale results" in site.page("/")


def test_stale_counts_results_by_version_and_items_without_a_stage(small: Site) -> None:
    done = Path(small.spool.root, "demo/fetch/done")
    job = load_jobs(small.house.root / "jobs.d").jobs["demo"]
    present = version_of(job, job.stages["fetch"]).id
    for day, (name, version) in enumerate((("a.json", "v1"), (file_name("it's/b"), present)), 1):
        path = Path(small.spool.root, "demo/fetch/ready", name)
        document = json.loads(path.read_text())
        path.unlink()
        document["receipt"] = {"version": {"id": version}, "ended": f"2026-01-0{day}T00:00:00.000Z"}
        (done / name).write_text(stored(document))
    Path(small.spool.root, "demo/score/wait/a.json").unlink()
    small.update()
    fetch, score = small.json("/stale.json")["stages"]
    assert [one["version"] for one in fetch["versions"]] == [present, "v1"]
    assert (fetch["stale"], fetch["unknown"], fetch["older"], score["lacking"]) == (1, 0, 2, 1)


def test_a_version_that_was_blessed_is_not_stale(small: Site) -> None:
    job = load_jobs(small.house.root / "jobs.d").jobs["demo"]
    present = version_of(job, job.stages["fetch"]).id
    for name, version in (("a.json", "v1"), (file_name("it's/b"), "v2")):
        path = Path(small.spool.root, "demo/fetch/ready", name)
        document = {**json.loads(path.read_text()), "receipt": {"version": {"id": version}}}
        path.unlink()
        Path(small.spool.root, "demo/fetch/done", name).write_text(stored(document))
    blessed = {"version": "v1", "as": present, "why": "a log line", "by": "me", "when": "2026-01-01T00:00:00.000Z"}
    Path(small.spool.root, "demo/fetch/.blessed.json").write_text(stored({"blessed": [blessed]}))
    small.update()
    assert small.json("/stale.json")["stages"][0]["stale"] == 1
    assert "demo:fetch: 1 stale result" in small.page("/")


def test_a_stage_that_only_the_spool_knows_is_shown_apart(small: Site) -> None:
    small.spool.prepare(Plan("demo", {"old": ()}))
    os.link(
        Path(small.spool.births("demo"), "a.json"), Path(small.spool.root, "demo/old/failed/a.json")
    )
    small.update()
    stages = small.json("/.json")["jobs"][0]["stages"]
    assert [stage["name"] for stage in stages if stage.get("gone")] == ["old"]


@pytest.mark.parametrize("key", [*KEYS, "x.json", "a.json.json", "/lead", "trail/", "%", "é" * 30])
def test_an_address_and_its_key_are_one_to_one(key: str) -> None:
    for more, as_json in (("", False), ("?_x=1.json", False), (".json?_x=1", True)):
        request = SimpleNamespace(scope={"raw_path": f"{words.item('dml', key)}{more}".encode()})
        assert asked(request, "item") == (["dml", key], as_json)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//x.example", "file:///etc", None, 7, " http://x"])
def test_only_addresses_of_the_web_become_links(url: object) -> None:
    assert words.web(url) == ""


def test_commands_are_one_line_that_a_shell_reads_as_meant(site: Site) -> None:
    for key in KEYS:
        found = site.json(words.item("dml", key) + ".json")
        for one in found["commands"]:
            assert "\n" not in one["command"] and shlex.split(one["short"])[-1] == f"dml/{key}"


def test_an_item_leads_to_its_parent_and_to_its_children(small: Site) -> None:
    folder = small.house.root / "spool/demo"
    birth = json.loads((folder / "discover/done/a.json").read_text())
    parent = {"job": "demo", "key": "it's/b"}
    (folder / "discover/done/a.json").write_text(stored(birth | {"meta": {"parent": parent, "depth": 1}}))
    name = file_name("it's/b")
    done = json.loads((folder / "fetch/ready" / name).read_text()) | {"receipt": {"emitted": {"demo": ["a", "<b>"]}}}
    (folder / "fetch/done" / name).write_text(stored(done))
    (folder / "fetch/ready" / name).unlink()
    small.update()
    link = f'<a class="mono" href="{words.item("demo", parent["key"])}">demo/it&#39;s/b</a>'
    assert link in small.page("/item/demo/a")
    assert small.json("/item/demo/a.json")["parent"] == parent
    page = small.page(words.item("demo", parent["key"]))
    assert f'href="{words.item("demo", "a")}">a</a>' in page and "<b>" not in page.partition("Children in")[2][:300]
    rows = small.json("/rivus/items.json?_shape=array&key=a")
    assert rows[0]["parent"] == "demo/it's/b"
    assert words.item("demo", parent["key"]) in small.page("/rivus/items?key=a")
