from __future__ import annotations

import json
from typing import Any

import pytest

from rivus.model.outcome import Halt, RetryLater
from rivus.sources import web_change as module
from rivus.sources.web_change import web_change
from tests.site import Site

from .conftest import FakeLook

PAGE = (
    "<title>Rules</title><body><nav>{nav}</nav><main><p>One <b>bold</b>\n word</p>{text}<script>{nav}</script></main>"
)


def take(look: FakeLook, site: Site, text: str, nav: str = "", **more: Any) -> list[Any]:
    url = site.put("/p", PAGE.format(text=text, nav=nav))
    look.cursor = json.loads(json.dumps(look.cursor))
    return look.take(web_change(look, **{"url": url, "selector": "main", **more}))


def test_a_change_is_an_item_with_what_was_added_and_removed(look: FakeLook, site: Site) -> None:
    assert take(look, site, "<p>Two</p><p>Three</p>") == []
    (change,) = take(look, site, "<p>Two</p><p>3</p>")
    data = change.data
    assert data["diff"] == "@@ -1,3 +1,3 @@\n One bold word\n Two\n-Three\n+3"
    assert (data["added"], data["removed"], data["title"]) == (1, 1, "Rules")
    assert data["text"] == "One bold word\nTwo\n3" and data["old"] != data["new"]
    assert change.key == f"{data['published'][:10]}/1-{data['new'][:16]}"
    assert take(look, site, "<p>Two</p>\n\n<p> 3 </p>", nav="other") == [], "only text within the selector counts"


def test_what_comes_back_is_a_change_again(look: FakeLook, site: Site) -> None:
    texts = ["a", "b", "a", "b"]
    assert [len(take(look, site, text)) for text in texts] == [0, 1, 1, 1]


def test_a_look_that_was_cut_short_finds_the_same_change_again(look: FakeLook, site: Site) -> None:
    take(look, site, "a")
    before = json.dumps(look.cursor)
    (first,) = take(look, site, "b")
    look.cursor, look.seen = json.loads(before), {}
    (again,) = take(look, site, "b")
    assert again.key == first.key


def test_the_first_look_can_make_an_item_of_the_text(look: FakeLook, site: Site) -> None:
    (first,) = take(look, site, "a", first="item")
    assert first.data["text"] == "One bold word\na" and "old" not in first.data and first.data["added"] == 2
    assert take(look, site, "a", first="item") == []


def test_other_parameters_begin_anew(look: FakeLook, site: Site) -> None:
    take(look, site, "a", nav="x")
    assert take(look, site, "a", nav="x", selector="body") == []
    assert len(take(look, site, "a", nav="y", selector="body")) == 1


def test_ignored_lines_do_not_count(look: FakeLook, site: Site) -> None:
    ignore = ["^Updated", r"\d visitors$"]
    assert take(look, site, "<p>Updated today<p>7 visitors", ignore=ignore) == []
    assert take(look, site, "<p>Updated later<p>8 visitors", ignore=ignore) == []
    (change,) = take(look, site, "<p>Updated later<p>8 readers", ignore=ignore)
    assert change.data["text"] == "One bold word\n8 readers"


def test_a_pattern_that_takes_too_long_halts(look: FakeLook, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rivus.sources.patterns.SECONDS", 0.2)
    with pytest.raises(Halt, match="too long"):
        take(look, site, "a" * 60, ignore=["(a+)+b"])


@pytest.mark.parametrize("ignore", [["("], ["a"] * 99])
def test_bad_patterns_halt_before_anything_is_asked(look: FakeLook, site: Site, ignore: list[str]) -> None:
    with pytest.raises(Halt):
        take(look, site, "a", ignore=ignore)
    assert site.asked == []


def test_a_page_without_the_part_is_never_a_change(look: FakeLook, site: Site) -> None:
    take(look, site, "a")
    kept = dict(look.cursor)
    site.put("/p", "<form>Sign in</form>")
    with pytest.raises(RetryLater, match="has it changed"):
        list(web_change(look, url=f"{site.url}/p", selector="main"))
    assert look.cursor == kept


def test_an_unchanged_page_is_not_read(look: FakeLook, site: Site) -> None:
    url = site.put("/p", PAGE, ETag='"1"')
    for _ in range(2):
        list(web_change(look, url=url, robots="ignore"))
    assert site.headers[-1]["If-None-Match"] == '"1"'


def test_elements_inside_each_other_are_read_once(look: FakeLook, site: Site) -> None:
    url = site.put("/p", "<div>" * 300 + "x")
    (first,) = look.take(web_change(look, url=url, selector="div", first="item"))
    assert first.data["text"] == "x"


def test_a_change_beyond_what_is_kept_is_noticed(look: FakeLook, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 2)
    take(look, site, "<p>a<p>b<p>c")
    (change,) = take(look, site, "<p>a<p>b<p>d")
    assert change.data["text"] == "One bold word\na" and change.data["added"] == 0


def test_recorded_pages_have_text_in_their_character_set(look: FakeLook, site: Site, shared: Any) -> None:
    words = {"baidu-cn-home_2010.html": "百度", "sprzeciw_radiomaryja_bad_utf8.html": "Anioł Pański"}
    for file in sorted((shared / "data/html_lists").iterdir()):
        url = site.put("/p", file.read_bytes(), kind="text/html")
        (first,) = web_change(FakeLook(look.folder), url=url, first="item", robots="ignore")
        assert words.get(file.name, "") in first.data["text"] and len(first.data["text"]) > 50
