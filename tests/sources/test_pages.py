from __future__ import annotations

import pytest

from rivus.model.outcome import Halt, RetryLater
from rivus.sources.pages import base_of, select, tree_of
from tests.site import Site

from .conftest import FakeLook


def test_a_page_is_read_in_its_character_set_and_links_start_at_its_base(look: FakeLook, site: Site) -> None:
    body = "<meta charset=gb2312><base href='/d/'><p>贴吧<p>百度".encode("gb18030")
    tree = tree_of(look.http.get(site.put("/", body, kind="text/html")))
    assert [node.text() for node in select(tree, "p", 9)] == ["贴吧", "百度"] and len(select(tree, "p", 1)) == 1
    assert base_of(tree, "https://x.org/a/b") == "https://x.org/d/"


@pytest.mark.parametrize("base", ["", "<base href='javascript:x'>", "<base target=_top>"])
def test_a_page_without_a_base_is_its_own(look: FakeLook, site: Site, base: str) -> None:
    tree = tree_of(look.http.get(site.put("/", f"{base}<p>")))
    assert base_of(tree, "https://x.org/a") == "https://x.org/a"


def test_what_is_no_selector_halts(look: FakeLook, site: Site) -> None:
    with pytest.raises(Halt, match="selector"):
        select(tree_of(look.http.get(site.put("/", "<p>"))), "a[", 9)


@pytest.mark.parametrize("page", ["<div>" * 110_000, f"<p {'a ' * 11_000}>", "<p><b a=1>" * 10_000])
def test_a_page_that_would_keep_the_parser_busy_is_refused(look: FakeLook, site: Site, page: str) -> None:
    with pytest.raises(RetryLater, match="read safely"):
        tree_of(look.http.get(site.put("/", page, kind="text/html")))


def test_a_long_script_and_a_long_plain_text_are_no_reason_to_refuse_a_page(look: FakeLook, site: Site) -> None:
    body = f"{'word ' * 11_000}<script>{'{} ' * 11_000}</script><p>end"
    tree = tree_of(look.http.get(site.put("/", body, kind="text/html")))
    assert [node.text() for node in select(tree, "p", 9)] == ["end"]
