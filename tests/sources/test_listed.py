from __future__ import annotations

import json

import pytest

from rivus.sources import listed
from rivus.sources.listed import asked_anew, note_listed

from .conftest import FakeLook


@pytest.fixture
def known(look: FakeLook) -> FakeLook:
    look.seen = {key: {} for key in "abcdef"}
    return look


def test_what_is_in_no_section_any_more_has_vanished(known: FakeLook) -> None:
    note_listed(known, ["x"], {"1": ["a", "b"], "2": ["c", "d"], "3": ["e"]})
    assert known.gone == []
    known.cursor = json.loads(json.dumps(known.cursor))
    note_listed(known, ["x"], {"1": ["a", "d"], "2": None})
    assert known.gone == ["b", "e"]
    note_listed(known, ["x"], {"1": ["a", "d"], "2": ["c"]})
    assert known.gone == ["b", "e"]


def test_a_key_that_never_became_an_item_does_not_vanish(look: FakeLook) -> None:
    note_listed(look, [], {"": ["never"]})
    note_listed(look, [], {"": []})
    assert look.gone == []


def test_under_other_parameters_the_comparison_begins_anew(known: FakeLook) -> None:
    note_listed(known, ["x"], {"": ["a"]})
    assert not asked_anew(known, ["x"]) and asked_anew(known, ["y"])
    note_listed(known, ["y"], {"": ["b"]})
    assert known.gone == []


def test_of_too_many_none_are_kept(known: FakeLook, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("MOST", "PACKED"):
        with monkeypatch.context() as smaller:
            smaller.setattr(listed, bound, 2)
            note_listed(known, ["x"], {"": ["a", "b", "c"]})
        assert known.cursor["listed"]["sections"] == {}
    note_listed(known, ["x"], {"": []})
    assert known.gone == []


def test_a_cursor_that_somebody_has_broken_is_no_traceback(known: FakeLook) -> None:
    note_listed(known, ["x"], {"": ["a"]})
    known.cursor["listed"]["sections"][""] = "no base64 !"
    note_listed(known, ["x"], {"": []})
    assert known.gone == []
