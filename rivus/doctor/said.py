"""What the text of an error says about itself, where it is unmistakable: a status, an errno, an exit code, how long to
wait, the function that raised it. And what the headers of an answer say about waiting.

Texts come from anywhere. They are cut to 4 KB, and every pattern is linear: bounded repeats, none inside another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePath

MAX_HEAD = 3072
MAX_TAIL = 1024
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "mo": 2592000.0, "y": 31536000.0}

_TRACEBACK = "Traceback (most recent call last)"
_RAISED = re.compile(r'^\s*File "([^"\n]{1,400})", line \d{1,7}, in ([\w<>.]{1,100})', re.MULTILINE)
_KIND = re.compile(r"\s*(?:ERROR: )?((?:[A-Za-z_]\w{0,60}\.){0,6}[A-Z]\w{0,60}(?:Error|Exception|Timeout|Exhausted)): ")
_ESCAPES = re.compile(r"\x1b\[[\d;]{0,20}[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_SPACE = re.compile(r"\s+")

_STATUS = re.compile(
    r"\bHTTP(?:S|/\d(?:\.\d)?)?(?: Error| status| code| response| status code)?:? \(?(\d{3})\b"
    r"|\b(\d{3}) (?:Client|Server) Error\b"
    r"|\b(?:Client|Server) error '(\d{3}) "
    r"|\b(?:status|response|error)[ _]?code[\"']?(?: of| was| is)?[ :=(]{1,3}(\d{3})\b"
    r"|\b(?:API|OpenAI|Anthropic|server|request) error:? \(?(\d{3})\b"
    r"|[\"']code[\"']: ?(\d{3})\b"
    r"|\b(?:received|answered|returned|got|responded with)(?: an?)?(?: status| HTTP| error| code){0,3}:? (\d{3})\b"
    r"|^(?:ERROR: )?(\d{3})(?= [A-Z{…]|: |, message=)"
    r"|\b(\d{3}) (?:Bad Request|Unauthorized|Payment Required|Forbidden|Not Found|Gone|Too Many Requests"
    r"|Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out)\b"
    r"|\bstatus(?:[ :=]{1,2}| is | of )(\d{3})\b",
    re.IGNORECASE,
)
_ERRNO = re.compile(
    r"\[(?:Errno (-?\d{1,5})|WinError (1\d{4}))\]"
    r"|\b(?:OSError|gaierror|Connection\w{0,20}Error)\((-?\d{1,5}),"
)
_EXIT = re.compile(
    r"\b(?:exit(?:ed)?|ended|terminated|failed|died) with(?: an?)?(?: non-?zero)?(?: exit)?(?: status| code)?"
    r":? (\d{1,3})\b"
    r"|\b(?:exit|return) ?(?:status|code)[: =]{1,2}(\d{1,3})\b",
    re.IGNORECASE,
)
_SIGNAL = re.compile(r"(?:signal:? |<Signals\.\w{1,12}: |signal SIG\w{1,10} \()(\d{1,2})\b")
_WAIT = re.compile(
    r"(?:try again|retry|retry[- ]after|retrying|wait|available|begins?|starts?|starting|premieres?|resets?|expires)"
    r"(?: again)?(?: in| for| after)?:? ['\"]?(?:about |approximately |at least )?(\d{1,6}(?:\.\d{1,6})?) ?"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|weeks?|months?|years?)"
    r"(?=\b|\d)(?: ?(\d{1,2}(?:\.\d{1,6})?)s\b)?",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"(?:resets?|available|retry|try again|wait|begins?|starts?|scheduled|premieres?|release)"
    r"(?: date)?(?: again)?(?: at| on| after| for| until| from)?:? "
    r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d{1,6})?(?:Z| ?UTC|[+-]\d\d:?\d\d)?)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Said:
    """What was read. text: one line; of a traceback only its last part. kinds: the class named in front of it."""

    text: str
    kinds: tuple[str, ...] = ()
    status: int | None = None
    errno: int | None = None
    exit_code: int | None = None
    retry_after: float | None = None
    until: float | None = None
    frame: str | None = None


def read_text(text: str) -> Said:
    """What `text` says. Never raises."""
    text = _cut(text)
    raised = _RAISED.findall(text)
    text = one_line(text.rpartition(_TRACEBACK)[2] if not raised else _after_frames(text))
    named = _KIND.match(text)
    status, exit_code = _number(_STATUS, text), _exit_code(text)
    return Said(
        text=text,
        kinds=(named[1],) if named else (),
        status=status if status is not None and (400 <= status <= 599 or status == 999) else None,
        errno=_number(_ERRNO, text),
        exit_code=exit_code,
        retry_after=_wait(text),
        until=_when(text),
        frame=f"{PurePath(raised[-1][0]).stem}:{raised[-1][1]}" if raised else None,
    )


def one_line(text: str) -> str:
    """The text without control characters and line ends, its apostrophes plain."""
    return _SPACE.sub(" ", _ESCAPES.sub(" ", _cut(text))).replace("’", "'").strip()


def _cut(text: str) -> str:
    return text if len(text) <= MAX_HEAD + MAX_TAIL else f"{text[:MAX_HEAD]} … {text[-MAX_TAIL:]}"


def _after_frames(text: str) -> str:
    """The last lines of a traceback, from the first one that is not indented."""
    lines = text.rstrip().split("\n")
    start = len(lines) - 1
    while start > 0 and not lines[start - 1].startswith((" ", "\t", "Traceback")):
        start -= 1
    return "\n".join(lines[start:])


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(next(group for group in found.groups() if group)) if found else None


def _exit_code(text: str) -> int | None:
    if killed := _SIGNAL.search(text):
        return -int(killed[1])
    code = _number(_EXIT, text)
    return code if code is not None and 0 < code <= 255 else None


def _wait(text: str) -> float | None:
    found = _WAIT.search(text)
    if not found:
        return None
    unit = found[2].lower()
    for name in ("milli", "month"):
        if unit.startswith(name):
            return float(found[1]) * _UNITS[{"milli": "ms", "month": "mo"}[name]]
    return float(found[1]) * _UNITS[unit if unit == "ms" else unit[0]] + float(found[3] or 0)


def _when(text: str) -> float | None:
    found = _WHEN.search(text)
    return _epoch(found[1].replace(" UTC", "Z").replace("UTC", "Z")) if found else None


def _epoch(text: str) -> float | None:
    """Seconds since the epoch of an ISO 8601 time or a date as in HTTP; UTC if it does not say."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            when = parse(text)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def seconds_of(headers: Iterable[Mapping[str, str]], status: int | None) -> float | None:
    """What Retry-After (RFC 9110, 10.2.3), or the X-RateLimit-Reset of a refusal, says in seconds."""
    for value in _waits(headers, status):
        if value.isascii() and value.replace(".", "", 1).isdigit() and float(value[:15]) < 1e9:
            return float(value[:15])
    return None


def when_of(headers: Iterable[Mapping[str, str]], status: int | None) -> float | None:
    """What the same headers say as a point in time: seconds since the epoch."""
    for value in _waits(headers, status):
        if value.isascii() and value.isdigit():
            if 1e9 <= float(value[:15]) < 1e11:
                return float(value)
        elif (when := _epoch(value)) is not None:
            return when
    return None


def _waits(headers: Iterable[Mapping[str, str]], status: int | None) -> list[str]:
    names = ("Retry-After", "X-RateLimit-Reset") if status in (403, 429) else ("Retry-After",)
    values = [_header(found, name) for name in names for found in headers]
    return [value for value in values if value]


def _header(headers: Mapping[str, str], name: str) -> str:
    try:
        return str(headers.get(name) or headers.get(name.lower()) or "").strip()
    except Exception:  # noqa: BLE001 - any object can call itself headers
        return ""
