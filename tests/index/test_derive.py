"""Rows from documents of any kind: cut, clean, and never a failure."""

from __future__ import annotations

import pytest

from rivus.index.derive import amount, key_of, moment, named, scalar, stored, text, values_of


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None), ("", None), ("a\0b", "a\ufffdb"), ("\ud800x", "?x"), (True, 1), (5, 5), (2**63, str(2**63)),
        (1.5, 1.5), ({"a": [1]}, '{"a":[1]}'), ("é" * 2000, "é" * 1000),
    ],
)  # fmt: skip
def test_a_value_becomes_what_sqlite_can_hold(value: object, shown: object) -> None:
    assert scalar(value) == shown


def test_a_secret_is_taken_out_before_the_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    from rivus.secrets import get

    monkeypatch.setenv("RIVUS_SECRET_INDEX_TEST", "hush-hush-hush")
    get("index_test")
    assert text("x" * 995 + "hush-hush-hush") == "x" * 995 + "[secr"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
        ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05.000Z"),
        ("2026-13-02T03:04:05.678Z", None), ("soon", None), (5, None), ("0001-01-01T00:00:00+14:00", None),
    ],
)  # fmt: skip
def test_a_time_is_utc_or_nothing(value: object, shown: object) -> None:
    assert moment(value) == shown


@pytest.mark.parametrize("value", [True, -1, 1e300, "1", None])
def test_a_cost_that_is_no_amount_is_unknown(value: object) -> None:
    assert amount(value) is None


def test_a_key_counts_only_under_its_own_name() -> None:
    assert key_of({"key": "a/b"}, "a%2Fb.json") == "a/b"
    assert key_of({"key": "someone else's"}, "a.json") == "a"


@pytest.mark.parametrize("name", ["a.json", "é.json", "\udcff.json"])
def test_a_name_comes_back_as_it_was(name: str) -> None:
    assert named(stored(name)) == name


def test_columns_take_data_meta_and_outputs_and_nothing_else() -> None:
    sources = {"data": {"a": {"b": 1}}, "meta": {}, "fetch": {"c": None}}
    paths = {"one": "data.a.b", "two": "meta.x", "three": "fetch.c", "four": "score.x"}
    assert values_of(paths, sources) == {"one": 1, "two": None, "three": None, "four": None}
