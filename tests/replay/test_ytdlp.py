"""What yt-dlp was told comes again without the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import World
from tests.replay.house import Home

pytest.importorskip("yt_dlp")

JOB = """
stages:
  fetch: {handler: youtube.captions, timeout: 1min, concurrency: 2}
  extract: {handler: captions.text, expect: {min_length: {text: 10}}}
allow_private_hosts: [127.0.0.1]
"""
VIDEOS = ["dQw4w9WgXcQ", "jNQXAC9IVRw"]


def test_captions_of_the_recorded_world_replay_offline(tmp_path: Path, world: World) -> None:
    home = Home(tmp_path, JOB)
    home.work(*({"id": video, "url": f"{world.url}/watch?v={video}"} for video in VIDEOS), record=True)
    asked = world.counts()["requests"]
    replayed = [*home.replay("fetch", offline=True), *home.replay("extract", offline=True)]
    assert len(replayed) == 2 * len(VIDEOS)
    assert [(one.same, one.outcome, one.notes) for one in replayed] == [(True, "done", ())] * len(replayed)
    assert all(one.after["files"] for one in replayed[: len(VIDEOS)])
    assert world.counts()["requests"] == asked
