"""rivus-discover: what is new is published, then printed, and only then is the source's cursor moved."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.trees import inject, tree
from tests.conftest import ROOT, House

OWN = """
import json
import time

import requests

from rivus.model.context import Found
from rivus.model.outcome import Halt, ItemFailed, RetryLater, Skip, SourceBlocked


def look(look, *, world: str = "world"):
    for line in json.loads((look.folder / f"{world}.json").read_text()):
        if "raise" in line:
            raise eval(line["raise"])
        look.cursor["last"] = line["key"]
        yield Found(line["key"], eval(line["python"]) if "python" in line else line.get("data", {}))


def endless(look):
    number = 0
    while True:
        time.sleep(0.0005)
        look.cursor["at"] = number = number + 1
        yield Found(f"k{number}", {})


def stuck(look):
    yield Found("before", {})
    (look.folder / "stuck").touch()
    while True:
        time.sleep(600)


def fetch(item, ctx):
    return {"raw": item.get("title", "-")}


def score(item, ctx):
    return {"score": item["raw"] + "!"}
"""
JOB = "discover: {strategy: own.look%s}\nstages: {fetch: {handler: own.fetch}, score: {handler: own.score}}\n"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def own(house: House) -> House:
    """A job `demo` whose source yields what jobs.d/world.json says."""
    house.job("demo", JOB % "", own=OWN)
    return house


def world(house: House, *lines: Any, name: str = "world") -> None:
    found = [{"key": line} if isinstance(line, str) else line for line in lines]
    (house.root / f"jobs.d/{name}.json").write_text(json.dumps(found))


def keys(out: str) -> list[str]:
    return [json.loads(line)["key"] for line in out.splitlines()]


def cursor(house: House, job: str = "demo") -> Any:
    path = house.root / f"spool/{job}/discover/cursor.json"
    return json.loads(path.read_text()) if path.exists() else None


def rejected(house: House) -> list[str]:
    return sorted(
        json.loads(path.read_text())["reason"] for path in (house.root / "spool/_rejected").glob("*.reason.json")
    )


def test_what_is_new_is_published_and_printed_with_exactly_these_fields(own: House) -> None:
    world(own, {"key": "a/b", "data": {"title": "ä"}}, "c")
    done = own.run("rivus-discover", "demo")
    first, second = done.lines
    assert list(first) == ["job", "key", "data", "meta"]
    assert re.fullmatch(TIME, first["meta"].pop("discovered"))
    assert first == {"job": "demo", "key": "a/b", "data": {"title": "ä"}, "meta": {"strategy": "own.look"}}
    assert second["key"] == "c"
    assert done.err == ""
    assert own.box("demo", "fetch", "ready") == own.box("demo", "score", "wait") == ["a%2Fb.json", "c.json"]
    assert cursor(own) == {"last": "c"}


def test_what_is_known_is_not_found_again_wherever_it_is(own: House) -> None:
    world(own, "a", "b", "a")
    assert keys(own.run("rivus-discover").out) == ["a", "b"]
    os.rename(own.root / "spool/demo/fetch/ready/a.json", own.root / "spool/demo/fetch/held/a.json")
    world(own, "b", "c", "a")
    assert keys(own.run("rivus-discover").out) == ["c"]
    assert own.run("rivus-discover").out == ""


def test_files_of_a_folder_are_found_once_each(house: House) -> None:
    house.job("demo", 'discover: {strategy: files, glob: "in/*.txt"}\nstages: {fetch: {command: [cat]}}')
    (house.root / "jobs.d/in").mkdir()
    (house.root / "jobs.d/in/a.txt").write_text("a")
    assert keys(house.run("rivus-discover", "demo").out) == ["in/a.txt"]
    (house.root / "jobs.d/in/b.txt").write_text("b")
    (house.root / "jobs.d/in/a.txt").write_text("changed")
    assert keys(house.run("rivus-discover", "demo").out) == ["in/b.txt"]


@pytest.mark.parametrize(
    ("on_change", "printed", "data", "results"),
    [
        ("ignore", [], "old", ["old!"]),
        ("update", [], "new", ["old!"]),
        ("rerun", ["a"], "new", ["new!"]),
    ],
)
def test_a_change_is_ignored_or_kept_or_runs_everything_again(
    own: House, on_change: str, printed: list[str], data: str, results: list[str]
) -> None:
    own.job("demo", JOB % f", on_change: {on_change}")
    world(own, {"key": "a", "data": {"title": "old"}})
    own.run("rivus-run", "demo")
    world(own, {"key": "a", "data": {"title": "new"}})
    assert keys(own.run("rivus-discover", "demo").out) == printed
    assert own.ticket("demo", "discover", "done", "a.json")["data"] == {"title": data}
    assert own.box("demo", "score", "wait" if printed else "done") == ["a.json"]
    assert len(own.run("rivus-run", "demo").lines) == 2 * len(printed), "the same again is no change"
    assert [own.ticket("demo", "score", "done", "a.json")["output"]["score"]] == results


def test_a_stage_that_has_not_run_yet_takes_the_updated_data(own: House) -> None:
    own.job("demo", JOB % ", on_change: update")
    for title in ("old", "new"):
        world(own, {"key": "a", "data": {"title": title}})
        own.run("rivus-discover", "demo")
    assert own.run("rivus-stage", "demo:fetch").lines[0]["data"]["raw"] == "new"


def test_an_item_whose_record_cannot_be_read_does_not_hide_the_others(own: House) -> None:
    own.job("demo", JOB % ", on_change: update")
    world(own, "a")
    own.run("rivus-discover", "demo")
    record = own.root / "spool/demo/discover/done/a.json"
    record.unlink()
    record.write_text("{")
    world(own, {"key": "a", "data": {"title": "new"}}, "b")
    process = own.start("rivus-discover", "demo")
    out, err = process.communicate(timeout=30)
    assert keys(out) == ["b"]
    assert "Traceback" not in err


def test_a_source_that_is_too_far_ahead_is_not_asked(own: House) -> None:
    own.job("demo", JOB % ", max_backlog: 2")
    world(own, "a", "b", "c")
    own.run("rivus-discover", "demo")
    world(own, "d")
    done = own.run("rivus-discover", "demo")
    assert (done.out, done.err) == ("", "demo: not looked: 3 items wait already (max_backlog 2)\n")
    os.rename(own.root / "spool/demo/fetch/ready/a.json", own.root / "spool/demo/fetch/later/a.json")
    assert own.run("rivus-discover", "demo").out == "", "what waits for its time counts as well"
    own.run("rivus-stage", "fetch")
    assert keys(own.run("rivus-discover", "demo").out) == ["d"]


def test_one_look_brings_no_more_than_max_new_and_the_next_goes_on(own: House) -> None:
    own.job("demo", JOB % ", max_new: 2")
    world(own, "a", "b", "c", "d", "e")
    assert keys(own.run("rivus-discover", "demo").out) == ["a", "b"]
    assert keys(own.run("rivus-discover", "demo", "--limit", "1").out) == ["c"]
    assert keys(own.run("rivus-discover", "demo", "--limit", "9").out) == ["d", "e"]
    assert own.run("rivus-discover", "demo").out == ""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        ("RetryLater('503')", 75, "demo: own.look: 503"),
        ("SourceBlocked('429')", 75, "demo: own.look: 429; the source rests until "),
        ("ItemFailed('gone')", 69, "demo: own.look: gone"),
        ("Skip('nothing')", 69, "demo: own.look: nothing"),
        ("Halt('no token')", 78, "demo: own.look: no token"),
        ("ZeroDivisionError('oh')", 1, "demo: own.look: oh (ZeroDivisionError)"),
    ],
)
def test_a_source_that_fails_half_way_loses_nothing_and_keeps_its_old_cursor(
    own: House, error: str, code: int, said: str
) -> None:
    inject(own, {"id": "a"})
    (own.root / "spool/demo/discover/cursor.json").write_text('{"last": "a"}')
    world(own, "a", "b", "c", {"raise": error}, "d")
    done = own.run("rivus-discover", "demo", code=code)
    assert keys(done.out) == ["b", "c"]
    assert own.box("demo", "discover", "done") == ["a.json", "b.json", "c.json"]
    assert cursor(own) == {"last": "a"}
    assert done.err.startswith(said) and done.err.count("\n") == 1


@pytest.mark.parametrize("error", ["ZeroDivisionError('oh')", "requests.ConnectionError('refused')", "SystemExit(3)"])
def test_a_source_that_fails_does_not_keep_the_other_jobs_from_being_looked_at(own: House, error: str) -> None:
    own.job("other", JOB % ", world: other")
    world(own, {"raise": error})
    world(own, "b", name="other")
    process = own.start("rivus-discover", "demo", "other")
    out, err = process.communicate(timeout=30)
    assert keys(out) == ["b"]
    assert process.returncode in (1, 69)
    assert "Traceback" not in err and err.startswith("demo: ")


def test_what_cannot_be_an_item_is_put_aside_once_with_its_reason_and_the_rest_is_published(own: House) -> None:
    bad = [
        {"key": "../x"}, {"key": ""}, {"key": 5}, {"key": "a\nb"}, {"key": "k" * 1025},
        {"key": "n", "python": "float('nan')"}, {"key": "s", "python": "{'x': chr(0xd800)}"},
        {"key": "big", "python": "{'x': 2**64}"}, {"key": "odd", "python": "{'x': {1, 2}}"},
        {"key": "wide", "python": "{'x': 'y' * (16 << 20)}"},
    ]  # fmt: skip
    world(own, "first", *bad, "last")
    for found in (["first", "last"], []):
        done = own.run("rivus-discover", "demo")
        assert keys(done.out) == found
        assert done.err.count("cannot be an item") == len(bad)
        assert "have the strategy give less of a row: 'wide'" in done.err and "workdir" not in done.err
    reasons = rejected(own)
    assert len(reasons) == len(bad)
    for why in (".. as a part of a path", "non-empty string", "control", "1025 characters", "64 bits", "not JSON"):
        assert any(why in reason for reason in reasons), why
    assert own.box("demo", "discover", "done") == ["first.json", "last.json"]


def test_data_that_is_no_object_is_put_aside_too(own: House) -> None:
    odd = ["[1, 2]", "'text'", "None", "5"]
    world(own, *({"key": f"bad{number}", "python": data} for number, data in enumerate(odd)), "good")
    assert keys(own.run("rivus-discover", "demo").out) == ["good"]
    assert len(rejected(own)) == len(odd)


def test_a_source_that_must_rest_is_parked_for_everything_under_its_limit(own: House) -> None:
    own.job("limits", "outside: {slots: 1}")
    own.job(
        "demo",
        "discover: {strategy: own.look, limit: outside}\nstages: {fetch: {handler: own.fetch, limit: outside}}",
    )
    world(own, "a", {"raise": "SourceBlocked('429', until=time.time() + 900)"})
    own.run("rivus-discover", "demo", code=75)
    world(own, "b")
    done = own.run("rivus-discover", "demo", code=75)
    assert (done.out, "the source rests: 429" in done.err) == ("", True)
    assert own.run("rivus-stage", "fetch").out == ""
    assert own.box("demo", "fetch", "later") == ["a.json"]
    own.run("rivus-limit", "resume", "outside")
    assert own.box("demo", "fetch", "ready") == ["a.json"]
    assert keys(own.run("rivus-discover", "demo").out) == ["b"]


def test_at_most_so_many_new_ones_are_published_and_the_rest_the_next_time(own: House) -> None:
    world(own, "a", "b", "c")
    assert keys(own.run("rivus-discover", "demo", "--limit", "2").out) == ["a", "b"]
    assert cursor(own) is None
    assert keys(own.run("rivus-discover", "demo", "--limit", "2").out) == ["c"]
    assert cursor(own) == {"last": "c"}


def test_many_are_published_in_batches(own: House) -> None:
    world(own, *(f"k{number}" for number in range(130)))
    assert len(keys(own.run("rivus-discover", "demo").out)) == 130
    assert cursor(own) == {"last": "k129"}


def test_a_dry_run_prints_what_would_be_new_and_changes_nothing(own: House) -> None:
    own.job("demo", JOB % ", on_change: rerun")
    world(own, "a")
    own.run("rivus-run", "demo")
    world(own, {"key": "a", "data": {"title": "changed"}}, "b", {"key": "../bad"})
    before = tree(own.root)
    assert keys(own.run("rivus-discover", "demo", "--dry-run").out) == ["b"]
    assert tree(own.root) == before
    assert keys(own.run("rivus-discover", "demo").out) == ["a", "b"]


def test_a_dry_run_in_an_empty_spool_makes_no_folder_of_the_job(own: House) -> None:
    world(own, "a")
    assert keys(own.run("rivus-discover", "demo", "--dry-run").out) == ["a"]
    assert tree(own.root / "spool", "_") == {}


def test_a_test_finds_everything_anew_beside_production(own: House) -> None:
    world(own, "a")
    own.run("rivus-discover", "demo")
    production = tree(own.root / "spool", "_")
    assert keys(own.run("rivus-discover", "demo", "--test").out) == ["a"]
    assert tree(own.root / "spool", "_") == production
    assert (own.root / "spool/_test/demo/fetch/ready/a.json").exists()
    assert not (own.root / "spool/_test/_limits").exists()


def test_a_paused_job_is_not_looked_at(own: House) -> None:
    world(own, "a")
    own.run("rivus-limit", "pause", "demo", "--why", "holidays")
    done = own.run("rivus-discover", "demo")
    assert (done.out, done.err) == ("", "demo: not looked: the job is paused: holidays\n")


def test_jobs_that_cannot_be_read_or_are_not_there_do_not_keep_the_others(own: House) -> None:
    own.job("broken", "stages: {fetch: {handler: own.fetch, tiemout: 5min}}")
    own.job("off", JOB % "" + "enabled: false\n")
    own.job("plain", "stages: {fetch: {handler: own.fetch}}")
    world(own, "a")
    done = own.run("rivus-discover", code=78)
    assert [line["job"] for line in done.lines] == ["demo"]
    assert "broken.yaml:1:" in done.err and "did you mean 'timeout'" in done.err
    world(own, "b")
    done = own.run("rivus-discover", "nothing", "demo", code=78)
    assert (keys(done.out), "no job 'nothing'" in done.err) == (["b"], True)
    assert own.run("rivus-discover", "plain").out == ""
    assert [line["job"] for line in own.run("rivus-discover", "off").lines] == ["off"]


def test_a_source_that_is_not_there_or_gets_the_wrong_parameters_is_a_broken_configuration(own: House) -> None:
    for params, why in ((", wrold: x", "did you mean 'world'"), (", world: 5", "expected text")):
        own.job("demo", JOB % params)
        assert why in own.run("rivus-discover", "demo", code=78).err
    own.job("demo", (JOB % "").replace("own.look", "own.lok"))
    assert "did you mean 'own.look'" in own.run("rivus-discover", "demo", code=78).err


def test_a_cursor_that_cannot_be_read_is_said_and_the_source_begins_anew(own: House) -> None:
    world(own, "a")
    own.run("rivus-discover", "demo")
    path = own.root / "spool/demo/discover/cursor.json"
    path.write_text("{")
    assert "starting without it" in own.run("rivus-discover", "demo").err
    assert cursor(own) == {"last": "a"}


def test_a_signal_ends_it_with_all_that_was_printed_published_and_the_cursor_where_it_was(own: House) -> None:
    own.job("demo", (JOB % "").replace("own.look", "own.endless"))
    process = own.start("rivus-discover", "demo")
    assert process.stdout
    out = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    out += process.stdout.read()
    assert process.wait(timeout=30) == 130
    assert {f"{key}.json" for key in keys(out)} == set(own.box("demo", "discover", "done"))
    assert cursor(own) is None


SOONER = "import sys; from rivus.commands import discover, frame; frame.LEAVE_WITHIN = float(sys.argv.pop(1))"


@pytest.mark.parametrize("bound", [0.3, pytest.param(9.0, marks=pytest.mark.torture)])
def test_a_source_that_hangs_does_not_outlive_a_signal_for_longer_than_the_bound(own: House, bound: float) -> None:
    own.job("demo", (JOB % "").replace("own.look", "own.stuck"))
    process = subprocess.Popen(
        [sys.executable, "-c", f"{SOONER}; discover.main()", str(bound), "demo"],
        cwd=own.root, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    own.wait_for((own.root / "jobs.d/stuck").exists, "the source to hang")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=bound + 20) == 130
    assert cursor(own) is None
    own.run("rivus-sweep")
    assert os.listdir(own.root / "spool/_owners") == [], "as after a crash: the next sweep buries it"


def test_head_closing_early_is_a_normal_end(own: House) -> None:
    own.job("demo", (JOB % "").replace("own.look", "own.endless"))
    done = own.shell("rivus-discover demo | head -1")
    assert (done.returncode, done.stderr, keys(done.stdout)) == (0, "", ["k1"])
    assert cursor(own) is None


DATED = """
from rivus.model.context import Found

