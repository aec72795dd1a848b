"""Bytes of a page or feed as text, in the character set they are really in.

In order: a byte order mark, the zero bytes of UTF-16/32, the HTTP header, what the document declares, a guess. Text
that is valid UTF-8 is taken as such even against a declaration: a single-byte set accepts any bytes, and servers
often declare ISO-8859-1 for everything.
"""

from __future__ import annotations

import codecs
import json
import re
from email.message import Message

DECLARED_WITHIN = 4_096
GUESSED_FROM = 65_536
EVIDENCE = 16
"""Bytes beyond ASCII that are not valid UTF-8 by chance."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)|<meta[^>]{0,500}?charset\s*=\s*["']?\s*([\w.:-]+)""",
    re.I,
)
# What browsers read these labels as (WHATWG Encoding Standard): supersets that hold what pages really contain.
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_MULTI_BYTE = re.compile(r"utf|gb|big5|cp9(32|36|49|50)|jis|jp|kr|johab|hz")
_ASCII = bytes(range(128))
# No character sets, whatever the name says: escapes, and an algorithm that is quadratic in what a server sends.
_NO_CHARSETS = {"punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-7", "undefined", "charmap"}


def decode(body: bytes, content_type: str = "") -> str:
    """`body` as text without byte order mark; bytes that make no sense become U+FFFD. Never fails."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    by_zeros = json.detect_encoding(body[:4])
    if by_zeros not in ("utf-8", "utf-8-sig") and b"\0" in body[:4]:
        return body.decode(by_zeros, "replace")
    names = [name for name in (_in_header(content_type), _in_body(body)) if name]
    text = _strictly(body, "utf-8")
    if text is not None and (not names or _outweighs(body, names[0])):
        return text
    fitting = (name for name in names if _strictly(body, name) is not None)
    return body.decode(next(fitting, None) or (names[0] if names else _guess(body)), "replace")


def _outweighs(body: bytes, name: str) -> bool:
    """Whether valid UTF-8 is better evidence than this declaration: not for a few bytes of a multi-byte set."""
    return not _MULTI_BYTE.search(name) or len(body.translate(None, _ASCII)) >= EVIDENCE


def _in_header(content_type: str) -> str | None:
    message = Message()
    message["content-type"] = content_type.replace("\n", " ").replace("\r", " ")
    value = message.get_param("charset")
    return _known(value) if isinstance(value, str) else None


def _in_body(body: bytes) -> str | None:
    match = _DECLARED.search(body, 0, DECLARED_WITHIN)
    name = _known((match[1] or match[2]).decode("ascii")) if match else None
    # A declaration that could be read in single bytes is not in UTF-16 or UTF-32.
    return "utf-8" if name and name.startswith(("utf-16", "utf-32")) else name


def _known(label: str) -> str | None:
    """Python's name of the character set that `label` means, None if there is none."""
    try:
        name = codecs.lookup(label.strip(" \"'")).name
        "".encode(name)
    except (LookupError, ValueError, UnicodeError):
        return None
    return None if name in _NO_CHARSETS else _SUPERSETS.get(name, name)


def _strictly(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except UnicodeError:
        return None


def _guess(body: bytes) -> str:
    """What the bytes look like; windows-1252, as in browsers, unless that would look worse."""
    from charset_normalizer import from_bytes

    matches = from_bytes(body[:GUESSED_FROM])
    best = matches.best()
    alike = {name for match in matches for name in match.could_be_from_charset}
    return (_known(best.encoding) if best and "cp1252" not in alike else None) or "cp1252"
