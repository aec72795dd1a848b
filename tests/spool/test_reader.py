"""What is written comes back; whatever else lies there is named unreadable, at once and in bounded memory."""

from __future__ import annotations

import json
import math
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from rivus.model.document import MAX_DEPTH, parse_object
from rivus.model.outcome import Json
from rivus.spool.reader import MAX_BYTES, Unreadable, dump, read_document

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=6)
PIECES = st.sampled_from(
    [b'{"a":', b"{", b"}", b"[", b"]", b'"', b"\\u", b"d800", b"NaN", b"-Infinity", b"1e999", b"9" * 30, b",", b":",
     b"\xff", b"\xef\xbb\xbf", b"\0", b"null", b'"a"', b"-0", b" \n", "ä".encode()]
)  # fmt: skip


def nested(levels: int) -> Json:
    """An object of so many levels, itself included."""
    value: Any = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return dict(value)


@settings(deadline=None)
@given(OBJECTS)
@example({"": "", "\u2028": "\x00\x1f\x7f\x9b", "x": -0.0, "y": 5e-324, "z": [2**63 - 1, -(2**63)]})
@example({"a": "[" * 100 + "{" * 100})
def test_every_json_object_is_written_as_one_line_and_read_back_equal(value: Json) -> None:
    raw = dump(value)
    assert parse_object(raw) == value
    assert raw.count(b"\n") == 1 and raw.endswith(b"\n")


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters()), VALUES | st.text(st.characters(categories=["Cs", "L"]))))
def test_whatever_can_be_written_is_read_back_equal(value: Json) -> None:
    try:
        raw = dump(value)
    except ValueError:
        return
    assert parse_object(raw) == value


@settings(deadline=None)
@given(st.binary(max_size=300) | st.lists(PIECES, max_size=30).map(b"".join))
@example(b"[" * 200_000)
@example(b'{"a":' * 200_000)
@example(b'{"a": ' + b"9" * 100_000 + b"}")
@example(b'{"a": 1' + b"0" * 100_000 + b".5e5}")
def test_no_bytes_raise_anything_but_a_reason(raw: bytes) -> None:
    try:
        value = parse_object(raw)
    except ValueError as error:
        assert str(error) and len(str(error)) < 300
    else:
        assert parse_object(dump(value)) == value


