"""The stages `youtube.info`, what a site says about a video, and `youtube.audio`, its sound as one file.

Nothing a site says becomes a path or a program: the file's name is ours, its format one of a few that need no
conversion, and only plain downloads are taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from rivus.handlers.fields import address_in, nested
from rivus.handlers.lent import OPTIONS, lent, one_video, within
from rivus.model.outcome import Halt, ItemFailed, Json
from rivus.sources.dates import from_iso, from_seconds
from rivus.sources.keys import block, one_line

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

    from rivus.model.context import Context

JAVASCRIPT = True
"""As `rivus.handlers.youtube`."""
LONGEST = 50_000
MOST = 500
LARGEST_FILE = 2_000
"""MB."""
_TEXTS = {
    "title": "title", "channel": "channel", "channel_id": "channel_id", "language": "language", "live": "live_status",
    "availability": "availability", "license": "license", "thumbnail": "thumbnail", "video_id": "id",
    "url": "webpage_url",
}  # fmt: skip
_NUMBERS = {
    "duration": "duration", "views": "view_count", "likes": "like_count", "comments": "comment_count",
    "subscribers": "channel_follower_count", "age_limit": "age_limit",
}  # fmt: skip
_SOUND = ("m4a", "webm", "mp3", "ogg", "opus", "aac", "flac", "wav")
_MOVING = ("mp4", "webm", "mov", "3gp", "flv")
_FETCH = {**OPTIONS, "nopart": True, "overwrites": True, "continuedl": False, "retries": 2, "fixup": "never"}


def info(item: Json, ctx: Context, *, into: str | None = None) -> Json:
    """What YouTube, or any site that yt-dlp knows, says about a video. No byte of the video is fetched.

    Takes: `url`: the video's page.
    Gives: as far as they are known `title`, `description`, `channel`, `channel_id`, `published` (UTC), `duration`
           (seconds), `views`, `likes`, `comments`, `subscribers`, `tags`, `categories`, `chapters` (a list of
           `{"start", "end", "title"}`, seconds), `live` (`is_live`, `was_live`, `not_live` …), `availability`,
           `language`, `license`, `age_limit`, `thumbnail`, `video_id`, `url`.

    into: gives all of it as one field of that name.
    Raises what `rivus.net.ytdlp.translate` makes of yt-dlp's errors: RetryLater for a premiere that is still to come.

        about: {handler: youtube.info, limit: youtube, timeout: 2min}
    """
    url = address_in(item)
    with within(ctx, "what there is to know of the video"), lent() as ydl:
        return nested(about(one_video(ydl.extract_info(url, download=False))), into)


def about(info: Json) -> Json:
    """The output of `youtube.info` from yt-dlp's info."""
    known: Json = {name: one_line(info.get(key), 1_000) for name, key in _TEXTS.items()}
    known |= {name: info[key] for name, key in _NUMBERS.items() if _is_number(info.get(key))}
    known["channel"] = known["channel"] or one_line(info.get("uploader"), 1_000)
    known["description"] = block(info.get("description"), LONGEST)
    known["published"] = _published(info)
    for name in ("tags", "categories"):
        known[name] = [one_line(word, 200) for word in _list(info, name)]
    known["chapters"] = [_chapter(each) for each in _list(info, "chapters") if isinstance(each, dict)]
    return {name: value for name, value in known.items() if value not in (None, "", [])}


def audio(item: Json, ctx: Context, *, max_mb: float = 200, into: str | None = None) -> Json:
    """The sound of a video as one file, in the format it is offered in: nothing is converted.

    Takes: `url`: the video's page.
    Gives: `file` (`audio.m4a`, `audio.webm` …), `format` (the suffix), `bytes`, `kind` (`audio`; `video` where a site
           has no sound alone: then it is the smallest file with both); `title`, `duration`, `channel` … as
           `youtube.info`, unless the item has them.

    max_mb: what is larger is left aside; if all is, the item fails.
    into:   gives all of it as one field of that name.
    Raises ItemFailed if there is nothing to take; otherwise as `youtube.info`.

        sound: {handler: youtube.audio, limit: youtube, timeout: 30min, with: {max_mb: 100}}
    """
    from rivus.net.ytdlp import open_ytdlp

    url = address_in(item)
    if not 0 < max_mb <= LARGEST_FILE:
        raise Halt(f"`max_mb` is not between 0 and {LARGEST_FILE:,}: {max_mb}")
    with within(ctx, "the sound"), open_ytdlp(_FETCH) as ydl:
        video = one_video(ydl.extract_info(url, download=False))
        kind, taken = choose_sound(video, max_mb * 1_000_000)
        file = ctx.workdir / f"audio.{taken['ext']}"
        _fetch(ydl, {**video, **taken}, file, int(max_mb * 1_000_000))
    known = {name: value for name, value in about(video).items() if not item.get(name)}
    what = {"file": ctx.name(file), "format": taken["ext"], "bytes": file.stat().st_size, "kind": kind}
    return nested({**known, **what}, into)


def choose_sound(video: Json, most: float) -> tuple[str, Json]:
    """`audio` and the best format of sound alone, else `video` and the smallest with both.

    most: bytes; formats that say that they are larger are left aside. Raises ItemFailed if none is left.
    """
    plain = [each for each in _list(video, "formats") or [video] if _is_plain(each) and _size(each) <= most]
    sound = [each for each in plain if each.get("vcodec") == "none" and each.get("ext") in _SOUND]
    if sound:
        return "audio", max(sound, key=lambda each: each.get("abr") or each.get("tbr") or 0)
    both = [each for each in plain if each.get("acodec") != "none" and each.get("ext") in (*_MOVING, *_SOUND)]
    if not both:
        raise ItemFailed(f"there is no plain file with sound of at most {most / 1_000_000:g} MB")
    chosen = min(both, key=lambda each: (_size(each) or most, each.get("tbr") or 0))
    return ("audio" if chosen["ext"] in _SOUND[:1] + _SOUND[2:] else "video"), chosen


def _fetch(ydl: YoutubeDL, taken: Json, file: Path, most: int) -> None:
    def watch(progress: Json) -> None:
        if max(progress.get("downloaded_bytes") or 0, progress.get("total_bytes") or 0) > most:
            raise ItemFailed(f"the sound is larger than {most / 1_000_000:g} MB")

    ydl.add_progress_hook(watch)
    try:
        done, _ = ydl.dl(str(file), taken)
        if not done or not file.stat().st_size:
            raise ItemFailed("the sound could not be fetched")
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _is_plain(each: Any) -> bool:
    plain = isinstance(each, dict) and each.get("protocol") in (None, "http", "https") and not each.get("has_drm")
    return plain and str(each.get("url") or "").startswith(("http://", "https://"))


def _size(each: Json) -> float:
    size = each.get("filesize") or each.get("filesize_approx")
    return float(size) if _is_number(size) else 0


def _published(info: Json) -> str | None:
    seconds = info.get("release_timestamp") or info.get("timestamp")
    return (from_seconds(seconds) if _is_number(seconds) else None) or from_iso(info.get("upload_date"))


def _chapter(chapter: Json) -> Json:
    numbers = {name: chapter.get(f"{name}_time") for name in ("start", "end")}
    return {**{n: v for n, v in numbers.items() if _is_number(v)}, "title": one_line(chapter.get("title"), 500)}


def _list(info: Json, name: str) -> list[Any]:
    value = info.get(name)
    return value[:MOST] if isinstance(value, list) else []


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
