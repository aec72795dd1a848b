from __future__ import annotations

import time

import pytest

from rivus.handlers.charset import decode


@pytest.mark.parametrize(
    ("text", "codec", "declared", "name"),
    [
        ("plain", "ascii", None, "utf-8"),
        ("Größe", "utf-8", "iso-8859-1", "utf-8"),
        ("Größe “quoted” €", "cp1252", "ISO-8859-1", "windows-1252"),
        ("Größe", "cp1252", "utf-8", "windows-1252"),
        ("百度一下，你就知道", "gb18030", "gb2312", "gb18030"),
        ("百度一下，你就知道", "gb18030", "iso-8859-1, gb2312", "gb18030"),
        ("小林さんの本", "cp932", "Shift_JIS", "cp932"),
        ("日本語テスト", "iso2022_jp", "iso-2022-jp", "iso2022_jp"),
        ("오늘 날씨가 좋네요", "cp949", "euc-kr", "cp949"),
        ("Привет, как дела у тебя сегодня", "cp1251", None, "windows-1251"),
        ("Привет", "koi8-r", "koi8-r", "koi8-r"),
        ("Voilà déjà l'été où les élèves sont allés à la plage", "cp1252", None, "windows-1252"),
        ("Zażółć gęślą jaźń, proszę państwa, to jest źdźbło trawy", "cp1250", None, "windows-1250"),
        ("hé là", "utf-16", "utf-8", "utf-16-le"),
        ("hello there", "utf-16-be", None, "utf-16-be"),
        ("Größe", "utf-8-sig", "windows-1252", "utf-8"),
        ("abc", "ascii", "zlib", "utf-8"),
        ("", "ascii", None, "utf-8"),
    ],
)
def test_the_encoding_that_fits_is_found(text: str, codec: str, declared: str | None, name: str) -> None:
    labels = declared.split(", ") if declared else [None]
    assert decode(text.encode(codec), labels) == (text, name)


@pytest.mark.parametrize(
    "label", ["rot13", "unicode_escape", "utf-7", "idna", "\0", "x" * 10_000, "é", "undefined"]
)
def test_a_label_that_no_page_may_use_is_passed_over(label: str) -> None:
    assert decode(rb"a\u0041 +AGE-", [label]) == (r"a\u0041 +AGE-", "utf-8")


def test_a_page_that_is_utf_8_but_for_a_few_bytes_stays_utf_8() -> None:
    text, name = decode("déjà vu ".encode() * 20 + b"\xfc")
    assert (text[-1], name) == ("�", "utf-8")


def test_any_bytes_decode_in_little_time() -> None:
    started = time.monotonic()
    for raw in (bytes(range(256)) * 8_000, b"\x80" * 2_000_000, b"\xe9 " * 1_000_000, b"\x1b" * 2_000_000):
        assert decode(raw, ["iso-2022-jp", "gb2312"])[0]
    assert time.monotonic() - started < 10
