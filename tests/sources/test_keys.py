from __future__ import annotations

from rivus.sources.keys import block, digest, is_fit, key_of, one_line


def test_a_key_is_one_line_of_valid_text() -> None:
    assert key_of(" a\n b\x00\ud800c ") == "a bc"


def test_a_long_key_is_cut_and_stays_unique() -> None:
    first, second = key_of("x" * 5_000 + "1"), key_of("x" * 5_000 + "2")
    assert len(first) == len(second) == 1_024 and first != second


def test_texts_are_cut_and_keep_their_lines_where_they_may() -> None:
    assert one_line("a\nb" * 9, 5) == "a ba…" and block(" a\nb\x07 ", 9) == "a\nb" and one_line(None) == ""


def test_a_digest_depends_on_where_the_parts_begin() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_a_name_with_two_spaces_is_fit_and_one_with_a_line_end_is_not() -> None:
    assert is_fit("a  b é") and not any(map(is_fit, ("a\nb", "a\tb", "a\x1b", "a\udc80")))
