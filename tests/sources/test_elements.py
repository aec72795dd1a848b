from __future__ import annotations

import pytest

from rivus.sources import elements as module
from rivus.sources.elements import DEEPEST, elements

URL = frozenset({"url"})


def test_prefixes_do_not_count_and_need_not_be_declared() -> None:
    found = elements("<r><n:URL at:x='1'> a <b>c</b> d </n:URL><url/></r>", URL, 9)
    assert (found.root, found.flaw, len(found.found)) == ("r", "", 2)
    assert found.found[0].attributes == {"x": "1"} and found.found[0].told("b") == "c"
    assert found.found[0].text == " a  d "


def test_what_stands_before_an_error_is_good() -> None:
    found = elements("<r><url><loc>1</loc></url><url><loc>2", URL, 9)
    assert [element.told("loc") for element in found.found] == ["1"] and found.flaw


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("<!DOCTYPE r [<!ENTITY a 'aaa'>]><r><url>&a;</url></r>", "entities"),
        ("<!DOCTYPE r [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><r><url>&a;</url></r>", "entities"),
        ("<d>" * (DEEPEST + 1), "inside each other"),
        ("<r>" + "<url/>" * 10 + "</r>", "more than 9"),
        ("no xml", "syntax error"),
        ("", "no element"),
    ],
)
def test_a_bomb_is_given_up(text: str, flaw: str) -> None:
    found = elements(text, URL, 9)
    assert flaw in found.flaw and len(found.found) <= 9


def test_the_declared_encoding_of_a_text_does_not_count() -> None:
    found = elements("<?xml version='1.0' encoding='utf-16'?><r><url>é</url></r>", URL, 9)
    assert found.found[0].text == "é" and not found.flaw


def test_one_entry_cannot_hold_any_number_of_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ELEMENTS", 100)
    found = elements("<r><url/><url>" + "<a/>" * 1_000 + "</url></r>", URL, 9)
    assert len(found.found) == 1 and "more than 100 elements" in found.flaw