WINDOW_DAYS = {"span": 10}


def span(look, *, since: str | None = None, until: str | None = None):
    yield Found(f"{since}..{until}", {})
    if (look.folder / "slow").exists():
        import time

        for _ in range(6000):
            time.sleep(0.01)
            yield Found(f"{since}..{until}", {})
"""


@pytest.fixture
def dated(house: House) -> House:
    """A job `demo` whose source can be asked for spans of ten days."""
    house.job("demo", "discover: {strategy: dated.span}\nstages: {fetch: {command: [cat]}}\n", dated=DATED)
    return house


def test_a_span_of_the_past_is_filled_and_the_next_call_goes_on(dated: House) -> None:
    command = ("rivus-discover", "demo", "-v", "--since", "2024-03-01", "--until", "2024-03-15")
    done = dated.run(*command, "--limit", "1")
    assert keys(done.out) == ["2024-03-05T00:00:00Z..2024-03-15T00:00:00Z"]
    assert "is not finished: what lies before 2024-03-15T00:00:00Z is left; the same command goes on" in done.err
    done = dated.run(*command)
    assert keys(done.out) == ["2024-03-01T00:00:00Z..2024-03-05T00:00:00Z"]
    assert "demo: the back-fill from 2024-03-01T00:00:00Z to 2024-03-15T00:00:00Z is finished" in done.err


def test_a_signal_ends_a_back_fill_between_two_items(dated: House) -> None:
    (dated.root / "jobs.d/slow").touch()
    process = dated.start("rivus-discover", "demo", "--since", "9d", "-v")
    dated.wait_for((dated.root / "spool/demo/discover/done").exists, "the look to begin")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 130
    assert not (dated.root / "spool/demo/discover/backfill.json").exists(), "the window was not heard to its end"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--since", "2024-03-01"), "the JOBs"),
        (("demo", "--until", "2024-03-01"), "--until needs --since"),
        (("demo", "--since", "soon"), "'soon' is no date"),
        (("demo", "--since", ""), "'' is no date"),
        (("demo", "--since", "2024-03-01", "--until", "2024-03-01"), "before it has begun"),
        (("demo", "--since", "1d", "--until", "2d"), "before it has begun"),
        (("demo", "--since", "9999999d"), "beyond any calendar"),
    ],
)
def test_a_span_that_is_none_is_a_wrong_command_line(argv: tuple[str, ...], said: str, tmp_path: Any) -> None:
    from click.testing import CliRunner

    from rivus.commands.discover import command

    (tmp_path / "jobs.d").mkdir()
    result = CliRunner().invoke(command, [*argv, "--jobs", str(tmp_path / "jobs.d"), "--spool", str(tmp_path)])
    assert result.exit_code == 2 and said in result.output


def test_a_source_without_dates_cannot_be_asked_for_a_span(own: House) -> None:
    said = own.run("rivus-discover", "demo", "--since", "90d", code=78).err
    assert "own.look cannot be asked for a span of time (since, until); these can: " in said and "feed" in said


def test_a_source_with_dates_that_are_not_keyword_only_is_told_so(tmp_path: Path) -> None:
    from rivus.errors import BadConfig
    from rivus.work.span import window_days

    (tmp_path / "mine.py").write_text("def look(ctx, since=None, until=None):\n    return []\n")
    with pytest.raises(BadConfig, match=r"mine.look: since and until must be keyword-only; put a `\*` before them"):
        window_days("mine.look", tmp_path)
