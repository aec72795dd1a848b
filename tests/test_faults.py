"""Every bad server of the recorded world on the whole way: each item ends with the diagnosis that fits, each look with
the exit code that fits; in time, in bounded memory, and nothing is lost."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rivus.config.load import load_job, load_jobs
from rivus.errors import RivusError
from rivus.limits import Limits
from rivus.net.session import open_session
from rivus.sources import youtube_page
from rivus.spool.layout import open_spool
from rivus.spool.owners import Owner
from rivus.tell.fsck import fsck
from rivus.work.discover import Discovery
from tests.conftest import House, World
from tests.faults import ENDLESS, OUTCOMES, told
from tests.faults import bad_world as bad_world
from tests.site import Site
from tests.site import site as site

SECONDS, MEGABYTES = 20, 600
BOXES = ("wait", "ready", "running", "later", "done", "failed", "held")
STAGES = """
allow_private_hosts: [127.0.0.1]
discover: {strategy: list, items: [ITEMS]}
stages:
  page: {handler: web.page, needs: [], MORE}
  article: {handler: web.article, needs: [], MORE, with: {min_text: 100}}
  fields: {handler: web.fields, needs: [], MORE, with: {fields: {price: {select: .price, required: true}}}}
  data: {handler: http.json, needs: [], MORE, with: {into: x}}
  file: {handler: http.download, needs: [], MORE, with: {max_mb: 1}}
  filing: {handler: sec.filing, needs: [], MORE, with: {user_agent: "Ada Smith ada@example.org"}}
"""
VIDEO = "  video: {handler: youtube.captions, needs: [], MORE}\n"
LIMITED = """
allow_private_hosts: [127.0.0.1]
discover: {strategy: list, items: [ITEMS]}
stages:
  data: {handler: http.json, limit: src, concurrency: 1, with: {into: x}}
