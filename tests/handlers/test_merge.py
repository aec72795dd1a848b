"""Which of several objects a field is taken from."""

from __future__ import annotations

import pytest

from rivus.handlers.merge import best
from rivus.model.outcome import ItemFailed
from tests.handlers.conftest import FakeContext

LIVE = {"title": "Live", "text": "short", "author": "", "published": "2024-02-01", "tags": []}
ARCHIVE = {"title": "Old", "text": "a longer text", "author": "Ann", "published": "2024-01-01", "tags": ["x"]}
BOTH = ["live", "archive"]


def test_the_longer_text_and_the_first_of_all_else_are_taken(ctx: FakeContext) -> None:
    assert best({"live": LIVE, "archive": ARCHIVE}, ctx, sources=BOTH) == {
        "title": "Live", "text": "a longer text", "author": "Ann", "published": "2024-02-01", "tags": ["x"],
        "chosen": {"title": "live", "text": "archive", "published": "live", "author": "archive", "tags": "archive"},
    }  # fmt: skip


def test_the_newest_can_come_before_the_first(ctx: FakeContext) -> None:
    item = {"live": {**LIVE, "published": None}, "archive": ARCHIVE}
    assert best(item, ctx, sources=BOTH, scalars="newest")["title"] == "Old"
    assert best({"live": LIVE, "archive": LIVE}, ctx, sources=BOTH, scalars="newest")["chosen"]["title"] == "live"


def test_a_paywalled_text_gives_way_to_a_shorter_whole_one(ctx: FakeContext) -> None:
    item = {"live": {"text": "The beginning of it. SUBSCRIBE to continue."}, "archive": {"text": "All of it."}}
    assert best(item, ctx, sources=BOTH)["chosen"] == {"text": "archive"}
    assert best(item, ctx, sources=BOTH, paywalled=[])["chosen"] == {"text": "live"}
    assert best(item, ctx, sources=["live"])["chosen"] == {"text": "live"}


def test_a_source_that_is_missing_or_no_object_is_passed_over(ctx: FakeContext) -> None:
    assert best({"live": "oh", "archive": {"a": 0, "b": False}}, ctx, sources=BOTH) == {
        "a": 0, "b": False, "chosen": {"a": "archive", "b": "archive"},
    }  # fmt: skip
    with pytest.raises(ItemFailed, match="live, archive hold nothing"):
        best({"live": {"text": " "}}, ctx, sources=BOTH)
