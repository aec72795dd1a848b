"""yt-dlp for handlers: an instance lent to one item, under the network guard and most of its context's time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rivus.model.context import OF_THE_TIMEOUT
from rivus.model.outcome import ItemFailed, Json, Skip

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

    from rivus.model.context import Context

OPTIONS = {
    "skip_download": True,
    "writesubtitles": True,  # makes extractors look for them
    "writeautomaticsub": True,
    "noplaylist": True,
    "playlist_items": "1:2",
    "extract_flat": "in_playlist",
    "format": "all",  # any will do, none is fetched; the default looks for ffmpeg
}

# An instance must not be used by two threads at once (it keeps the state of the running extraction), and a new one
# for each video would fetch the player's script of 2 MB again. So: idle instances, lent to one item at a time.
_idle: list[YoutubeDL] = []


@contextmanager
def within(ctx: Context, what: str) -> Iterator[None]:
    """Under the network guard and for what one request may take of the timeout; what yt-dlp raises becomes an outcome.

    what: is being done, for the TimeoutError that says that it took too long.
    """
    from rivus.net.guard import guarding
    from rivus.net.ytdlp import translate

    seconds = ctx.timeout * OF_THE_TIMEOUT
    with guarding(ctx.private_hosts, total=seconds) as deadline:
        error: Exception | None = None
        try:
            yield
        except Exception as raised:  # noqa: BLE001 - extractors for a thousand sites raise anything
            error = translate(raised)
        if deadline and deadline.cut:
            error = TimeoutError(f"{what} took longer than {seconds:g} s")
        if error:
            raise error from None


@contextmanager
def lent() -> Iterator[YoutubeDL]:
    """An instance for this item alone. One that has met an error is not used again: its cookies may be the cause. Nor
    is one used again while there is a tape: what it knows from another item it would not ask for."""
    from rivus.net.record import tape
    from rivus.net.ytdlp import open_ytdlp

    if tape():
        with open_ytdlp(OPTIONS) as own:
            yield own
        return
    try:
        ydl = _idle.pop()
    except IndexError:
        ydl = open_ytdlp(OPTIONS)
    sound = False
    try:
        yield ydl
        sound = True
    except Skip:
        sound = True
        raise
    finally:
        _idle.append(ydl) if sound else ydl.close()


def one_video(info: Any) -> Json:
    """The info of the one video behind an address, also when it is wrapped in a list of one.

    Raises ItemFailed for anything else; that is also what yt-dlp takes for the video itself without knowing its format:
    an empty page, a program.
    """
    if isinstance(info, dict) and "entries" in info:
        entries = [entry for entry in info["entries"] if entry]
        info = entries[0] if len(entries) == 1 else None
    known = isinstance(info, dict) and info.get("_type", "video") == "video"
    if not known or (info.get("direct") and info.get("ext") == "unknown_video"):
        raise ItemFailed("the address is not that of one video")
    return dict(info)
