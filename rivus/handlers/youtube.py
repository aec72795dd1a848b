"""The stage `youtube.captions`: the caption files of a video, through yt-dlp. No byte of the video is fetched.

yt-dlp only finds out what there is. Which captions are taken, under which name they are written and how much of them
is decided here, so that nothing a site says becomes a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from rivus.handlers.cues import MAX_BYTES
from rivus.handlers.fields import address_in
from rivus.handlers.lent import lent, one_video, within
from rivus.model.outcome import Halt, ItemFailed, Json, Skip

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

    from rivus.model.context import Context

JAVASCRIPT = True
"""yt-dlp has the scripts of a player run by whatever runtime is there."""
_CHUNK = 65_536
_LANGS = ["en.*", "en"]
_FORMATS = ("json3", "vtt", "srv3", "srt")
"""What `captions.text` reads, the best first: json3 says everything once, vtt repeats its lines."""


@dataclass(frozen=True, slots=True)
class Track:
    """One caption file that a site offers; kind: `manual` or `auto`."""

    lang: str
    kind: str
    format: str
    url: str
    data: str | None = None


def captions(item: Json, ctx: Context, *, langs: list[str] = _LANGS, auto: bool = True, max_files: int = 4) -> Json:
    """The captions of a video on YouTube, or on any site that yt-dlp knows.

    Takes: `url`: the video's page.
    Gives: `captions`: a list of `{"lang", "kind": "manual"|"auto", "format", "file"}`, the best first;
           `title`, `duration` (seconds) and `channel` where they are known and the item has none of its own.

    langs:     language codes as regular expressions, the preferred first.
    auto:      also those made by machine, in languages for which nobody has written any.
    max_files: take at most so many.
    Raises Skip if there are none; what yt-dlp cannot do becomes an outcome by `rivus.net.ytdlp.translate`.

        fetch: {handler: youtube.captions, limit: youtube, timeout: 5min, with: {langs: [de, "en.*"]}}
    """
    url, patterns = address_in(item), _patterns(langs)
    with within(ctx, "the captions"), lent() as ydl:
        info = one_video(ydl.extract_info(url, download=False))
        tracks = choose(info, patterns, auto=auto)[:max_files]
        if not tracks:
            raise Skip(_none(info, langs))
        headers = info.get("http_headers") or {}
        files = [_save(ydl, track, headers, number, ctx.workdir) for number, track in enumerate(tracks, 1)]
    taken = zip(tracks, files, strict=True)
    listed = [{"lang": t.lang, "kind": t.kind, "format": t.format, "file": ctx.name(file)} for t, file in taken]
    return {"captions": listed, **_about(info, item)}


def choose(info: Json, patterns: list[re.Pattern[str]], *, auto: bool = True) -> list[Track]:
    """The tracks of a video (yt-dlp's info) worth fetching: those people wrote first, then in the order of `patterns`.

    A machine's track is left out where people wrote one in that language, and where it is a copy of the original
    (`en` of `en-orig`).
    """
    manual = _matching(_tracks(info.get("subtitles"), "manual"), patterns)
    written = {_base(track.lang) for track in manual}
    machine = _matching(_tracks(info.get("automatic_captions"), "auto"), patterns) if auto else []
    machines = {track.lang for track in machine}
    return manual + [
        track for track in machine if _base(track.lang) not in written and f"{track.lang}-orig" not in machines
    ]


def _tracks(offered: object, kind: str) -> Iterator[Track]:
    """One track for each language, in the best format that is one plain download."""
    for lang, entries in offered.items() if isinstance(offered, dict) else ():
        there = (entry for entry in entries if entry.get("url") or entry.get("data"))
        plain = (entry for entry in there if entry.get("protocol") in (None, "http", "https"))
        best = min(plain, key=lambda e: _rank(e.get("ext")), default=None)
        if best and best.get("ext") in _FORMATS:
            yield Track(str(lang), kind, best["ext"], str(best.get("url") or ""), best.get("data"))


def _rank(extension: object) -> int:
    return _FORMATS.index(extension) if extension in _FORMATS else len(_FORMATS)


def _matching(tracks: Iterable[Track], patterns: list[re.Pattern[str]]) -> list[Track]:
    """The tracks whose language one of `patterns` matches, in the order of the patterns."""
    ranked: list[tuple[int, Track]] = []
    for track in tracks:
        fits = (rank for rank, pattern in enumerate(patterns) if pattern.fullmatch(track.lang))
        ranked += [(rank, track) for rank in islice(fits, 1)]
    return [track for _, track in sorted(ranked, key=itemgetter(0))]


def _base(lang: str) -> str:
    return lang.split("-")[0].lower()


def _save(ydl: YoutubeDL, track: Track, headers: Mapping[str, str], number: int, folder: Path) -> Path:
    """Writes a track to a file whose name is ours alone (`1.manual.json3`)."""
    from yt_dlp.networking import Request

    path = folder / f"{number}.{track.kind}.{track.format}"
    with path.open("wb") as file:
        if track.data is not None:
            file.write(track.data.encode(errors="replace"))
            return path
        with ydl.urlopen(Request(track.url, headers=headers)) as answer:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                if file.tell() > MAX_BYTES:
                    raise ItemFailed(f"the {track.lang} captions are larger than {MAX_BYTES // 1_000_000} MB")
    return path


def _about(info: Json, item: Json) -> Json:
    known = {"title": info.get("title"), "duration": info.get("duration")}
    known["channel"] = info.get("channel") or info.get("uploader")
    good = {name: value for name, value in known.items() if isinstance(value, str | int | float) and value != ""}
    return {name: value for name, value in good.items() if not item.get(name)}


def _none(info: Json, langs: list[str]) -> str:
    there = sorted({*(info.get("subtitles") or {}), *(info.get("automatic_captions") or {})})
    return f"no captions in {', '.join(langs)}, but in {', '.join(there[:10])}" if there else "no captions"


def _patterns(langs: list[str]) -> list[re.Pattern[str]]:
    try:
        return [re.compile(lang, re.IGNORECASE) for lang in langs]
    except re.error as error:
        raise Halt(f"`langs`: {error.pattern!r} is no regular expression: {error}") from None
