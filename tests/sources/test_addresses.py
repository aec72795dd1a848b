from __future__ import annotations

import pytest

from rivus.model.outcome import Halt
from rivus.sources.addresses import absolute, comparable, web_address


@pytest.mark.parametrize(
    "text",
    ["ftp://x/", "example.org", "", "http://", "http:///x", "file:///etc", "http://a b/", "http://[::"],
)
def test_a_parameter_that_is_no_web_address_halts(text: str) -> None:
    with pytest.raises(Halt, match="base_url"):
        web_address(text, "base_url")


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("/a", "https://x.org/a"), ("b", "https://x.org/d/b"), ("//y.org/c", "https://y.org/c"), ("?q", "https://x.org/d/e?q"),
        ("http://z.org", "http://z.org"), ("javascript:alert(1)", None), ("mailto:a@b.c", None), ("data:,x", None),
        ("", None), (None, None), ("http://[::", None), ("http://x.org/\x00", None), ("/" + "a" * 9_000, None),
    ],
)  # fmt: skip
def test_links_become_absolute_web_addresses_or_nothing(link: str | None, url: str | None) -> None:
    assert absolute("https://x.org/d/e", link) == url


def test_addresses_of_the_same_page_compare_equal() -> None:
    same = [
        "https://Example.org/a?id=1", "http://example.org/a?id=1#top", "https://example.org:443/a?utm_source=x&id=1",
        "http://example.org:80/a?id=1&fbclid=abc",
    ]  # fmt: skip
    assert {comparable(url) for url in same} == {"https://example.org/a?id=1"}


def test_what_may_matter_in_an_address_is_kept() -> None:
    urls = [
        "https://x.org/a",
        "https://x.org/a/",
        "https://x.org/A",
        "https://x.org/a?b=1&c=2",
        "https://x.org/a?c=2&b=1",
    ]
    assert len({comparable(url) for url in urls}) == len(urls)
