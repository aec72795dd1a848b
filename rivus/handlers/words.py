"""Words in any script: how many a text has, and the pieces that phrases are matched with."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

_HAN_KANA = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HANGUL = "\u1100-\u11ff\uac00-\ud7af"
_OTHERS_UNSPACED = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
_SIGN = re.compile(f"[{_HAN_KANA}]")


def count_words(text: str) -> int:
    """Words in `text`: runs between white space that hold a letter or digit; each Han or kana sign is one."""
    rest, signs = _SIGN.subn(" ", text)
    return signs + sum(any(map(str.isalnum, run)) for run in rest.split())


def pieces(text: str) -> Iterator[str]:
    """`text` in matching form (NFKC, case folded), cut into words and single signs, white space left out.

    In scripts that put no spaces between words, or hang endings on them (Han, kana, Hangul, Thai, Lao, Burmese,
    Khmer), every character is a piece of its own, so that a phrase is found inside a run.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return (match[0] for match in _matching().finditer(folded))


@cache
def _matching() -> re.Pattern[str]:
    single = _HAN_KANA + _HANGUL + _OTHERS_UNSPACED
    return re.compile(rf"[{single}][{_marks()}]*|(?:[^\W{single}][{_marks()}]*)+|[^\w\s]")


@cache
def _marks() -> str:
    """Combining marks and joiners, which `\\w` leaves out: without them Hindi and Arabic words fall apart."""
    marks = (chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    return "\u200c\u200d" + "".join(marks)