"""

Fate = tuple[str, str, str]
"""The box, the class and the action."""
DONE: Fate = ("done", "", "")
WAITS: Fate = ("later", "", "")
BAD: Fate = ("failed", "bad_input", "fail_item")
GONE: Fate = ("failed", "gone_permanently", "fail_item")
DENIED: Fate = ("failed", "access_denied", "fail_item")
NETWORK: Fate = ("failed", "transient_network", "retry_later")
BROKEN: Fate = ("failed", "parser_broken", "retry_later")
NOT_LET_IN: Fate = ("failed", "access_denied", "retry_later")
LIMITED_RATE: Fate = ("later", "rate_limited", "pause_source")
FATES: dict[str, Fate] = {
    **dict.fromkeys(("hang", "trickle", "reset", "short", "empty", "408", "425", "500", "502", "504", "599"), NETWORK),
    **dict.fromkeys(("private", "notjson", "login", "400", "bomb"), BAD),
    "401": ("failed", "auth", "fail_item"), "403": DENIED, "451": DENIED, "404": GONE, "410": GONE, "loop": BROKEN,
    "429": LIMITED_RATE, "503": ("later", "transient_network", "pause_source"),
}  # fmt: skip
OWN: dict[tuple[str, str], Fate] = {
    ("page", "login"): DONE, ("file", "login"): DONE, ("file", "notjson"): DONE,
    ("data", "empty"): BROKEN, ("data", "login"): NOT_LET_IN, ("data", "notjson"): NOT_LET_IN,
    ("filing", "403"): LIMITED_RATE,
    ("video", "403"): NOT_LET_IN, ("video", "503"): NETWORK, ("video", "empty"): BAD,
    ("video", "loop"): ("failed", "parser_broken", "fail_item"),
}  # fmt: skip
"""What a stage knows better."""


def items(base: str, kinds: list[str], *more: str) -> str:
    return ", ".join([*(f'{{key: "{kind}", url: "{base}/fault/{kind}"}}' for kind in kinds), *more])


class Ended(NamedTuple):
    code: int
    err: str
    seconds: float
    megabytes: float


def watched(house: House, *argv: str) -> Ended:
    """A command, run to its end, with what it took."""
    started, err = time.monotonic(), house.root / "err"
    with err.open("w") as stream, open(os.devnull, "w") as nothing:
        process = house.start(*argv, stderr=stream, stdout=nothing)
        timer = threading.Timer(3 * SECONDS, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
    return Ended(process.returncode, err.read_text(), time.monotonic() - started, usage.ru_maxrss / 1024)


def fates(house: House, job: str) -> dict[tuple[str, str], Fate]:
    """Where each item of each stage is, and what was said of its last try. Each must be in one place alone."""
    found: dict[tuple[str, str], Fate] = {}
    for stage in load_job(house.root / "jobs.d", job).stages:
        for box in BOXES:
            folder = house.root / "spool" / job / stage / box
            for file in sorted(folder.glob("**/*.json")):
                ticket = json.loads(file.read_text())
                assert (stage, ticket["key"]) not in found
                last = (ticket.get("attempts") or [{}])[-1]
                found[stage, ticket["key"]] = (box, last.get("class", ""), last.get("action", ""))
    return found


def findings(house: House) -> list[str]:
    return [one.what for one in fsck(open_spool(str(house.root / "spool")), load_jobs(house.root / "jobs.d"))]


def test_each_bad_server_has_its_diagnosis_in_every_stage(house: House, bad_world: World, site: Site) -> None:
    bomb = site.put("/bomb", gzip.compress(bytes(30_000_000)), Content_Encoding="gzip")
    told = items(bad_world.url, [kind for kind in OUTCOMES if kind not in ENDLESS], f'{{key: bomb, url: "{bomb}"}}')
    calm = "timeout: 60s, retry: [], breaker: 0, concurrency: 4"
    house.job("quick", (STAGES + VIDEO).replace("ITEMS", told).replace("MORE", calm))
    hasty = calm.replace("60s", "2s")
    house.job("slow", STAGES.replace("ITEMS", items(bad_world.url, list(ENDLESS))).replace("MORE", hasty))
    house.job("limited", LIMITED.replace("ITEMS", items(bad_world.url, ["429"], "{key: a}", "{key: b}")))
    (house.root / "jobs.d/limits.yaml").write_text("src: {slots: 2}\n")
    ended = watched(house, "rivus-run", "--linger", "0s")
    assert ended.code == 0 and ended.seconds < SECONDS and ended.megabytes < MEGABYTES, ended
    assert "Traceback" not in ended.err and {line.partition(":")[0] for line in ended.err.splitlines()} == {
        "quick", "slow"
    }  # fmt: skip
    found = {**fates(house, "quick"), **fates(house, "slow")}
    stages = ["page", "article", "fields", "data", "file", "filing"]
    asked = [*((stage, kind) for stage in stages for kind in [*OUTCOMES, "bomb"])]
    asked += [("video", kind) for kind in [*OUTCOMES, "bomb"] if kind not in ENDLESS]
    assert {one: found.pop(one) for one in asked} == {one: OWN.get(one, FATES[one[1]]) for one in asked}
    assert found == {} and findings(house) == []
    assert fates(house, "limited") == {
        ("data", "429"): LIMITED_RATE, ("data", "a"): WAITS, ("data", "b"): WAITS
    }  # fmt: skip
    assert json.loads((house.root / "spool/_limits/src/parked.json").read_text())["by"] == "limited:data 429"
    check_groups(house, [fate for fate in {**fates(house, "quick"), **fates(house, "slow")}.values() if fate != DONE])


def check_groups(house: House, troubled: list[Fate]) -> None:
    """The doctor's groups are these and no others."""
    counted: Counter[tuple[str, str]] = Counter()
    for group in house.run("rivus-doctor", "failures", "--json").lines:
        counted[group["class"], group["action"]] += sum(not item.startswith("limited/") for item in group["items"])
        assert group["example"] and len(group["example"]) <= 500
    assert counted == Counter(fate[1:] for fate in troubled)