@settings(deadline=None)
@given(raw=st.binary(max_size=100))
def test_no_file_raises_anything_but_unreadable(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(raw)
    try:
        assert isinstance(read_document(str(path)), dict)
    except Unreadable as error:
        assert str(error)


def test_64_levels_are_read_and_written_and_65_are_not() -> None:
    deep, deeper = nested(MAX_DEPTH), nested(MAX_DEPTH + 1)
    assert parse_object(dump(deep)) == deep
    with pytest.raises(ValueError, match="64 levels"):
        dump(deeper)
    with pytest.raises(ValueError, match="64 levels"):
        parse_object(json.dumps(deeper).encode())
    with pytest.raises(ValueError, match="levels"):
        parse_object(b'{"a":' + b"[" * 10**6 + b"]" * 10**6 + b"}")


def test_brackets_in_texts_are_no_levels() -> None:
    assert parse_object(json.dumps({"a": "[" * 1000, "b": [[]] * 100}).encode())["a"] == "[" * 1000


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"), (b"   ", "not JSON"), (b'{"a": 1', "not JSON"), (b"{} {}", "not JSON"), (b"[]", "object"),
        (b'"text"', "object"), (b"null", "object"), (b'{"a": NaN}', "NaN"), (b'{"a": [-Infinity]}', "Infinity"),
        (b'{"a": 1e999}', "64-bit float"), (b'{"a": -1e999}', "64-bit float"),
        (b'{"a": 9223372036854775808}', "64 bits"), (b'{"a": -9223372036854775809}', "64 bits"),
        (b'{"a": {"b": 1, "b": 1}}', "'b' stands twice"),
        (b'{"a": 1, "\\u0061": 2}', "'a' stands twice"), (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"), (b'{"a": "\xed\xa0\x80"}', "not UTF-8 at byte 7"), (b"\xff", "UTF-8"),
        (b'{"a": "\n"}', "not JSON"), (b"{'a': 1}", "not JSON"), (b'{"a": 01}', "not JSON"), (b'{"a": 1,}', "not JSON"),
    ],
)  # fmt: skip
def test_what_is_not_strictly_a_document_is_refused_with_the_reason(raw: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_object(raw)


def test_whole_surrogate_pairs_and_the_ends_of_64_bits_are_fine() -> None:
    assert parse_object(b'{"a": "\\ud83c\\udf0a"}') == {"a": "\U0001f30a"}
    assert parse_object(b'{"a": [9223372036854775807, -9223372036854775808]}') == {"a": [2**63 - 1, -(2**63)]}


@pytest.mark.parametrize(
    "value",
    [
        {"a": math.nan}, {"a": math.inf}, {"a": 2**63}, {"a": "\ud800"}, {"\udc00": 1}, {"a": {1, 2}}, {"a": b"x"},
        {"a": object()}, {1: "a", "1": "b"}, {"a": "x" * MAX_BYTES}, nested(5000),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_could_not_be_read_again_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError):
        dump(value)


def test_an_object_that_holds_itself_is_not_written() -> None:
    value: Json = {}
    value["self"] = value
    with pytest.raises(ValueError):
        dump(value)


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    fits = b'{"a": "' + b"x" * (MAX_BYTES - 9) + b'"}'
    path.write_bytes(fits)
    assert len(read_document(str(path))["a"]) == MAX_BYTES - 9
    path.write_bytes(fits + b" ")
    with pytest.raises(Unreadable, match="more than"):
        read_document(str(path))


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_text("{}")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(good)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    make_socket(tmp_path / "s")
    started = time.monotonic()
    for name in ("fifo", "folder", "link", "loop", "zero", "s"):
        with pytest.raises(Unreadable):
            read_document(str(tmp_path / name))
    with pytest.raises(Unreadable, match="regular"):
        read_document("/dev/zero")
    assert time.monotonic() - started < 5


def test_a_file_that_says_it_is_empty_is_read_to_its_end() -> None:
    with pytest.raises(Unreadable, match="not JSON"):
        read_document("/proc/self/status")


def test_a_file_that_grows_while_it_is_read_costs_few_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "copied.json"
    path.touch()
    whole = json.dumps({"text": "x" * 10_000}).encode()
    look, read = os.fstat, os.read
    calls: list[int] = []

    def grow(handle: int) -> os.stat_result:
        status = look(handle)
        path.write_bytes(whole)
        return status

    def counted(handle: int, size: int) -> bytes:
        calls.append(size)
        return read(handle, size)

    monkeypatch.setattr(os, "fstat", grow)
    monkeypatch.setattr(os, "read", counted)
    assert read_document(str(path)) == json.loads(whole)
    assert len(calls) < 100


def test_a_hostile_file_is_refused_in_little_memory(tmp_path: Path) -> None:
    with (tmp_path / "sparse.json").open("wb") as file:
        file.truncate(50 << 30)
    (tmp_path / "deep.json").write_bytes(b"[" * MAX_BYTES)
    code = (
        "import sys; from rivus.spool.reader import *\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_document(path)\n"
        "    except Unreadable as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "sparse.json"), str(tmp_path / "deep.json")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20)),
        capture_output=True, text=True, timeout=30, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stderr == ""
    assert "more than" in done.stdout.splitlines()[0] and "levels" in done.stdout.splitlines()[1]


def test_a_missing_file_is_not_unreadable_but_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_document(str(tmp_path / "none.json"))


def test_the_age_of_what_does_not_parse_is_told_and_is_endless_without_a_clock(tmp_path: Path) -> None:
    path = tmp_path / "half.json"
    path.write_text('{"a')
    os.utime(path, (1000, 1000))
    for now, age in ((1003.0, 3.0), (990.0, -10.0), (None, math.inf)):
        with pytest.raises(Unreadable) as caught:
            read_document(str(path), now)
        assert caught.value.age == age
