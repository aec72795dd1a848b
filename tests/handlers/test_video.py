from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers.video import about, audio, choose_sound, info
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, SourceBlocked
from tests.conftest import World
from tests.handlers.conftest import FakeContext
from tests.site import Site

SOUND = b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom" + bytes(50_000)


def sounding(source: str = "/talk.m4a", kind: str = "audio/mp4") -> str:
    return (
        f"<!doctype html><html><head><title>A talk</title></head><body><audio controls>"
        f'<source src="{source}" type="{kind}"></audio></body></html>'
    )


# ---- youtube.info


def test_what_is_known_of_a_video_comes_without_a_byte_of_it(ctx: FakeContext, world: World) -> None:
    found = info({"url": f"{world.url}/watch?v=dQw4w9WgXcQ"}, ctx)
    assert found["title"].startswith("Video dQw4w9WgXcQ") and found["url"].endswith("/watch?v=dQw4w9WgXcQ")
    assert "/media" not in world.counts()["requests"]
    assert list(info({"url": found["url"]}, ctx, into="video")) == ["video"]


def test_recorded_infos_become_plain_fields(shared: Path) -> None:
    names = ("Mountain_3_-_Video_Background_HD_1080p-6iRV8liah8A", "EA_Play_2016_Live_from_the_Novo_Theatre-42850523")
    mountain, play = (
        about(json.loads((shared / "data" / "ytdlp_info" / f"{name}.info.json").read_text())) for name in names
    )
    assert mountain["video_id"] == "6iRV8liah8A" and mountain["duration"] > 0 and mountain["views"] > 0
    assert mountain["published"].endswith("T00:00:00Z") and mountain["tags"]
    assert play["title"].startswith("EA Play 2016") and play["published"].startswith("2016-")


def test_what_a_site_says_is_checked() -> None:
    found = about(
        {
            "title": "a\x00\n b", "duration": True, "view_count": float("inf"), "like_count": 3,
            "upload_date": "20240131", "tags": ["x", 5],
            "chapters": [{"start_time": 0, "end_time": 5.5, "title": "One"}, "junk", {"title": None}],
            "description": "two\nlines", "uploader": "Me", "live_status": "was_live", "categories": "no list",
        }
    )  # fmt: skip
    assert found == {
        "title": "a b", "likes": 3, "published": "2024-01-31T00:00:00Z", "tags": ["x", "5"],
        "chapters": [{"start": 0, "end": 5.5, "title": "One"}, {"title": ""}], "description": "two\nlines",
        "channel": "Me", "live": "was_live",
    }  # fmt: skip


# ---- youtube.audio


def test_the_sound_is_one_file_with_a_name_of_ours(ctx: FakeContext, site: Site) -> None:
    site.put("/talk.m4a", SOUND, kind="audio/mp4")
    found = audio({"url": site.put("/talk", sounding()), "title": "Mine"}, ctx)
    assert (found["file"], found["format"], found["bytes"], found["kind"]) == (
        "fetch/audio.m4a", "m4a", len(SOUND), "audio",
    )  # fmt: skip
    assert ctx.path(found["file"]).read_bytes() == SOUND and "title" not in found
    assert [path.name for path in ctx.workdir.iterdir()] == ["audio.m4a"]


def test_where_there_is_no_sound_alone_the_video_is_taken(ctx: FakeContext, world: World) -> None:
    found = audio({"url": f"{world.url}/watch?v=dQw4w9WgXcQ"}, ctx)
    assert (found["file"], found["kind"], found["bytes"]) == ("fetch/audio.mp4", "video", 24)


def test_sound_above_the_cap_fails_the_item_and_leaves_no_file(ctx: FakeContext, site: Site) -> None:
    site.put("/talk.m4a", SOUND, kind="audio/mp4")
    with pytest.raises(ItemFailed, match=r"larger than 0\.01 MB"):
        audio({"url": site.put("/talk", sounding())}, ctx, max_mb=0.01)
    assert list(ctx.workdir.iterdir()) == []


@pytest.mark.parametrize(("status", "outcome"), [(404, ItemFailed), (403, RetryLater), (429, SourceBlocked)])
def test_sound_that_is_refused_gives_the_outcome_of_its_status(
    ctx: FakeContext, site: Site, status: int, outcome: type[Outcome]
) -> None:
    site.put("/talk.m4a", "no", status=status)
    with pytest.raises(outcome):
        audio({"url": site.put("/talk", sounding())}, ctx)
    assert list(ctx.workdir.iterdir()) == []


def test_sound_that_never_ends_is_left_before_the_timeout(ctx: FakeContext, site: Site) -> None:
    released = threading.Event()
    site.before = lambda path: released.wait(10) if path.endswith(".m4a") else None
    ctx.timeout, started = 0.5, time.monotonic()
    with pytest.raises(TimeoutError, match=r"the sound took longer than 0\.45 s"):
        audio({"url": site.put("/talk", sounding())}, ctx)
    released.set()
    assert time.monotonic() - started < 8 and list(ctx.workdir.iterdir()) == []


def test_a_size_that_makes_no_sense_halts_the_job(ctx: FakeContext) -> None:
    with pytest.raises(Halt, match="max_mb"):
        audio({"url": "https://example.org/"}, ctx, max_mb=0)


def offered(ext: str, **more: Any) -> dict[str, Any]:
    return {"ext": ext, "url": f"https://example.com/x.{ext}", "protocol": "https", **more}


def chosen(*formats: dict[str, Any], most: float = 1e6) -> tuple[str, str]:
    kind, taken = choose_sound({"formats": list(formats)}, most)
    return kind, str(taken.get("id"))


def test_the_best_sound_alone_that_fits_is_taken_before_any_video() -> None:
    formats = [
        offered("mp4", id="both", filesize=10),
        offered("m4a", id="low", vcodec="none", abr=48, filesize=100_000),
        offered("webm", id="good", vcodec="none", abr=128, filesize=900_000),
        offered("m4a", id="large", vcodec="none", abr=256, filesize=9_000_000),
        offered("m4a", id="hls", vcodec="none", abr=500, protocol="m3u8_native"),
        offered("m4a", id="drm", vcodec="none", abr=500, has_drm=True),
        offered("exe", id="odd", vcodec="none", abr=500),
        {**offered("m4a", id="file", vcodec="none", abr=500), "url": "file:///etc/passwd"},
    ]
    assert chosen(*formats) == ("audio", "good")
    assert chosen(*formats, most=200_000) == ("audio", "low")
    assert chosen(*formats, most=50) == ("video", "both")


def test_a_silent_video_or_one_that_is_too_large_is_no_sound() -> None:
    with pytest.raises(ItemFailed, match="no plain file with sound of at most 1 MB"):
        chosen(offered("mp4", acodec="none"), offered("mp4", filesize=2e6), {"ext": "mp4"})
