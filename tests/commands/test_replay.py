"""rivus-replay: the difference that the present code makes, beside production."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import House
from tests.site import Site

JOB = """
stages:
  fetch: {handler: my.fetch, timeout: 20s}
  extract: {handler: my.extract}
  count: {command: [./count], needs: [extract]}
allow_private_hosts: [127.0.0.1]
"""
CODE = """
def fetch(item, ctx):
    return {"raw": ctx.http.get(item["url"]).text}

def extract(item, ctx):
    print("a handler prints")
    return {"text": item["raw"].strip(), "length": len(item["raw"])}
"""
COUNT = """#!/usr/bin/env python3
import json, sys, urllib.request
item = json.load(sys.stdin)
try:
    said = urllib.request.urlopen(item["url"]).read().decode()
except OSError:
    said = "nobody answers"
print(json.dumps({"said": said}))
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    started = Site()
    yield started
    started.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Path:
    """A house with two items, all done."""
    house = House(tmp_path_factory.mktemp("made"))
    for folder in ("jobs.d", "spool"):
        (house.root / folder).mkdir()
    house.job("demo", JOB, my=CODE)
    (house.root / "jobs.d/count").write_text(COUNT)
    (house.root / "jobs.d/count").chmod(0o755)
    lines = [json.dumps({"id": key, "url": site.put(f"/{key}", f" page {key} ")}) for key in "ab"]
    house.run("rivus-inject", "demo", stdin="\n".join(lines))
    house.run("rivus-run", "demo", "--record")
    return house.root


@pytest.fixture
def done(made: Path, tmp_path: Path) -> House:
    shutil.copytree(made, tmp_path / "house")
    return House(tmp_path / "house")


def edit(house: House, old: str, new: str) -> None:
    path = house.root / "jobs.d/my.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def tree(house: House) -> dict[str, float]:
    return {
        f"{folder}/{name}": os.stat(f"{folder}/{name}").st_mtime
        for folder, _, names in os.walk(house.root / "spool")
        for name in ["", *names]
    }


def test_a_change_of_the_code_is_shown_and_production_stays_as_it_is(done: House, site: Site) -> None:
    before = tree(done)
    assert done.run("rivus-replay", "demo/a", "extract").out == ""
    edit(done, "strip()", "strip().upper()")
    shown = done.run("rivus-replay", "demo/a", "extract", code=1)
    assert [line for line in shown.out.splitlines() if line[0] in "-+"] == [
        "--- demo/a extract on record", "+++ demo/a extract now", '-    "text": "page a"', '+    "text": "PAGE A"',
    ]  # fmt: skip
    (line,) = done.run("rivus-replay", "demo/a", "extract", "--json", code=1).lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "job": "demo", "key": "a", "stage": "extract", "same": False, "outcome": "done", "reason": None,
        "changed": ["output.text"],
    }  # fmt: skip
    summed = done.run("rivus-replay", "demo:extract", "--sample", "5", code=1).out.splitlines()
    assert summed[:2] == ["demo:extract  0 same, 2 different, 0 failed", "  output.text  2 changed"]
    assert summed[2] == "  look: rivus-replay demo/a extract"
    assert tree(done) == before


def test_offline_nothing_goes_out_whatever_runs(done: House, site: Site) -> None:
    asked = len(site.asked)
    assert {line["same"] for line in done.run("rivus-replay", "demo:fetch", "--offline", "--json").lines} == {True}
    shown = done.run("rivus-replay", "demo/a", "count", "--offline", code=1)
    assert '+    "said": "nobody answers"' in shown.out
    edit(done, 'item["url"]', 'item["url"] + "/new"')
    (line,) = done.run("rivus-replay", "demo/a", "fetch", "--offline", "--json", code=1).lines
    assert (line["outcome"], line["class"]) == ("failed", "not_recorded")
    assert line["reason"] == f"GET {site.url}/a/new is not in the record"
    assert len(site.asked) == asked


def test_a_handler_that_hangs_does_not_hang_the_command(done: House) -> None:
    edit(done, "def extract(item, ctx):", "def extract(item, ctx):\n    import time\n    time.sleep(99)")
    path = done.root / "jobs.d/demo.yaml"
    path.write_text(path.read_text().replace("my.extract}", "my.extract, timeout: 100ms}"))
    shown = done.run("rivus-replay", "demo/a", "extract", code=1)
    assert "took longer than 0.1 s" in shown.out


def test_what_cannot_be_replayed_is_said(done: House) -> None:
    for argv, code in ((["demo:extract", "extract"], 2), (["demo/none", "extract"], 65), (["demo:none"], 78)):
        shown = done.run("rivus-replay", *argv, code=code)
        assert shown.out == "" and shown.err
    edit(done, "def fetch", "import no_such_module\n\ndef fetch")
    shown = done.run("rivus-replay", "demo/a", "extract", code=78)
    assert "no_such_module" in shown.err and shown.err.count("\n") == 1


def test_one_item_that_cannot_be_replayed_gives_its_error_alone(done: House) -> None:
    halt = "def extract(item, ctx):\n    from rivus.model.outcome import Halt\n    raise Halt('no')"
    edit(done, "def extract(item, ctx):", halt)
    shown = done.run("rivus-replay", "demo/a", "extract", code=78)
    assert shown.err == "rivus-replay: demo:extract a: no\n"


def test_what_a_killed_replay_left_is_removed_by_the_next(done: House, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    (temporary / "rivus-replay-mine-own").mkdir(parents=True)
    env = {"TMPDIR": str(temporary)}
    kept = (done.root / "jobs.d/my.py").read_text()
    edit(done, "def extract(item, ctx):", "def extract(item, ctx):\n    import time\n    time.sleep(99)")
    first, second = (done.start("rivus-replay", "demo/a", "extract", env=env) for _ in range(2))

    def folders(count: int) -> set[str]:
        end = time.monotonic() + 20
        while len(found := {path.parent.name for path in temporary.glob("*/a*")}) < count and time.monotonic() < end:
            time.sleep(0.02)
        return found

    started = folders(2)
    first.kill()
    first.communicate()
    (done.root / "jobs.d/my.py").write_text(kept)
    done.run("rivus-replay", "demo/a", "extract", env=env)
    left = {path.name for path in temporary.iterdir()}
    second.kill()
    second.communicate()
    assert len(started) == 2 and len(left) == 1 and left < started, "that of the one which still runs stays"
