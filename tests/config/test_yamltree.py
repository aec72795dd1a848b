"""YAML is read strictly: what readers disagree about, or what hides where a value comes from, is a problem."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivus.config.yamltree import MAX_BYTES, UNUSABLE, parse_yaml, read_yaml

IN_DIGITS = " (or write it in plain digits: 10 or -0.5)"


def problems(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    return [str(problem) for problem in parse_yaml(data, "f").problems]


def test_plain_values_and_their_places() -> None:
    tree = parse_yaml(b"a: 1\nb: [x, -2.5, true]\nc:\n  d: 'no'\n  e:\nf: ~\ng: null\n", "f")
    assert tree.problems == []
    assert tree.value == {
        "a": 1, "b": ["x", -2.5, True], "c": {"d": "no", "e": None}, "f": None, "g": None,
    }  # fmt: skip
    assert tree.marks[()] == (1, 1)
    assert tree.marks["b",] == (2, 1)
    assert tree.marks["b", 1] == (2, 8)
    assert tree.marks["c", "d"] == (4, 3)


@pytest.mark.parametrize("text", ["no", "yes", "on", "off", "No", "YES", "True", "FALSE"])
def test_words_that_some_take_for_truth_values_are_reported(text: str) -> None:
    assert problems(f"a:\n  b: {text}") == [
        f"f:2:6: a.b: '{text}' can be read as a truth value: quote it (or write true or false)"
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("012", "a number"), ("089", "a number"), ("0o17", "a number"), ("0x1F", "a number"),
        ("0b11", "a number"), ("1_000", "a number"), ("+5", "a number"), ("1e3", "a number"),
        ("1.5e+3", "a number"), ("1.0e+308", "a number"), (".5", "a number"), ("5.", "a number"), (".inf", "a number"),
        (".nan", "a number"), ("12:30:00", "a number"), ("1:30", "a number"), ("9" * 25, "a number"),
        ("9223372036854775808", "a number"), ("2026-01-31", "a date"), ("2026-01-31 10:00:00", "a date"),
        ("Null", "nothing"), ("NULL", "nothing"), ("=", "a default value"), ("<<", "a merge key"),
    ],
)  # fmt: skip
def test_what_readers_disagree_about_is_reported_with_its_place(text: str, kind: str) -> None:
    hint = IN_DIGITS if kind == "a number" else ""
    assert problems(f"a: {text}") == [f"f:1:4: a: '{text}' can be read as {kind}: quote it{hint}"]


@pytest.mark.parametrize("text", ["no", "012", "12:30:00", "2026-01-31", "1_000", "<<", "5", "~"])
def test_in_quotes_they_are_text(text: str) -> None:
    for quote in "'\"":
        tree = parse_yaml(f"a: {quote}{text}{quote}".encode(), "f")
        assert (tree.value, tree.problems) == ({"a": text}, [])


@pytest.mark.parametrize(
    "text", ["5min", "250/h", "UC-9_x", "07:30", "Mon..Fri 07:30", "1.2.3", "y", "12a", "-"]
)
def test_other_words_are_text(text: str) -> None:
    tree = parse_yaml(f"a: {text}x".encode(), "f")
    assert (tree.value, tree.problems) == ({"a": f"{text}x"}, [])


def test_the_largest_whole_numbers() -> None:
    assert parse_yaml(b"[9223372036854775807, -9223372036854775808]", "f").value == [2**63 - 1, -(2**63)]


def test_keys_are_text() -> None:
    assert problems("on: 1\n5: 1\n~: 1\n? [a]\n: 1\n") == [
        "f:1:1: 'on' can be read as a truth value: quote it (or write true or false)",
        "f:2:1: a key that is not text: quote it",
        "f:3:1: a key that is not text: quote it",
        "f:4:3: a key that is not text: quote it",
    ]


def test_the_rest_of_a_mapping_with_a_bad_key_is_read() -> None:
    tree = parse_yaml(b"on: no\nb: 2", "f")
    assert tree.value == {"b": 2}
    assert len(tree.problems) == 2


def test_duplicate_keys_are_reported_and_the_first_is_kept() -> None:
    tree = parse_yaml(b"a: {b: 1, b: 2}\nc: 3\na: 4\n", "f")
    assert [str(problem) for problem in tree.problems] == [
        "f:1:11: a.b: a duplicate key (first in line 1)",
        "f:3:1: a: a duplicate key (first in line 1)",
    ]
    assert tree.value == {"a": {"b": 1}, "c": 3}


def test_anchors_aliases_tags_and_merge_keys_are_reported() -> None:
    assert problems("a: &x {b: 1}\nc: *x\nd: !!str 5\ne: !!python/name:os.system ''\n<<: {f: 1}\n") == [
        "f:1:4: a: an anchor (&x): write values out where they belong",
        "f:2:4: c: an alias (*x): write the value out",
        "f:3:4: d: a tag ('tag:yaml.org,2002:str'): not accepted; quote text instead",
        "f:4:4: e: a tag ('tag:yaml.org,2002:python/name:os.system'): not accepted; quote text instead",
        "f:5:1: '<<' can be read as a merge key: quote it",
    ]


def test_a_second_document_is_reported() -> None:
    assert problems("---\na: 1\n---\nb: 2\n") == ["f:3:1: a second document: one file, one document"]


def test_a_tab_for_indentation_is_reported() -> None:
    assert problems("a:\n\tb: 1\n") == ["f:2:1: a tab: indent with spaces"]


def test_broken_syntax_is_reported_with_its_place() -> None:
    assert problems("a: 1\nb: c: d\n") == ["f:2:5: not YAML: mapping values are not allowed in this context"]


def test_what_is_not_utf_8_is_reported_with_its_place() -> None:
    assert problems(b"a: 1\nb: \xc3\xa9\xff\n") == ["f:2:5: not UTF-8"]
    assert problems("a: 1".encode("utf-16")) == ["f:1:1: not UTF-8"]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_yaml(b"\xef\xbb\xbfa: 1", "f").value == {"a": 1}


def test_control_characters_are_reported() -> None:
    assert problems("a: 1\nb: x\x1b[2J") == ["f:2:5: holds the control character '\\x1b'"]
    assert problems('a: "x\\0y"') == ["f:1:4: a: holds a NUL character"]


def test_an_empty_file_has_no_value() -> None:
    assert parse_yaml(b"", "f").value is None
    assert parse_yaml(b"# nothing\n", "f").value is None


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_a_depth_bomb_is_reported_at_once(opening: str) -> None:
    begin = time.process_time()
    found = problems(opening * 100_000)
    assert len(found) == 1
    assert "nested deeper than 32 levels" in found[0] or "not YAML" in found[0]
    assert time.process_time() - begin < 2


def test_too_many_values_are_reported() -> None:
    assert "too many values in one file" in problems("[" + "1," * 30_000 + "1]")[0]


def test_a_file_that_is_too_large_is_reported(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert "f.yaml:1:1: larger than 1 MiB" in str(read_yaml(tmp_path / "f.yaml").problems[0])
    (tmp_path / "f.yaml").write_bytes(b"#" * MAX_BYTES)
    assert read_yaml(tmp_path / "f.yaml").problems == []


def test_what_is_not_a_regular_file_is_reported_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for name, reason in {"fifo": "not a regular", "folder": "irectory", "dangling": "No such file"}.items():
        tree = read_yaml(tmp_path / name)
        assert tree.value is UNUSABLE
        assert reason in tree.problems[0].message


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_values_or_problems(data: bytes) -> None:
    tree = parse_yaml(data, "f")
    assert tree.problems or tree.value is not UNUSABLE


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab01:-_[]{},&*!?|>%@'\"# \n\t~<.=", max_size=60))
def test_arbitrary_yaml_gives_values_or_problems(text: str) -> None:
    tree = parse_yaml(text.encode(), "f")
    assert tree.problems or _is_plain(tree.value)
    assert all(problem.line >= 1 and problem.col >= 1 for problem in tree.problems)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(part) for name, part in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | bool)
