"""JSON of others is read strictly."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rivus.model.document import parse_json


@pytest.mark.parametrize(
    ("raw", "value"),
    [(b"[]", []), (b' {"a": 1, "a": 2.5}', {"a": 2.5}), (b"null", None), (b"18446744073709551616", 2**64),
     (b"1e999", math.inf), ("\ufeff1".encode(), 1), ('"ü"'.encode("utf-16"), "ü")],
)  # fmt: skip
def test_json_of_any_kind_is_read(raw: bytes, value: Any) -> None:
    assert parse_json(raw) == value


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"", "Expecting value"), (b"{'a': 1}", "Expecting property name"), (b"[NaN]", "NaN is not JSON"),
     (b"-Infinity", "-Infinity is not JSON"), (b"[" * 100_000, "too deep"),
     (b'"\xff"', "utf-8")],
)  # fmt: skip
def test_what_is_no_json_is_refused_with_the_reason(raw: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_json(raw)


def test_duplicate_names_are_refused_where_it_is_asked_for() -> None:
    with pytest.raises(ValueError, match="'a' stands twice"):
        parse_json('[{"a": 1, "a": 2}]', unique=True)
