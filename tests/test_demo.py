"""The demo site, as a browser, a feed reader, yt-dlp and a shell meet it; and the jobs that ship."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.demo.report import finished, report
from rivus.demo.server import FOLDER, Site
from rivus.model.outcome import Skip
from rivus.plugins import find
from rivus.tell.check import check

ROOT = Path(__file__).resolve().parent.parent
CHANNEL = json.loads((FOLDER / "channel.json").read_text("utf-8"))
FEED = f"/feeds/videos.xml?channel_id={CHANNEL['id']}"


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = Site("127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.url
    server.shutdown()
    server.server_close()


def get(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def demo(jobs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rivus.demo", "--jobs", str(jobs), *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def jobs(tmp_path: Path, port: int) -> Path:
    """The demo's own jobs.d, on a port of this test."""
    folder = tmp_path / "jobs.d"
    shutil.copytree(ROOT / "jobs.d", folder)
    file = folder / "demo.yaml"
    file.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", file.read_text("utf-8")), "utf-8")
    return folder


def test_the_feed_lists_every_video_newest_first(site: str) -> None:
    feedparser = pytest.importorskip("feedparser")
    feed = feedparser.parse(get(site + FEED)[2])
    assert not feed.bozo
    assert [entry.yt_videoid for entry in feed.entries] == [video["id"] for video in CHANNEL["videos"]]
    assert feed.entries[3].summary == "Everybody sings the chorus, Ines & the dog too."
    dates = [entry.published_parsed for entry in feed.entries]
    assert dates == sorted(dates, reverse=True)


def test_every_link_of_the_feed_leads_to_a_page_with_its_title(site: str) -> None:
    links = re.findall(r'<link rel="alternate" href="(.*?/watch.*?)"', get(site + FEED)[2])
    assert len(links) == len(CHANNEL["videos"]) == 8
    for link, video in zip(links, CHANNEL["videos"], strict=True):
        assert f"<h1>{video['title']}</h1>" in get(link)[2]


def test_ytdlp_finds_captions_where_there_are_some(site: str) -> None:
    yt_dlp = pytest.importorskip("yt_dlp")
    for video in CHANNEL["videos"]:
        with yt_dlp.YoutubeDL({"quiet": True, "no_warnings": True, "proxy": ""}) as ydl:
            info = ydl.extract_info(f"{site}/watch?v={video['id']}", download=False)
        assert ("en" in info["subtitles"]) == bool(video["captions"])


def test_ytdlp_reads_the_list_of_older_videos_which_is_empty(site: str) -> None:
    yt_dlp = pytest.importorskip("yt_dlp")
    with yt_dlp.YoutubeDL({"quiet": True, "no_warnings": True, "proxy": "", "extract_flat": True}) as ydl:
        info = ydl.extract_info(f"{site}/channel/{CHANNEL['id']}/videos", download=False, process=False)
    assert (info["_type"], list(info["entries"])) == ("playlist", [])


def test_every_caption_file_is_webvtt_and_belongs_to_a_video(site: str) -> None:
    named = {video["captions"] for video in CHANNEL["videos"] if video["captions"]}
    assert named == {file.name for file in (FOLDER / "captions").iterdir()}
    for name in named:
        status, headers, text = get(f"{site}/captions/{name}")
        assert status == 200 and headers["Content-Type"].startswith("text/vtt")
        assert text.startswith("WEBVTT") and text.count("-->") > 15


def test_what_has_not_changed_is_answered_with_304(site: str) -> None:
    for path in (FEED, f"/watch?v={CHANNEL['videos'][0]['id']}"):
        tag = get(site + path)[1]["ETag"]
        assert get(site + path, **{"If-None-Match": tag})[::2] == (304, "")
        assert get(site + path, **{"If-None-Match": '"other"'})[0] == 200


@pytest.mark.parametrize(
    "path", ["/nothing", "/watch", "/watch?v=unknown", "/captions/../channel.json", FEED + "0"]
)
def test_what_is_not_there_is_404(site: str, path: str) -> None:
    assert get(site + path)[0] == 404


def test_the_front_page_and_a_film_of_no_length(site: str) -> None:
    front = get(f"{site}/")[2]
    assert front.count("/watch?v=") == 8
    assert get(f"{site}/media/{CHANNEL['videos'][0]['id']}.mp4")[1]["Content-Type"] == "video/mp4"


def test_a_command_meets_the_site_and_its_exit_status_is_kept(jobs: Path, port: int) -> None:
    look = f"import sys, urllib.request as u; u.urlopen('http://127.0.0.1:{port}/').read(); sys.exit(7)"
    assert demo(jobs, "--", sys.executable, "-c", look).returncode == 7


