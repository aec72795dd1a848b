"""Turns bytes whose encoding may be wrongly declared, or not at all, into text.

Order of trust: a byte order mark; the zero bytes of UTF-16 and UTF-32; UTF-8 when the bytes are UTF-8 (other
encodings look like it only by accident, so this beats a declaration that says otherwise, but for a few bytes of a
multi-byte one); what was declared, as browsers read those labels (https://encoding.spec.whatwg.org/#names-and-labels);
what the bytes look like; windows-1252. Never fails.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable
from itertools import chain

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
}
"""The wider encoding that pages with the narrow label are really written in."""
_SEVEN_BIT = {"iso2022_jp"}
_MULTI_BYTE = _SEVEN_BIT | {"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp"}
# No others: Python also calls escapes encodings, and an algorithm that is quadratic in what a server sends.
_OTHERS = re.compile(r"utf-8|utf-16-[lb]e|cp(?:125\d|437|8[567]\d)|iso8859-\d+|koi8-\w|mac-\w+")
_PUBLIC = re.compile(r"^cp(125\d|874)$")
_LIKELY = ["cp1252", "cp1251", "gb18030", "cp932", "cp949", "big5hkscs"]
_LIKELY += ["cp1253", "cp1256", "cp1250", "cp1255", "koi8_r", "euc_jp"]
"""What undeclared pages are written in, the commonest first, which decides where two fit equally well."""
_PASTED = re.compile("(?<![\udc80-\udcff])[\udcc0-\udcff](?=[a-zA-Z])")
_BROKEN = re.compile("[\udc80-\udcff]+")
"""Bytes that are no UTF-8, as `surrogateescape` puts them into a text."""
_SAMPLE = 32_768
_ASCII = bytes(range(128))
_ENOUGH = 8  # from fewer foreign bytes the detector makes any language it likes
_EVIDENCE = 16
"""Bytes beyond ASCII that are not valid UTF-8 by chance."""
_DECLARED = re.compile(
    rb"<(?:meta|\?xml)\b[^<>]{0,500}?\b(?:charset|encoding)\s{0,9}=\s{0,9}[\"']?([\w.:-]{2,40})",
    re.IGNORECASE,
)
_DECLARED_WITHIN = 8_192
"""Browsers look for it in the first 1,024 bytes (https://html.spec.whatwg.org/#charset); real pages put it later."""


def content_type(header: str) -> tuple[str, str | None]:
    """The media type in a Content-Type header, in lower case ("" without one), and its charset."""
    from email.message import Message

    message = Message()
    message["Content-Type"] = header.replace("\n", " ").replace("\r", " ") or "x"
    charset = message.get_param("charset")
    kind = header.split(";")[0].strip().lower()
    return kind, charset if isinstance(charset, str) else None


def decode_markup(body: bytes, header: str = "") -> tuple[str, str]:
    """As `decode`, for HTML or XML, which may declare its own encoding; `header` is the Content-Type it came with."""
    inside = (match.decode("ascii", "replace") for match in _DECLARED.findall(body[:_DECLARED_WITHIN]))
    # A declaration that could be read in single bytes is not in UTF-16.
    labels = ("utf-8" if label.lower().startswith("utf-16") else label for label in inside)
    return decode(body, [content_type(header)[1], *labels])


def decode(raw: bytes, declared: Iterable[str | None] = ()) -> tuple[str, str]:
    """The text in `raw` without its byte order mark, and the encoding's usual name (`utf-8`, `windows-1252`).

    declared: labels from outside, the most trusted first; None and unknown ones are passed over. Bytes that make no
    sense become U+FFFD.
    """
    for mark, codec in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(codec, "replace"), codec
    named = [known for label in declared if label and (known := _codec(label))]
    text, found = _decode_unmarked(raw, named)
    return text, _PUBLIC.sub(r"windows-\1", found)


def _decode_unmarked(raw: bytes, named: list[str]) -> tuple[str, str]:
    # A label of one byte per character fits nearly any bytes, so it proves less than one that could have failed.
    rest = sorted(named, key=lambda codec: codec not in _MULTI_BYTE)
    for codec in chain(_wide(raw), _before_utf8(raw, named), ["utf-8"], rest, _guess(raw)):
        text = _fitting(raw, codec, sure=codec == "utf-8" and codec in named)
        if text is not None:
            return text, codec
    return raw.decode("cp1252", "replace"), "cp1252"


def _codec(label: str) -> str | None:
    try:
        name = codecs.lookup(label.strip(" \t\r\n'\"")[:40]).name
    except (LookupError, UnicodeError, ValueError):
        return None
    name = _WIDER.get(name, name)
    return name if name in _MULTI_BYTE or _OTHERS.fullmatch(name) else None


def _fitting(raw: bytes, codec: str, *, sure: bool) -> str | None:
    """The text if `raw` is in `codec`, but for a few broken bytes (more if it is `sure`); None if it is not."""
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        text = raw.decode(codec, "replace")
    broken = text.count("\ufffd")
    # In wide encodings every character has stood the test, in others those beyond ASCII.
    wide = codec.startswith(("utf-16", "utf-32"))
    good = (len(text) if wide else sum(character > "\x7f" for character in text)) - broken
    if broken * (1 if sure else 10) > good:
        return None
    return _mixed(raw) if codec == "utf-8" else text


def _mixed(raw: bytes) -> str:
    """UTF-8 into which a few words of windows-1252 were pasted: a lone letter of that inside a word is read as such."""
    text = raw.decode("utf-8", "surrogateescape")
    return _BROKEN.sub("\ufffd", _PASTED.sub(lambda lone: bytes([ord(lone[0]) - 0xDC00]).decode("cp1252"), text))


def _before_utf8(raw: bytes, named: list[str]) -> list[str]:
    """The declared encodings whose bytes could be taken for UTF-8, or are ASCII."""
    few = 0 < len(raw.translate(None, _ASCII)) < _EVIDENCE
    escaped = b"\x1b" in raw
    return [codec for codec in named if (escaped if codec in _SEVEN_BIT else few and codec in _MULTI_BYTE)]


def _wide(raw: bytes) -> list[str]:
    """UTF-16 or UTF-32 without a mark: where most characters of the beginning have zero bytes, or the first two."""
    head = raw[:1024]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 3 > len(head) and min(even, odd) <= len(head) // 100:
        return ["utf-16-le" if odd > even else "utf-16-be"]
    return [json.detect_encoding(raw[:4])] if raw[:4].count(0) >= 2 else []


def _guess(raw: bytes) -> Iterable[str]:
    start = next((at.start() for at in re.finditer(rb"[\x80-\xff]", raw)), 0)
    sample = raw[max(0, start - 200) : start + _SAMPLE]
    if len(sample.translate(None, _ASCII)) < _ENOUGH:
        return
    # Only loaded when nothing that is cheaper fits; requests depends on it.
    from charset_normalizer import from_bytes

    found = from_bytes(sample[: sample.rfind(b" ") + 1] or sample, cp_isolation=_LIKELY)
    likely = [match for match in found if match.encoding in _LIKELY]
    for match in sorted(likely, key=lambda m: (m.chaos, -m.coherence, _LIKELY.index(m.encoding)))[:1]:
        yield codecs.lookup(match.encoding).name
