from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers import lent, youtube
from rivus.handlers.captions import text
from rivus.handlers.youtube import captions, choose
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, Skip, SourceBlocked
from tests.conftest import World
from tests.handlers.conftest import FakeContext
from tests.site import Site

VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nhello there\n"


def video(*langs: str) -> str:
    tracks = "".join(f'<track kind="subtitles" srclang="{lang}" src="/{n}.vtt">' for n, lang in enumerate(langs))
    return (
        f"<!doctype html><html><head><title>A talk</title></head><body>"
        f'<video controls><source src="/media.mp4" type="video/mp4">{tracks}</video></body></html>'
    )


def names(ctx: FakeContext) -> list[str]:
    return sorted(str(path.relative_to(ctx.workdir)) for path in ctx.workdir.rglob("*"))


def test_captions_are_written_and_named_but_no_byte_of_the_video_is_fetched(
    ctx: FakeContext, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    url = site.put("/talk", video("en", "de"))
    site.put("/0.vtt", VTT, kind="text/vtt")
    output = captions({"url": url}, ctx)
    assert output["captions"] == [{"lang": "en", "kind": "manual", "format": "vtt", "file": "fetch/1.manual.vtt"}]
    assert output["title"].startswith("A talk")
    assert ctx.path("fetch/1.manual.vtt").read_text() == VTT
    assert "/media.mp4" not in site.asked and "/1.vtt" not in site.asked
    assert capfd.readouterr() == ("", "")


def test_captions_from_the_recorded_world_become_text(ctx: FakeContext, world: World) -> None:
    output = captions({"url": f"{world.url}/watch?v=dQw4w9WgXcQ"}, ctx)
    assert len(text(output, ctx)["text"]) > 10
    assert "/media" not in world.counts()["requests"]


def test_what_a_page_calls_its_language_never_becomes_a_path(ctx: FakeContext, site: Site, tmp_path: Path) -> None:
    url = site.put("/talk", video("../../../en", "en/../../x"))
    site.put("/0.vtt", VTT, kind="text/vtt")
    site.put("/1.vtt", VTT, kind="text/vtt")
    output = captions({"url": url}, ctx, langs=[".*"])
    assert names(ctx) == ["1.manual.vtt", "2.manual.vtt"]
    assert [entry["file"] for entry in output["captions"]] == ["fetch/1.manual.vtt", "fetch/2.manual.vtt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files"]


def test_languages_come_in_the_order_asked_for_and_not_more_than_max_files(ctx: FakeContext, site: Site) -> None:
    url = site.put("/talk", video("en", "de", "fr", "it"))
    for number in range(4):
        site.put(f"/{number}.vtt", VTT, kind="text/vtt")
    output = captions({"url": url}, ctx, langs=["it", "DE", ".*"], max_files=3)
    assert [entry["lang"] for entry in output["captions"]] == ["it", "de", "en"]


def test_a_video_without_captions_is_skipped(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(Skip, match=r"^no captions$"):
        captions({"url": site.put("/talk", video())}, ctx)


def test_a_video_with_captions_in_other_languages_only_is_skipped_and_says_which(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(Skip, match=r"no captions in en\.\*, en, but in de, fr"):
        captions({"url": site.put("/talk", video("de", "fr"))}, ctx)


@pytest.mark.parametrize(
    ("status", "outcome"), [(404, ItemFailed), (429, SourceBlocked), (503, RetryLater), (500, RetryLater)]
)
def test_a_page_that_answers_with_an_error_gives_the_outcome_of_its_status(
    ctx: FakeContext, site: Site, status: int, outcome: type[Outcome], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(outcome):
        captions({"url": site.put("/talk", "no", status=status)}, ctx)
    assert capfd.readouterr() == ("", "")


def test_captions_that_are_gone_are_an_error_and_not_an_empty_result(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(ItemFailed):
        captions({"url": site.put("/talk", video("en"))}, ctx)


def test_a_page_without_a_video_fails_the_item(ctx: FakeContext, site: Site) -> None:
    with pytest.raises(ItemFailed):
        captions({"url": site.put("/talk", "<html><body>just text</body></html>")}, ctx)


def test_a_page_with_several_videos_is_not_one_video(ctx: FakeContext, site: Site) -> None:
    several = video("en").replace("</video>", '</video><video><source src="/b.mp4" type="video/mp4"></video>')
    with pytest.raises(ItemFailed, match="one video"):
        captions({"url": site.put("/talk", several)}, ctx)


def test_a_caption_file_above_the_cap_fails_the_item(
    ctx: FakeContext, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(youtube, "MAX_BYTES", 100_000)
    url = site.put("/talk", video("en"))
    site.put("/0.vtt", b"x" * 1_000_000, kind="text/vtt")
    with pytest.raises(ItemFailed, match="larger than"):
        captions({"url": url}, ctx)


def test_private_addresses_stay_closed_to_yt_dlp(ctx: FakeContext, site: Site) -> None:
    url = site.put("/talk", video("en"))
    ctx.private_hosts = ()
    with pytest.raises(ItemFailed, match="private address"):
        captions({"url": url}, ctx)
    assert site.asked == []


def test_a_site_that_hangs_is_left_before_the_timeout(ctx: FakeContext, site: Site) -> None:
    released = threading.Event()
    site.before = lambda path: released.wait(10)
    ctx.timeout = 0.3
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"0\.27 s"):
        captions({"url": site.put("/talk", video("en"))}, ctx)
    released.set()
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("url", [None, 5, "", "file:///etc/passwd", "ytsearch:cats", "-x", "ftp://x/y"])
def test_only_http_addresses_are_handed_to_yt_dlp(ctx: FakeContext, url: object) -> None:
    with pytest.raises(ItemFailed, match="http address"):
        captions({"url": url}, ctx)


def test_a_language_that_is_no_pattern_halts_the_job(ctx: FakeContext) -> None:
    with pytest.raises(Halt, match="regular expression"):
        captions({"url": "https://example.com/"}, ctx, langs=["en("])


def test_threads_never_share_an_instance_and_idle_ones_are_used_again(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lent, "_idle", [])
    url = site.put("/talk", video("en"))
    site.put("/0.vtt", VTT, kind="text/vtt")
    contexts = [FakeContext(tmp_path / str(number)) for number in range(12)]
    with ThreadPoolExecutor(3) as pool:
        outputs = list(pool.map(lambda each: captions({"url": url}, each), contexts))
    assert all(output["captions"] for output in outputs)
    assert 1 <= len(lent._idle) <= 3
    assert len({id(ydl) for ydl in lent._idle}) == len(lent._idle)


def test_an_instance_that_met_an_error_is_not_used_again(
    ctx: FakeContext, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lent, "_idle", [])
    with pytest.raises(RetryLater):
        captions({"url": site.put("/talk", "no", status=500)}, ctx)
    assert lent._idle == []


def entry(extension: str, **more: Any) -> dict[str, Any]:
    return {"ext": extension, "url": f"https://example.com/{extension}", **more}


def chosen(info: dict[str, Any], *langs: str, auto: bool = True) -> list[tuple[str, str, str]]:
    tracks = choose(info, [re.compile(lang, re.IGNORECASE) for lang in langs], auto=auto)
    return [(track.lang, track.kind, track.format) for track in tracks]


def test_what_people_wrote_comes_before_the_machine_and_replaces_it_in_its_language() -> None:
    info = {
        "subtitles": {"en-GB": [entry("vtt"), entry("json3")]},
        "automatic_captions": {
            "en": [entry("vtt")],
            "en-orig": [entry("vtt")],
            "de": [entry("srv1"), entry("vtt")],
        },
    }
    assert chosen(info, "de", "en.*") == [("en-GB", "manual", "json3"), ("de", "auto", "vtt")]
    assert chosen(info, "de", "en.*", auto=False) == [("en-GB", "manual", "json3")]


def test_of_a_machines_track_and_its_copy_only_the_original_is_taken() -> None:
    info = {"automatic_captions": {"en": [entry("json3")], "en-orig": [entry("json3")], "fr": [entry("json3")]}}
    assert chosen(info, "fr", "en.*") == [("fr", "auto", "json3"), ("en-orig", "auto", "json3")]
    assert chosen(info, "en") == [("en", "auto", "json3")]


def test_only_plain_downloads_in_formats_that_can_be_read_are_taken() -> None:
    info = {
        "subtitles": {
            "en": [entry("vtt", protocol="m3u8_native"), entry("srt")],
            "live_chat": [entry("json", protocol="youtube_live_chat")],
            "de": [entry("ttml")],
        }
    }
    assert chosen(info, ".*") == [("en", "manual", "srt")]
