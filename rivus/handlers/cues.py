"""Reads caption files into cues: WebVTT, SRT, YouTube's json3 and srv3. The content decides which, not the suffix.

Readers are lenient, as players are: broken time lines, missing blank lines and unknown markup cost no text.
Formats: https://www.w3.org/TR/webvtt1/ (VTT, and SRT as its ancestor); json3 and srv3 have no document, their shape
is taken from what YouTube sends. Time and memory are linear in the size of the input.
"""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rivus.net.charset import decode

if TYPE_CHECKING:
    from xml.parsers.expat import XMLParserType

MAX_BYTES = 20_000_000
MAX_LINES = 1_000_000
MAX_CUES = 300_000


class NotCaptions(ValueError):
    """The bytes are not captions; `str()` says why, in a few words."""


@dataclass(slots=True)
class Line:
    """One line of a cue without markup. `timed`: its words carry times, so it is being said just now."""

    text: str
    timed: bool = False


@dataclass(slots=True)
class Cue:
    """What is shown from `start` to `end` (seconds, None where unreadable); no line of it is empty.

    cleared: there was a blank line on top, which means that nothing is left over from the cue before.
    """

    start: float | None
    end: float | None
    lines: list[Line]
    cleared: bool = False


@dataclass(slots=True)
class Captions:
    """format: `vtt`, `srt`, `json3` or `srv3`."""

    format: str
    cues: list[Cue]


def read_captions(raw: bytes) -> Captions:
    """The cues in `raw`, at most MAX_BYTES of it. Raises NotCaptions."""
    if len(raw) > MAX_BYTES:
        raise NotCaptions(f"larger than {MAX_BYTES // 1_000_000} MB")
    text, _ = decode(raw)
    start = text[:1000].lstrip().lower()
    if not text.strip():
        raise NotCaptions("empty")
    if "\0" in text:
        raise NotCaptions("binary data")
    if start.startswith("{"):
        return Captions("json3", _json3(text))
    if start.startswith(("<?xml", "<timedtext")):
        return Captions("srv3", _srv3(text))
    if start.startswith("<"):
        raise NotCaptions("an HTML page" if "<html" in start or "<!doctype" in start else "unknown markup")
    vtt = start.startswith("webvtt")
    if not vtt and not _TIMING.search(text):
        raise NotCaptions("no cues and no WEBVTT header")
    return Captions("vtt" if vtt else "srt", list(_timed_text(text, vtt)))


# ---- VTT and SRT

_TIMING = re.compile(r"^[ \t]*([\d:.,]{1,20}\w{0,10}[\d:.,]{0,10})[ \t]*-->[ \t]*(\S{0,40})", re.MULTILINE)
_CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
_WORD_TIME = re.compile(r"<\d{1,6}:[\d:.]{1,16}>")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,500}>|\{\\[^{}]{0,200}\}")
_SPACES = re.compile(r"[\s\u200b\x00-\x1f\x7f-\x9f]+")  # control signs could steer a terminal
_COMMENT = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")


def _timed_text(text: str, vtt: bool) -> Iterator[Cue]:
    """A cue's text runs to the next time line, so that a blank line inside it, or none after it, loses nothing."""
    cue: Cue | None = None
    comment, blank_before = False, True
    for number, row in enumerate(io.StringIO(text, newline=None)):
        if number >= MAX_LINES:
            raise NotCaptions(f"more than {MAX_LINES:,} lines")
        timing = _TIMING.match(row) if "-->" in row else None
        blank = not row.strip()
        if timing:
            if cue:
                yield _finished(cue, _identifier(cue.lines, vtt))
            cue, comment = Cue(_seconds(timing[1]), _seconds(timing[2]), []), False
        elif vtt and blank_before and cue and _COMMENT.match(row):
            comment = True
        elif cue and not (comment and not blank):
            comment = False
            cue.lines.append(_line(row))
        blank_before = blank
    if cue:
        yield _finished(cue, 0)