def test_a_command_that_is_not_there_or_is_killed_ends_as_in_a_shell(jobs: Path) -> None:
    missing = demo(jobs, "--", "/nonexistent/command")
    assert (missing.returncode, missing.stderr.count("\n")) == (127, 1)
    kill = "import os; os.kill(os.getpid(), 9)"
    assert demo(jobs, "--", sys.executable, "-c", kill).returncode == 137


def test_a_busy_port_is_one_clear_line_and_69(jobs: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        result = demo(jobs, "--", "true")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (69, "", 1)
    assert f"127.0.0.1:{port} is in use" in result.stderr and "demo.yaml" in result.stderr


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:80", "https://127.0.0.1:1", "http://127.0.0.1:70000", "ftp"]
)
def test_an_address_that_is_not_on_loopback_is_a_configuration_error(jobs: Path, url: str) -> None:
    file = jobs / "demo.yaml"
    file.write_text(re.sub(r"base_url: \S+", f"base_url: {url}", file.read_text("utf-8")), "utf-8")
    result = demo(jobs, "--", "true")
    assert (result.returncode, result.stderr.count("\n")) == (78, 1)


def test_without_a_command_it_serves_until_interrupted(jobs: Path, port: int) -> None:
    arguments = [sys.executable, "-m", "rivus.demo", "--jobs", str(jobs)]
    with subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            assert f"127.0.0.1:{port}/" in server.stderr.readline()
            assert get(f"http://127.0.0.1:{port}/")[0] == 200
            server.send_signal(signal.SIGINT)
            assert server.wait(10) == 0
        finally:
            server.kill()


def put(spool: Path, place: str, key: str, **parts: object) -> None:
    file = spool / "demo" / place / f"{key}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        json.dumps({"job": "demo", "key": key, "data": {"title": key.upper()}, "meta": {}, **parts})
    )


def test_the_report_shows_what_was_made_what_was_not_and_why(tmp_path: Path) -> None:
    for key in ("a", "b", "c"):
        put(tmp_path, "discover/done", key)
    put(tmp_path, "extract/done", "a", output={"text": "three short words"})
    put(tmp_path, "score/done", "a", output={"value": 5})
    put(tmp_path, "fetch/done", "b", receipt={"skipped": "no captions"})
    put(tmp_path, "fetch/failed", "c", error={"reason": "gone"})
    text = report(tmp_path, frozenset())
    assert re.search(r"^ +5\.0 +3  A$", text, re.MULTILINE)
    assert re.search(r"^ +- +-  B  \[no captions\]$", text, re.MULTILINE)
    assert re.search(r"^ +- +-  C  \[gone\]$", text, re.MULTILINE)
    assert "1 new." in text


def test_a_second_report_says_that_nothing_is_new(tmp_path: Path) -> None:
    put(tmp_path, "discover/done", "a")
    put(tmp_path, "score/done", "a", output={"value": 5})
    assert "Nothing new" in report(tmp_path, finished(tmp_path))


def test_the_report_of_an_empty_spool_is_a_table_without_rows(tmp_path: Path) -> None:
    assert "Nothing new" in report(tmp_path, finished(tmp_path))


def earnings(item: dict[str, object]) -> dict[str, Any]:
    handler = find("handler", "earnings_report.summary", ROOT / "jobs.d")
    return dict(handler(item, None))


def test_every_job_that_ships_is_without_a_fault() -> None:
    assert [str(problem) for problem in check(ROOT / "jobs.d")] == []


def test_an_earnings_report_says_by_how_much_it_beat_or_missed_the_estimate() -> None:
    row = {
        "symbol": "X",
        "eps_actual": 1.1,
        "eps_estimate": 1.0,
        "revenue_actual": 90,
        "revenue_estimate": 100,
    }
    made = earnings(row)
    assert made["text"] == "X: 1.10 a share, +0.10 against the estimate (+10.0 %)"
    assert made["revenue"] == {"actual": 90, "estimate": 100, "difference": -10, "percent": -10.0}


def test_a_loss_smaller_than_estimated_is_a_positive_surprise() -> None:
    assert earnings({"symbol": "X", "eps_actual": -0.5, "eps_estimate": -1.0})["eps"]["percent"] == 50.0


@pytest.mark.parametrize("estimate", [None, 0])
def test_earnings_without_an_estimate_to_take_a_share_of_have_no_percent(estimate: float | None) -> None:
    made = earnings({"symbol": "X", "eps_actual": 0.25, "eps_estimate": estimate})
    assert made["eps"]["percent"] is None and "%" not in made["text"]


def test_a_company_that_has_not_reported_is_skipped() -> None:
    with pytest.raises(Skip, match="X has not reported yet"):
        earnings({"symbol": "X", "eps_actual": None, "eps_estimate": 1.0})
