"""yt-dlp as a library: silent, without settings from outside, its errors turned into outcomes.

Run it under `guarding(private_hosts, total=…)`: that holds its connections, whichever of its network handlers makes
them, to public addresses and to one deadline. What it reads as one piece (pages, JSON, captions) is capped here.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, SourceBlocked
from rivus.net.extras import load
from rivus.net.guard import PrivateAddress, raise_if_cut
from rivus.net.record import tape
from rivus.net.session import MAX_BYTES, causes, retry_after
from rivus.net.ytdlp_tape import taped_open

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

CHUNK = 65_536
SOCKET_SECONDS = 20.0
KEPT_MESSAGES = 50
LONGEST_REASON = 500

_SILENT: dict[str, Any] = {
    "quiet": True,
    "noprogress": True,
    "color": "never",
    "consoletitle": False,
    "proxy": "",
    "cachedir": False,
    "cookiefile": None,
    "cookiesfrombrowser": None,
    "usenetrc": False,
    "enable_file_urls": False,
    "socket_timeout": SOCKET_SECONDS,
    "extractor_retries": 1,
    "updatetime": False,
    "js_runtimes": {"deno": {}, "node": {}, "bun": {}},  # whichever is there; by itself it would try deno alone
}

_RULES: tuple[tuple[str, type[Outcome]], ...] = (
    (r"not a bot|HTTP Error 429|Too Many Requests|rate.limited|unusual traffic|captcha", SourceBlocked),
    (r"ffmpeg|ffprobe|cookies database|token has expired|no longer valid|JavaScript runtime", Halt),
    (r"video unavailable|available in your country|private video|is private|has been removed", ItemFailed),
    (r"terminated|members|HTTP Error 4(04|10|51)|playlist exist|does not exist", ItemFailed),
    (r"will begin in|premieres? in|not yet available|not started yet|will be available shortly", RetryLater),
    (r"HTTP Error (403|408|425|5\d\d)|timed out|timeout|longer than|connection|resol(ve|ution)", RetryLater),
    (r"Errno|network error|data blocks|IncompleteRead|bytes read|Unable to download API page", RetryLater),
    # The extractor no longer understands the site: a newer yt-dlp will, the item is not at fault.
    (
        r"unable to (extract|recognize)|failed to extract|please report this issue|requested format",
        RetryLater,
    ),
)


class Messages:
    """The logger that yt-dlp gets: keeps the last of what it says, without secrets, and prints nothing."""

    def __init__(self) -> None:
        self.warnings: deque[str] = deque(maxlen=KEPT_MESSAGES)
        self.errors: deque[str] = deque(maxlen=KEPT_MESSAGES)

    def debug(self, message: str) -> None:
        """Dropped: yt-dlp sends its whole progress here."""

    info = debug

    def warning(self, message: str) -> None:
        """Keeps the warning."""
        self.warnings.append(_one_line(message))

    def error(self, message: str) -> None:
        """Keeps the error, which is also raised."""
        self.errors.append(_one_line(message))


class AnswerTooLarge(OSError):
    """A page for yt-dlp has more bytes than are read into memory."""


def open_ytdlp(options: Mapping[str, Any]) -> YoutubeDL:
    """A YoutubeDL with `options` over safe defaults; `ydl.params["logger"]` is its `Messages`.

    No configuration files, proxies, cookies, cache or terminal. Close it, or use it in a `with`. Its errors are
    for `translate`. Raises Halt if yt-dlp is not installed.
    """
    yt_dlp = load("yt_dlp", "youtube")
    ydl: YoutubeDL = yt_dlp.YoutubeDL({**_SILENT, "logger": Messages(), **options})
    ydl.urlopen = partial(_open_capped, ydl.urlopen)
    return ydl


def translate(error: BaseException) -> Outcome:
    """The outcome that an error of yt-dlp means, with its message on one line.

    SourceBlocked when the site wants to be left alone (until its Retry-After), RetryLater for the network, for
    what is not there yet and for a site that yt-dlp does not understand any more, Halt for a missing helper
    program, ItemFailed for everything about the video itself and anything else. An Outcome stays what it is.
    """
    if isinstance(error, Outcome):
        return error
    chain = list(causes(error))
    for found in chain:
        if isinstance(found, (PrivateAddress, AnswerTooLarge)):
            return ItemFailed(_one_line(str(found)))
    reason = _one_line(str(error)) or type(error).__name__
    kind = next((kind for pattern, kind in _RULES if re.search(pattern, reason, re.IGNORECASE)), ItemFailed)
    reason = reason.split("; please report this issue")[0]
    if kind is SourceBlocked:
        return SourceBlocked(reason, until=_until(chain))
    return kind(reason)


def _until(chain: list[BaseException]) -> float | None:
    headers = (getattr(getattr(error, "response", None), "headers", None) for error in chain)
    seconds = next((retry_after(h) for h in headers if h is not None), None)
    return None if seconds is None else time.time() + seconds


def _one_line(message: str) -> str:
    from rivus.net.cleaned import clean

    text = clean(re.sub(r"\x1b\[[\d;]*m", "", message)).removeprefix("ERROR: ")
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


def _open_capped(open_plain: Callable[[Any], Any], request: Any) -> Any:
    kept = tape()
    response = taped_open(kept, open_plain, request) if kept else open_plain(request)
    response.read = partial(_read_capped, response.read)
    return response


def _read_capped(read: Callable[[int], bytes], amount: int | None = None) -> bytes:
    """All of a body up to the cap, or `amount` bytes of it: downloads to disk come in such pieces."""
    if amount is not None and amount >= 0:
        return read(amount)
    body = bytearray()
    while chunk := read(CHUNK):
        body += chunk
        if len(body) > MAX_BYTES:
            raise AnswerTooLarge(f"the answer is larger than {MAX_BYTES:,} bytes")
    raise_if_cut()
    return bytes(body)
