from __future__ import annotations

import time

import pytest

from rivus.net.charset import content_type, decode, decode_markup

GERMAN = "Fünf Bücher über Öl — „schön“"


def read(body: bytes, header: str = "") -> str:
    return decode_markup(body, header)[0]


@pytest.mark.parametrize(
    ("text", "codec", "declared", "name"),
    [
        ("plain", "ascii", None, "utf-8"),
        ("plain", "ascii", "gb2312", "utf-8"),
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
        ("Привет, как дела у тебя сегодня? Завтра будет хорошая погода", "koi8-r", None, "koi8-r"),
        ("שלום לכולם, היום נדבר על מזג האוויר בישראל ובעולם", "cp1255", None, "windows-1255"),
        ("Voilà déjà l'été où les élèves sont allés à la plage", "cp1252", None, "windows-1252"),
        ("Zażółć gęślą jaźń, proszę państwa, to jest źdźbło trawy", "cp1250", None, "windows-1250"),
        ("hé là", "utf-16", "utf-8", "utf-16-le"),
        ("hello there", "utf-16-be", None, "utf-16-be"),
        ("“hello” there", "utf-16-le", None, "utf-16-le"),
        ("百度一下，你就知道", "utf-16-le", "utf-16", "utf-16-le"),
        ("Größe", "utf-8-sig", "windows-1252", "utf-8"),
        ("abc", "ascii", "zlib", "utf-8"),
        ("\0abc", "ascii", None, "utf-8"),
        ("", "ascii", None, "utf-8"),
    ],
)
def test_the_encoding_that_fits_is_found(text: str, codec: str, declared: str | None, name: str) -> None:
    labels = declared.split(", ") if declared else [None]
    assert decode(text.encode(codec), labels) == (text, name)


def test_words_of_latin_1_pasted_into_utf_8_are_read_and_what_was_cut_is_not_guessed() -> None:
    long = GERMAN * 20
    pasted = b" f\xfcr K\xfcche, papieros\xc4... \xe2\x80x"
    assert decode(long.encode() + pasted, ["utf-8"]) == (f"{long} für Küche, papieros\ufffd... \ufffdx", "utf-8")


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(mark: str) -> None:
    assert read(GERMAN.encode(mark), "text/html; charset=latin-1") == GERMAN


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [f"<x>{GERMAN}</x>", "<x>朱镕基，百度一下</x>"])
def test_wide_text_without_a_mark_is_known_by_its_zeros(name: str, text: str) -> None:
    assert decode(text.encode(name)) == (text, name)
    assert decode(text.encode(name) + b"x") == (text + "\ufffd", name)


def test_the_header_comes_before_the_declaration() -> None:
    body = "<?xml version='1.0' encoding='iso-8859-5'?><a>naïve café</a>".encode("cp1252")
    assert "naïve café" in read(body, "text/xml; charset=windows-1252")


@pytest.mark.parametrize(
    "declaration",
    [
        "<?xml version='1.0' encoding='koi8-r'?>",
        "<meta charset=koi8-r>",
        "<META http-equiv=x content='text/html; charset=KOI8-R'>",
    ],
)
def test_the_declaration_counts_when_the_header_has_none(declaration: str) -> None:
    assert "Привет, мир" in read(f"{declaration}Привет, мир".encode("koi8-r"), "text/html")


def test_a_declaration_of_utf_16_that_can_be_read_in_single_bytes_means_utf_8() -> None:
    text = f"<?xml version='1.0' encoding='UTF-16'?>{GERMAN}"
    assert read(text.encode() + b"\xff") == text + "\ufffd"


def test_valid_utf8_is_better_evidence_than_a_single_byte_declaration() -> None:
    assert read(GERMAN.encode(), "text/html; charset=iso-8859-1") == GERMAN


def test_labels_mean_what_browsers_take_them_for() -> None:
    assert read("“quoted” €5".encode("cp1252"), "text/html; charset=iso-8859-1") == "“quoted” €5"
    assert read("朱镕基".encode("gbk"), "text/html; charset=gb2312") == "朱镕基"


@pytest.mark.parametrize(
    ("text", "label"), [("년", "euc-kr"), ("짜", "euc-kr"), ("漏", "gbk"), ("日本", "iso-2022-jp")]
)
def test_a_few_bytes_of_a_multi_byte_set_are_not_taken_for_utf8(text: str, label: str) -> None:
    assert read(text.encode(label), f"text/html; charset={label}") == text


def test_many_bytes_that_are_utf8_are_whatever_multi_byte_set_is_declared() -> None:
    assert decode(GERMAN.encode(), ["gb2312"]) == (GERMAN, "utf-8")


def test_broken_bytes_are_replaced_and_the_rest_is_right() -> None:
    text = f"<meta charset=utf-8>{GERMAN}"
    assert read(text.encode() + b"\xff") == text + "\ufffd"


def test_a_page_that_is_utf_8_but_for_a_few_bytes_stays_utf_8() -> None:
    text, name = decode("déjà vu ".encode() * 20 + b"\xfc")
    assert (text[-1], name) == ("�", "utf-8")


def test_undeclared_latin_text_is_read_as_browsers_do() -> None:
    text = "O português não é mais técnico"
    assert decode(text.encode("cp1252")) == (text, "windows-1252")


@pytest.mark.parametrize(
    "label",
    ["bogus", "hex", "rot13", "punycode", "idna", "utf-7", "unicode_escape", "undefined", "", "\0", "é", "x" * 10_000],
)
def test_a_label_that_no_page_may_use_is_passed_over(label: str) -> None:
    assert read(GERMAN.encode(), f"text/html; charset={label}") == GERMAN
    assert decode(rb"a\u0041 +AGE-", [label]) == (r"a\u0041 +AGE-", "utf-8")


def test_any_bytes_decode_in_little_time() -> None:
    started = time.process_time()
    for raw in (bytes(range(256)) * 8_000, b"\x80" * 2_000_000, b"\xe9 " * 1_000_000, b"\x1b" * 2_000_000):
        assert decode(raw, ["iso-2022-jp", "gb2312"])[0]
    assert time.process_time() - started < 10


def test_a_declaration_far_too_long_is_passed_over_quickly() -> None:
    started = time.process_time()
    read(b"<meta " * 200_000 + b"<?xml " * 100_000)
    assert time.process_time() - started < 3


def test_a_content_type_is_read_with_its_charset() -> None:
    assert content_type('TEXT/HTML; x=y; Charset="GB2312"') == ("text/html", "GB2312")
    assert content_type("text/html;charset") == ("text/html", "")
    assert content_type("") == ("", None)
