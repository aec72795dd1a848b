from __future__ import annotations

import time

import pytest

from rivus.sources.charset import decode

GERMAN = "Fünf Bücher über Öl — „schön“"


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(mark: str) -> None:
    assert decode(GERMAN.encode(mark), "text/html; charset=latin-1") == GERMAN


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_known_by_its_zeros(name: str) -> None:
    assert decode(f"<x>{GERMAN}</x>".encode(name)) == f"<x>{GERMAN}</x>"


def test_the_header_comes_before_the_declaration() -> None:
    body = "<?xml version='1.0' encoding='iso-8859-5'?><a>naïve café</a>".encode("cp1252")
    assert "naïve café" in decode(body, "text/xml; charset=windows-1252")


@pytest.mark.parametrize(
    "declaration",
    [
        "<?xml version='1.0' encoding='koi8-r'?>",
        "<meta charset=koi8-r>",
        "<META http-equiv=x content='text/html; charset=KOI8-R'>",
    ],
)
def test_the_declaration_counts_when_the_header_has_none(declaration: str) -> None:
    assert "Привет, мир" in decode(f"{declaration}Привет, мир".encode("koi8-r"), "text/html")


def test_valid_utf8_is_better_evidence_than_a_single_byte_declaration() -> None:
    assert decode(GERMAN.encode(), "text/html; charset=iso-8859-1") == GERMAN


def test_labels_mean_what_browsers_take_them_for() -> None:
    assert decode("“quoted” €5".encode("cp1252"), "text/html; charset=iso-8859-1") == "“quoted” €5"
    assert decode("朱镕基".encode("gbk"), "text/html; charset=gb2312") == "朱镕基"


def test_a_few_bytes_of_a_multi_byte_set_are_not_taken_for_utf8() -> None:
    assert decode("년".encode("euc-kr"), "text/xml; charset=euc-kr") == "년"
    assert decode("日本".encode("iso2022_jp"), "text/html; charset=iso-2022-jp") == "日本"


def test_broken_bytes_are_replaced_and_the_rest_is_right() -> None:
    assert (
        decode(b"<meta charset=utf-8>" + GERMAN.encode() + b"\xff") == f"<meta charset=utf-8>{GERMAN}\ufffd"
    )


def test_undeclared_latin_text_is_read_as_browsers_do() -> None:
    assert decode("O português não é mais técnico".encode("cp1252")) == "O português não é mais técnico"


@pytest.mark.parametrize(
    "label", ["bogus", "hex", "rot13", "punycode", "idna", "utf-7", "unicode_escape", "", "\x00", "é"]
)
def test_a_label_that_is_no_character_set_is_ignored(label: str) -> None:
    assert decode(GERMAN.encode(), f"text/html; charset={label}") == GERMAN


def test_a_declaration_far_too_long_is_passed_over_quickly() -> None:
    started = time.monotonic()
    decode(b"<meta " * 200_000 + b"<?xml " * 100_000)
    assert time.monotonic() - started < 3
