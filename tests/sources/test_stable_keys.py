"""The keys of real feeds stay the same however the feed is rearranged and its links are decorated."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivus.model.outcome import RetryLater
from rivus.sources.addresses import comparable
from rivus.sources.feed import keyed
from rivus.sources.syndication import Entry, parse

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "feeds"
FILES = sorted(file.name for file in DATA.iterdir() if file.suffix in (".xml", ".json")) if DATA.is_dir() else []
TRACKED = ["utm_source=rss", "utm_campaign=a&utm_medium=b", "fbclid=x"]


@functools.cache
def entries(name: str) -> tuple[Entry, ...]:
    """The entries of a recorded feed; those whose id or link another one has too are left out."""
    try:
        found = parse((DATA / name).read_bytes(), "", "https://example.org/feed").entries
    except RetryLater:
        return ()
    ids, links = Counter(entry.id for entry in found), Counter(link_of(entry) for entry in found)
    return tuple(e for e in found if (not e.id or ids[e.id] == 1) and links[link_of(e)] == 1)


def link_of(entry: Entry) -> str:
    return comparable(entry.data.get("url", ""))


def decorated(entry: Entry, random: Random) -> Entry:
    url = entry.data.get("url")
    if not url:
        return entry
    address, _, fragment = url.partition("#")
    if random.random() < 0.5:
        address += ("&" if "?" in address else "?") + random.choice(TRACKED)
    if random.random() < 0.5:
        address = f"{'http' if address.startswith('https:') else 'https'}:{address.partition(':')[2]}"
    named = entry.id.startswith("http://") and random.random() < 0.5
    name = entry.id.replace("http:", "https:", 1) if named else entry.id
    return replace(entry, id=name, data={**entry.data, "url": f"{address}#{fragment or 'top'}"})


@pytest.mark.skipif(not FILES, reason="needs the recorded payloads in ../shared")
@given(st.sampled_from(FILES or [""]), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_order_scheme_and_tracking_do_not_change_keys(name: str, anonymous: bool, random: Random) -> None:
    known = [replace(e, id="") if anonymous and "url" in e.data else e for e in entries(name)]
    before = {found.key for found in keyed(known)}
    rearranged = [decorated(entry, random) for entry in known]
    random.shuffle(rearranged)
    assert {found.key for found in keyed(rearranged)} == before


def test_entries_that_share_an_id_do_not_change_keys_with_the_scheme_or_tracking() -> None:
    def keys(*links: str) -> list[str]:
        return [found.key for found in keyed([Entry("same", {"url": link, "title": "t"}) for link in links])]

    plain = keys("https://x.org/2", "https://x.org/1", "https://x.org/1#part")
    assert keys("http://x.org/2?utm_source=a", "http://x.org:80/1", "https://x.org/1?fbclid=1#part") == plain
    assert len(set(plain)) == 3


def test_there_is_something_to_try() -> None:
    if not FILES:
        pytest.skip("needs the recorded payloads in ../shared")
    assert sum(len(entries(name)) for name in FILES) > 200


@pytest.mark.parametrize("name", FILES)
def test_entries_that_drop_out_at_the_end_do_not_change_the_keys_of_the_rest(name: str) -> None:
    try:
        found = parse((DATA / name).read_bytes(), "", "https://example.org/feed").entries[:100]
    except RetryLater:
        return
    before = {one.key for one in keyed(found)}
    for left in range(0, len(found), 7):
        assert {one.key for one in keyed(found[:left])} <= before


def test_an_id_that_is_an_address_is_the_same_under_https() -> None:
    def keys(*ids: str) -> list[str]:
        return [found.key for found in keyed([Entry(name, {"title": name[-1]}) for name in ids])]

    plain = keys("https://x.org/?p=1", "https://x.org/?p=2#a", "https://x.org/?p=2#b", "tag:x.org,2024:1")
    assert keys("http://X.org/?p=1&utm_source=a", "http://x.org:80/?p=2#a", "http://x.org/?p=2#b",
                "tag:x.org,2024:1") == plain  # fmt: skip
    assert len(set(plain)) == 4