def _identifier(lines: list[Line], vtt: bool) -> int:
    """1 if the last line is the next cue's identifier: any line after a blank one in VTT, always a number in SRT."""
    if len(lines) < 2 or not lines[-1].text:
        return 0
    return int(not lines[-2].text if vtt else lines[-1].text.isdecimal())


def _finished(cue: Cue, cut: int) -> Cue:
    lines = cue.lines[: len(cue.lines) - cut]
    cleared = bool(lines) and not lines[0].text
    return Cue(cue.start, cue.end, [line for line in lines if line.text], cleared)


def _line(row: str) -> Line:
    without_times = _WORD_TIME.sub("", row) if "<" in row else row
    return Line(_plain(without_times), timed=len(without_times) < len(row))


def _plain(markup: str) -> str:
    # Tags go before entities are decoded: `&lt;b&gt;` is something that was said.
    return _SPACES.sub(" ", html.unescape(_TAG.sub("", markup))).strip()


def _seconds(clock: str) -> float | None:
    match = _CLOCK.fullmatch(clock)
    if not match:
        return None
    hours, minutes, seconds, fraction = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


# ---- json3


def _json3(text: str) -> list[Cue]:
    try:
        events = json.loads(text)["events"]
    except (ValueError, KeyError, RecursionError) as error:
        raise NotCaptions(f"JSON without readable `events` ({type(error).__name__})") from None
    if not isinstance(events, list):
        raise NotCaptions("JSON whose `events` is no list")
    if len(events) > MAX_CUES:
        raise NotCaptions(f"more than {MAX_CUES:,} events")
    cues = (_event(event) for event in events if isinstance(event, dict))
    return [cue for cue in cues if cue.lines]


def _event(event: dict[str, Any]) -> Cue:
    segments = event.get("segs")
    words = [s.get("utf8") for s in segments if isinstance(s, dict)] if isinstance(segments, list) else []
    said = "".join(word for word in words if isinstance(word, str))
    return _milliseconds(event.get("tStartMs"), event.get("dDurationMs"), said)


def _milliseconds(start: object, duration: object, said: str) -> Cue:
    begin, length = _number(start), _number(duration)
    end = None if begin is None or length is None else begin + length
    lines = (_SPACES.sub(" ", line).strip() for line in said.encode(errors="replace").decode().split("\n"))
    return Cue(begin, end, [Line(line) for line in lines if line])


def _number(value: object) -> float | None:
    try:
        return float(value) / 1000  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


# ---- srv3


def _srv3(text: str) -> list[Cue]:
    """Paragraphs `<p t="80" d="7520">…</p>`. A document type is refused: entities can only be declared in one."""
    from xml.parsers.expat import ExpatError, ParserCreate

    parser = ParserCreate("utf-8")  # overrules what the document declares: `text` is decoded already
    reader = _Paragraphs(parser)
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except ExpatError as error:
        raise NotCaptions(f"XML that does not parse: {error}") from None
    if reader.root != "timedtext":
        raise NotCaptions(f"XML of another kind: <{reader.root[:40]}>")
    return reader.cues


class _Paragraphs:
    def __init__(self, parser: XMLParserType) -> None:
        self.root = ""
        self.cues: list[Cue] = []
        self._said: list[str] | None = None
        self._times: tuple[str | None, str | None] = (None, None)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def _refuse(self, *_: object) -> None:
        raise NotCaptions("XML with a document type")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.root = self.root or tag
        if tag == "p":
            self._said, self._times = [], (attributes.get("t"), attributes.get("d"))
        elif tag == "br":
            self._text("\n")

    def _end(self, tag: str) -> None:
        if tag == "p" and self._said is not None:
            cue = _milliseconds(*self._times, "".join(self._said))
            self._said = None
            if cue.lines:
                self.cues.append(cue)
            if len(self.cues) > MAX_CUES:
                raise NotCaptions(f"more than {MAX_CUES:,} paragraphs")

    def _text(self, text: str) -> None:
        if self._said is not None:
            self._said.append(text)
