"""The main job on real input: a recorded channel, real yt-dlp, real captions, the commands as they are."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import House, World

JOB = """
title: The recorded channel
discover: {{strategy: youtube_channel, channel: UCsXVk37bltHxD1rDPwtNM8Q, base_url: "{url}", limit: youtube}}
stages:
  fetch: {{handler: youtube.captions, limit: youtube, concurrency: 4, timeout: 1min}}
  extract: {{handler: captions.text, expect: {{min_length: {{text: 20}}}}}}
  score: {{handler: score.keywords, with: {{weights: {{the: 1, money: 5}}}}}}
allow_private_hosts: [127.0.0.1]
"""


@pytest.fixture
def dml(house: House, world: World) -> House:
    house.job("limits", "youtube: {slots: 4}")
    house.job("dml", JOB.format(url=world.url))
    return house


def test_the_whole_pipe_works_on_a_recorded_channel(dml: House, world: World) -> None:
    found = dml.run("rivus-discover", "dml").lines
    assert len(found) == 15
    for line in found:
        assert line["data"]["url"] == f"{world.url}/watch?v={line['data']['id']}"
        assert re.fullmatch(r"[\w-]{11}", line["key"])
    items = "\n".join(json.dumps(line) for line in found)
    done = dml.shell(f"cat <<'END' | rivus-stage fetch | rivus-stage extract | rivus-stage score\n{items}\nEND")
    assert done.returncode == 0, done.stderr
    finished = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["key"] for line in finished} == {line["key"] for line in found}
    for line in finished:
        assert line["state"] == "done"
        assert len(line["data"]["text"]) >= 20
        assert line["data"]["title"] in {one["data"]["title"] for one in found}
    captions = finished[0]["data"]["captions"][0]
    files = dml.root / "spool/dml/files" / finished[0]["key"].replace("-", "%2D", finished[0]["key"][0] == "-")
    assert (files / captions["file"]).stat().st_size > 100


def test_a_second_look_finds_only_what_is_new(dml: House, world: World) -> None:
    first = {line["key"] for line in dml.run("rivus-discover", "dml").lines}
    assert dml.run("rivus-discover", "dml").lines == []
    world.post(snapshot=5)
    second = {line["key"] for line in dml.run("rivus-discover", "dml").lines}
    assert second
    assert not second & first
    assert len(dml.box("dml", "discover", "done")) == len(first | second)


def test_eight_processes_never_ask_the_source_more_than_four_times_at_once(dml: House, world: World) -> None:
    dml.run("rivus-discover", "dml")
    world.post(latency=0.05)
    workers = [dml.start("rivus-stage", "dml:fetch") for _ in range(8)]
    printed = [line for worker in workers for line in worker.communicate(timeout=120)[0].splitlines()]
    assert len(printed) == len({json.loads(line)["key"] for line in printed}) == 15
    most = world.counts()["max_at_once"]
    assert max(most[prefix] for prefix in ("/watch", "/captions", "/feeds") if prefix in most) <= 4
    assert dml.box("dml", "fetch", "ready") == []


def test_run_does_it_all_and_the_second_time_nothing(dml: House) -> None:
    first = dml.run("rivus-run", "dml").lines
    assert len([line for line in first if line["stage"] == "score"]) == 15
    assert dml.run("rivus-run", "dml").lines == []
