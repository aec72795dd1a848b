from __future__ import annotations

import pytest

from rivus.model.outcome import Halt
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