ROBOTS, AGENT = "robots: ignore", 'user_agent: "Ada Smith ada@example.org"'
SOURCES = {
    "feed": "url: BASE/x", "podcast": "url: BASE/x", "web_links": f"url: BASE/x, {ROBOTS}",
    "web_table": f"url: BASE/x, {ROBOTS}", "web_change": f"url: BASE/x, selector: main, first: item, {ROBOTS}",
    "sitemap": "url: BASE/", "wayback": "url: example.org/*, base_url: BASE", "json_api": "url: BASE/x",
    "hackernews": "base_url: BASE", "reddit": "subreddits: [askreddit], base_url: BASE",
    "github_releases": "repos: [o/r], base_url: BASE", "finnhub_calendar": "base_url: BASE",
    "finnhub_insider": "symbols: [A], base_url: BASE", "finnhub_ipo": "base_url: BASE",
    "finnhub_news": "symbols: [A], base_url: BASE", "sec_daily": f"base_url: BASE, {AGENT}",
    "sec_filings": f"ciks: ['0000320193'], base_url: BASE, {AGENT}", "sec_search": f"query: x, base_url: BASE, {AGENT}",
    "youtube_channel": "channel: UCsXVk37bltHxD1rDPwtNM8Q, base_url: BASE",
    "youtube_playlist": "playlist: PL3D19BCF9D57320E0, base_url: BASE",
}  # fmt: skip
"""Every strategy that asks the network; `youtube_search` knows no other place than YouTube's own."""
KINDS = ["401", "403", "404", "429", "500", "503", "hang", "trickle", "reset", "short", "private", "empty", "notjson"]
"""One of each sort; the others differ for the handlers alone."""
NOTHING, UNAVAILABLE, AGAIN, CONFIG = (0, False), (69, False), (75, False), (78, False)
RESTS = (75, True)
CODES = dict.fromkeys(KINDS, AGAIN) | dict.fromkeys(("401", "403", "404", "private"), UNAVAILABLE)
CODES |= dict.fromkeys(("429", "503"), RESTS)
OWN_CODES = {("wayback", "empty"): NOTHING, ("sec_daily", "404"): NOTHING, ("github_releases", "404"): CONFIG}
OWN_CODES |= {(name, kind): CONFIG for name in SOURCES if "finnhub" in name for kind in ("401", "403")}
OWN_CODES |= {(name, "403"): RESTS for name in ("reddit", "sec_daily", "sec_filings", "sec_search")}
OWN_CODES |= {(name, kind): AGAIN for name in SOURCES if "youtube" in name for kind in ("401", "403", "404", "private")}
"""An index of the Wayback Machine may be empty, and the SEC's of a day not be there yet."""


def look(folder: Path, strategy: str) -> tuple[int, bool]:
    """The exit code of one look, and whether the source rests now. Nothing may be published, the cursor not moved."""
    with Owner(open_spool(str(folder / "spool"))) as owner:
        job = load_job(folder / "jobs.d", strategy)
        limits, published = Limits(Path(owner.spool.limits), job.limits), list[Any]()
        cursor, parked = Path(owner.spool.cursor(strategy)), Path(owner.spool.limits, strategy, "parked.json")
        cursor.parent.mkdir(parents=True, exist_ok=True)
        cursor.write_text('{"kept": 1}')
        parked.unlink(missing_ok=True)
        try:
            Discovery(owner.spool, job, owner, limits, published.append).run()
            code = 0
        except RivusError as error:
            assert str(error).startswith(f"{strategy}: ") and "\n" not in str(error) and len(str(error)) < 1_000
            code = error.exit_code
        assert published == [] and (code == 0 or cursor.read_text() == '{"kept": 1}'), strategy
        return code, parked.exists()


def test_each_bad_server_ends_a_look_of_every_strategy_with_the_code_that_fits(
    house: House, bad_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVUS_SECRET_FINNHUB_TOKEN", "test-token")
    (house.root / "jobs.d/limits.yaml").write_text("".join(f"{name}: {{slots: 1}}\n" for name in SOURCES))
    for name, parameters in SOURCES.items():
        asked = f"{{strategy: {name}, limit: {name}, {parameters.replace('BASE', bad_world.url)}}}"
        stages = "stages: {data: {handler: web.page}}"
        house.job(name, f"allow_private_hosts: [127.0.0.1]\ndiscover: {asked}\n{stages}\n")
    with ThreadPoolExecutor(len(SOURCES)) as pool:
        for kind in KINDS:
            seconds = 0.3 if kind in ENDLESS else 20.0
            monkeypatch.setitem(open_session.__kwdefaults__, "total", seconds)
            monkeypatch.setattr(youtube_page, "LISTING_SECONDS", seconds)
            bad_world.post(faults=told("/", kind, 10_000))
            looks = {name: pool.submit(look, house.root, name) for name in SOURCES}
            found = {name: each.result() for name, each in looks.items()}
            assert found == {name: OWN_CODES.get((name, kind), CODES[kind]) for name in SOURCES}, kind
    bad_world.post(faults=[])
    assert findings(house) == [] and not list((house.root / "spool").glob("*/*/*/*.json"))
