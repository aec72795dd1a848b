"""Which failures are the same one: 16 hexadecimal digits, the same for a thousand items and in every version.

Into it go the handler, the type of the error (library and name), the status, errno and exit code, the function that
raised it, and the text without what differs from item to item: numbers, times, ids, addresses, paths, quoted names.
Stable means that a change here makes every group of a running installation a new one; the golden tests say so.

Texts are cut to 4 KB, and each pattern is linear: bounded repeats, none inside another.
"""

from __future__ import annotations

import re
from hashlib import sha256

from rivus.doctor.failure import Failure
from rivus.doctor.rule import short

MAX_TEXT = 4096

_TAILS = re.compile(
    r"; please report this issue|\. Use --cookies|\. See {1,2}https?:|This video is available in [A-Z]"
    r"|copyright claim by |content from .{1,80}?, who has blocked|members on level|For more information",
    re.IGNORECASE,
)
"""From here on a message is advice, or a list of countries and names."""

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_STEPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), shown)
    for pattern, shown in (
        # What JSON says about itself is kept, where other quoted words are names.
        (
            r"[\"'](message|error|type|code|status|reason|detail)[\"'] ?: ?(?:\"([^\"]{0,300})\"|'([^']{0,300})')",
            r"\1 \2\3",
        ),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
        (r"<[A-Za-z_][\w.]{0,80} object at 0x[0-9a-f]{1,16}>", "<object>"),
        (r"(?<![\w-])0x[0-9A-Fa-f]{1,16}\b", "<n>"),
        (r"\b[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s\"'<>]{0,2000}", "<url>"),
        (r"^(?:[\w.]{1,120}(?:Error|Exception): ){0,2}(?:ERROR: |WARNING: )?", ""),
        (r"(\[[\w:+.-]{1,40}\]) [^\s:]{1,80}: ", r"\1 <id>: "),  # yt-dlp: [youtube] dQw4w9WgXcQ: …
        # Names that stand in code tell failures apart, any other name does not.
        (r"'(\w{1,40})' object\b", r"\1 object"),
        (r"\b(attribute|module named|import name|key argument|keyword argument) '([\w.]{1,80})'", r"\1 \2"),
        (
            r"((?:Error|Exception|error|Disconnected)\((?:-?\d{1,6}, )?)"
            r"['\"]([A-Za-z]{1,20}(?: [A-Za-z()-]{1,20}){1,20})['\"]",
            r"\1\2",
        ),
        (r"(?<!\w)['\"`]([A-Z]{2,20}(?:_[A-Z]{2,20}){1,4})['\"`](?!\w)", r"\1"),
        (r"(?<!\w)'[^'\n]{0,300}'(?!\w)|(?<!\w)\"[^\"\n]{0,300}\"(?!\w)", "<name>"),
        (r"`[^`\n]{0,300}`|[“«„][^”»“]{0,300}[”»“]", "<name>"),
        (r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b", "<address>"),
        (r"(?<![\w@])@[\w.-]{1,60}|(?<![\w/])(?:r|u)/\w{2,30}", "<id>"),
        (
            r"(?<![\w<./])(?:~|\.{1,2})?/{1,2}[\w.@%+,~:-]{1,200}(?:/[\w.@%+,~:-]{0,200}){0,30}"
            r"(?:\?[^\s\"'<>)]{0,500})?",
            "<path>",
        ),
        (r"(?<![\w<])[A-Za-z]:\\[^\s:\"'<>|]{1,300}", "<path>"),
        (r"(?<![\w<])[\w.-]{1,80}(?:/[\w.-]{1,80}){0,10}/[\w-]{1,80}\.[a-z][a-z0-9]{0,5}\b", "<path>"),
        (r"\b[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7}\b", "<address>"),
        (
            r"\b(?:[a-z0-9-]{1,63}\.){1,6}(?:com|org|net|io|gov|edu|de|uk|eu|tv|co|be|dev|app|ai|fr|ch|at|nl|it|es|invalid"
            r"|local|internal|example|test)\b(?::\d{1,5})?(?:/[^\s\"'<>]{0,500})?",
            "<host>",
        ),
        (r"\blocalhost(?::\d{1,5})?", "<host>"),
        (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? ?(?=\d|[A-Z][a-z]{2})", ""),
        (rf"\b{_MONTH}[a-z]{{0,6}}\.? (?=\d)|(?<=\d ){_MONTH}[a-z]{{0,6}}\b", "0 "),
        (
            r"\b((?i:ids?|video|channel|playlist|item|user|key|token|request|org|organization|project|account|symbol|job"
            r"|run|ticket|post|comment|tweet|page|record|row))([ :=#]{1,3})"
            r"(?=[\w-]{0,80}\d|[\w-]{1,80}[A-Z])[\w-]{1,80}",
            r"\1\2<id>",
        ),
    )
)
_HUMPS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_HEX = re.compile(r"(?=[a-f]{0,80}\d)(?=\d{0,80}[a-f])[0-9a-f]+|(?=[A-F]{0,80}\d)(?=\d{0,80}[A-F])[0-9A-F]+")
_NUMBERED = re.compile(r"[A-Za-z]?[a-z]*[-_=/]?\d+")
_STRICT = re.compile(r"(?:[A-Z][a-z]{3,})+|[A-Z]?[a-z]+(?:[-_/=][a-z]+)*|[A-Z]+(?:[-_/=][A-Z]+)*")
_AMOUNT = re.compile(r"\d+(?:ms|[a-z])?")
_TOKEN = re.compile(r"[\w+/=-]{8,}")
_NUMBER = re.compile(r"[-+]?\d[\d.,:TZ/%-]{0,40}|\d")
_UNIT = re.compile(
    r"<n> ?(?:ms|(?:milli)?s(?:econds?|ecs?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|weeks?|months?|years?"
    r"|[KMGT]i?B|bytes?|%)(?![\w<])"
)
_SEVERAL = re.compile(r"<(n|id|name|path)>(?:[\s,.;|x·-]{0,3}<\1>){1,200}")


def fingerprint(failure: Failure) -> str:
    """The group of a failure: 16 hexadecimal digits."""
    parts = (
        failure.handler,
        short(failure.error_type),
        *(str(value) for value in (failure.status, failure.errno, failure.exit_code, failure.frame)),
        normalised(failure.message),
    )
    return sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def normalised(text: str) -> str:
    """The text as all failures of its group say it, in lower case: for a fingerprint, and to look at."""
    text = text[:MAX_TEXT]
    if tail := _TAILS.search(text):
        text = text[: tail.start()]
    for pattern, shown in _STEPS:
        text = pattern.sub(shown, text)
    text = _TOKEN.sub(_id_or_word, text)
    text = _UNIT.sub("<time>", _NUMBER.sub("<n>", text))
    text = _SEVERAL.sub(r"<\1>", text)
    return " ".join(text.lower().split()).rstrip(" .!…")


def _id_or_word(found: re.Match[str]) -> str:
    """`<id>` for what looks drawn at random: digits among letters, or capitals where no word has them."""
    token = found[0]
    return token if _AMOUNT.fullmatch(token) or _is_words(token) else "<id>"


def _is_words(token: str) -> bool:
    """Words, perhaps in CamelCase, joined, or numbered: GeoRestrictedError, utf-8, fragment-12. YouTube's ids have 11
    signs, and look so like words that more is asked of one of that length. (One in 6,000 is all small letters.)"""
    if _HEX.fullmatch(token) or len(token) > 200:
        return False
    if _NUMBERED.fullmatch(token):
        return True
    if len(token) == 11:
        return _STRICT.fullmatch(token) is not None
    return all(_is_word(part) for part in re.split(r"[_/=+-]", token))


def _is_word(part: str) -> bool:
    body = part.rstrip("0123456789")
    humps = _HUMPS.findall(body)
    return len(part) - len(body) <= 3 and "".join(humps) == body and (len(humps) <= 1 or len(body) >= 4 * len(humps))
