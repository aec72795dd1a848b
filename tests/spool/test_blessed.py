"""Versions that count as equal because a person said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.spool.blessed import bless, blessings, equal_to
from rivus.spool.layout import Spool
from rivus.spool.owners import Owner
from rivus.spool.reader import Unreadable
from tests.spool.crash import bury_me, dies_at, fresh_spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return fresh_spool(tmp_path / "spool")


def rows(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"version": old, "as": new} for old, new in pairs]


def test_what_counts_as_a_blessed_version_counts_as_the_present_one() -> None:
    assert equal_to(rows(("a", "b"), ("b", "c"), ("x", "a")), "c") == {"a", "b", "c", "x"}
    assert equal_to(rows(("a", "b"), ("b", "a")), "a") == {"a", "b"}


def test_a_later_version_does_not_count_as_an_older_one() -> None:
    assert equal_to(rows(("a", "b")), "a") == {"a"}


def test_blessings_add_up_with_reason_and_person(spool: Spool) -> None:
    with Owner(spool) as owner:
        bless(spool, "job", "fetch", {"a", ""}, "b", "same", owner)
        bless(spool, "job", "fetch", {"b"}, "c", "same again", owner)
    told = blessings(spool, "job", "fetch")
    assert [(one["version"], one["as"], one["why"]) for one in told] == [
        ("", "b", "same"), ("a", "b", "same"), ("b", "c", "same again"),
    ]  # fmt: skip
    assert all(one["by"] and one["when"].endswith("Z") for one in told)
    assert blessings(spool, "job", "extract") == []


def test_a_crash_at_any_call_leaves_the_old_or_the_new(spool: Spool) -> None:
    at = 0
    while True:
        owner = Owner(spool)
        before = blessings(spool, "job", "fetch")
        died = dies_at(at := at + 1, lambda owner=owner: bless(spool, "job", "fetch", {"a"}, "b", "w", owner))  # type: ignore[misc]
        bury_me(owner)
        assert len(blessings(spool, "job", "fetch")) - len(before) in (0, 1)
        if not died:
            break
    assert at > 4


@pytest.mark.parametrize("text", ["", "{", "[]", '{"blessed": 3}', '{"blessed": [1]}', '{"blessed": [{"version": 1}]}'])
def test_what_cannot_be_read_raises_and_is_not_written_over(spool: Spool, text: str) -> None:
    file = Path(spool.stage("job", "fetch"), ".blessed.json")
    file.write_text(text)
    with pytest.raises(Unreadable, match="blessed"):
        blessings(spool, "job", "fetch")
    with Owner(spool) as owner, pytest.raises(Unreadable):
        bless(spool, "job", "fetch", {"a"}, "b", "w", owner)
    assert file.read_text() == text
