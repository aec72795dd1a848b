"""Turns bytes whose encoding may be wrongly declared, or not at all, into text.

Order of trust: a byte order mark; UTF-8 when the bytes are UTF-8 (other encodings look like it only by accident, so
this beats a declaration that says otherwise); what was declared, as browsers read those labels
(https://encoding.spec.whatwg.org/#names-and-labels); what the bytes look like; windows-1252. Never fails.
"""

from __future__ import annotations

import codecs
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
}
"""The wider encoding that pages with the narrow label are really written in."""
_SEVEN_BIT = {"iso2022_jp"}
_MULTI_BYTE = _SEVEN_BIT | {"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp"}
_SINGLE_BYTE = re.compile(r"cp125\d|cp874|cp866|iso8859-\d+|koi8-[ru]|mac-(?:roman|cyrillic)")
_PUBLIC = re.compile(r"^cp(125\d|874)$")
_LIKELY = ["cp1252", "cp1251", "gb18030", "cp932", "cp949", "big5hkscs", "cp1253", "cp1256", "cp1250"]
"""What undeclared pages are written in, the commonest first, which decides where two fit equally well."""
_SAMPLE = 32_768
_ASCII = bytes(range(128))
_ENOUGH = 8  # from fewer foreign bytes the detector makes any language it likes


def decode(raw: bytes, declared: Iterable[str | None] = ()) -> tuple[str, str]:
    """The text in `raw` without its byte order mark, and the encoding's usual name (`utf-8`, `windows-1252`).

    declared: labels from outside, the most trusted first; None and unknown ones are passed over.
    """
    for mark, codec in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(codec, "replace"), codec
    named = [known for label in declared if label and (known := _codec(label))]
    text, found = _decode_unmarked(raw, named)
    return text, _PUBLIC.sub(r"windows-\1", found)


def _decode_unmarked(raw: bytes, named: list[str]) -> tuple[str, str]:
    first = [codec for codec in named if codec in _SEVEN_BIT] if b"\x1b" in raw else []
    # A label of one byte per character fits nearly any bytes, so it proves less than one that could have failed.
    rest = sorted(named, key=lambda codec: codec not in _MULTI_BYTE)
    for codec in chain(first, _utf16_without_mark(raw), ["utf-8"], rest, _guess(raw)):
        text = _fitting(raw, codec)
        if text is not None:
            return text, codec
    return raw.decode("cp1252", "replace"), "cp1252"


def _codec(label: str) -> str | None:
    try:
        name = codecs.lookup(label.strip(" \t\r\n'\"")[:40]).name
    except (LookupError, UnicodeError, ValueError):
        return None
    name = _WIDER.get(name, name)
    return name if name in _MULTI_BYTE or _SINGLE_BYTE.fullmatch(name) else None


def _fitting(raw: bytes, codec: str) -> str | None:
    """The text if `raw` is in `codec`, but for a few broken bytes; None if it is not."""
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        text = raw.decode(codec, "replace")
    broken = text.count("\ufffd")
    foreign = sum(character > "\x7f" for character in text) - broken
    return text if broken * 10 <= foreign else None


def _utf16_without_mark(raw: bytes) -> list[str]:
    head = raw[:1024]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 3 <= len(head) or min(even, odd) > len(head) // 100:
        return []
    return ["utf-16-le" if odd > even else "utf-16-be"]


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
        yield match.encoding
