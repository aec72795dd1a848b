"""What can be a key, what its file is called, and how a ticket counts what happened to it."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import assume, example, given, settings

from rivus.model.item import (
    KEPT_ATTEMPTS,
    MAX_KEY,
    MAX_NAME,
    Ticket,
    check_key,
    digest,
    dropped_key,
    dropped_ticket,
    file_name,
    is_ticket,
    stem,
    ticket_of,
)
from rivus.model.outcome import Json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DONE = {"outcome": "done", "charged": True, "final": True}
RETRY = {"outcome": "retry", "charged": True}
WAITED = {"outcome": "blocked", "charged": False}
KILLED = {"outcome": "interrupted", "owner": "x"}


def is_key(text: str) -> bool:
    try:
        return check_key(text) == text
    except ValueError:
        return False


KEYS = (st.text(min_size=1, max_size=300) | st.from_regex(r"[%+./a-cA-C2-]{1,12}", fullmatch=True)).filter(is_key)


@pytest.mark.parametrize(
    "key", ["a", "dQw4w9WgXcQ", "https://example.org/a?b=c#d", "a/b", "-rf", ".hidden", "...", "ä ö", "x" * MAX_KEY]
)
def test_ordinary_keys_are_taken_as_they_are(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "non-empty"), (None, "non-empty"), (5, "non-empty"), (b"a", "non-empty"), (["a"], "non-empty"),
        ("x" * (MAX_KEY + 1), "1025 characters"), ("a\nb", "control"), ("a\0", "control"), ("\x7f", "control"),
        ("\x9b31m", "control"), ("\ud800", "control"), (".", "part of a path"), ("..", "part of a path"),
        ("../../etc/passwd", "part of a path"), ("a/../b", "part of a path"), ("a/.", "part of a path"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_key_is_refused_with_the_reason(key: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_key(key)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a-b_c.D9", "a-b_c.D9.json"), ("a b", "a%20b.json"), ("a/b", "a%2Fb.json"), ("-rf", "%2Drf.json"),
        (".x", "%2Ex.json"), ("a%2Fb", "a%252Fb.json"), ("ä", "%C3%A4.json"), ("a+b", "a%2Bb.json"),
        ("x.json", "x.json.json"), ("https://e.org/?q=1", "https%3A%2F%2Fe.org%2F%3Fq%3D1.json"),
    ],
)  # fmt: skip
def test_a_file_is_named_after_its_key_percent_encoded_where_it_must_be(key: str, name: str) -> None:
    assert file_name(key) == name


def test_a_long_key_is_cut_and_given_a_digest_that_tells_it_from_others_with_the_same_beginning() -> None:
    longest, over = "k" * MAX_NAME, "k" * (MAX_NAME + 1)
    assert stem(longest) == longest
    assert re.fullmatch(r"k{147}\+[0-9a-f]{32}", stem(over))
    assert stem(over) != stem(over + "k")
    assert "+" not in stem("+" * 40)


@settings(deadline=None)
@given(KEYS)
@example("ä" * MAX_KEY)
@example("\U0001f30a" * MAX_KEY)
@example("-" * MAX_KEY)
def test_a_file_name_is_plain_and_short_and_never_hidden_nor_an_option(key: str) -> None:
    name = file_name(key)
    assert re.fullmatch(r"[A-Za-z0-9._%+-]+\.json", name)
    assert len(os.fsencode(name)) <= 255
    assert name[0] not in ".-"


@settings(deadline=None)
@given(KEYS, KEYS)
@example("a/b", "a%2Fb")
@example("-a", "%2Da")
@example("x" * 200, stem("x" * 200))
@example("\u00e4", "a\u0308")
def test_different_keys_have_different_names(one: str, other: str) -> None:
    assume(one != other)
    assert file_name(one) != file_name(other)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=6), st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_fields(value: Json, chance: random.Random) -> None:
    fields = list(value.items())
    chance.shuffle(fields)
    assert digest(dict(fields)) == digest(value)
    assert re.fullmatch("[0-9a-f]{64}", digest(value))


def test_a_digest_tells_values_and_the_order_of_lists_apart() -> None:
    values: list[Any] = [[1, 2], [2, 1], {"a": 1}, {"a": "1"}, {"a": None}, {}, None, "", "ä", "a\u0308"]
    assert len({digest(value) for value in values}) == len(values)


def ticket(*attempts: Json) -> Ticket:
    return Ticket("job", "a/b", {"url": "u"}, {"discovered": "d"}, list(attempts))


def test_only_charged_attempts_count_as_tries() -> None:
    assert ticket().tries() == 0
    assert ticket(RETRY, WAITED, KILLED, RETRY).tries() == 2
    assert ticket(RETRY, WAITED, KILLED, RETRY).interruptions() == 1


def test_a_final_attempt_ends_a_round_and_the_next_counts_anew() -> None:
    again = ticket(RETRY, KILLED, DONE, RETRY, DONE, KILLED, RETRY)
    assert again.round() == [KILLED, RETRY]
    assert (again.tries(), again.interruptions()) == (1, 1)
    assert (ticket(RETRY, DONE).round(), ticket(RETRY, DONE).tries()) == ([], 0)


def test_an_interruption_can_end_a_round_too() -> None:
    assert ticket(KILLED, {**KILLED, "final": True}).interruptions() == 0


def test_the_last_50_attempts_are_kept_in_order() -> None:
    one = ticket()
    for number in range(KEPT_ATTEMPTS + 7):
        one.add_attempt({"n": number})
    assert [attempt["n"] for attempt in one.attempts] == list(range(7, KEPT_ATTEMPTS + 7))


def test_adding_an_attempt_leaves_a_list_that_others_hold_alone() -> None:
    shared: list[Json] = []
    one = Ticket("job", "a", {}, {}, shared)
    one.add_attempt(RETRY)
    assert shared == []


def test_a_ticket_comes_back_from_its_json() -> None:
    whole = Ticket("job", "a/b", {"u": 1}, {"m": 2}, [RETRY], {"reason": "r"}, {"text": "t"}, {"owner": "o"})
    assert is_ticket(whole.to_json())
    assert ticket_of(whole.to_json(), "job") == whole
    assert whole.name == "a%2Fb.json"


def test_a_new_ticket_writes_nothing_but_its_item_and_prints_the_same() -> None:
    assert ticket().to_json() == ticket().public() == {
        "job": "job", "key": "a/b", "data": {"url": "u"}, "meta": {"discovered": "d"},
    }  # fmt: skip
    assert ticket(RETRY).public() == ticket().public()


@pytest.mark.parametrize(
    "change",
    [{"job": None}, {"job": 5}, {"data": []}, {"data": "x"}, {"meta": None}, {"job": ...}, {"key": ...}, {"meta": ...}],
)
def test_what_lacks_a_part_of_a_ticket_is_not_one(change: Json) -> None:
    document = {**ticket().to_json(), **change}
    assert not is_ticket({name: value for name, value in document.items() if value is not ...})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"job": "other"}, "of job 'other'"), ({"key": "../x"}, "part of a path"), ({"key": 7}, "non-empty string"),
        ({"attempts": {}}, "attempts is not"), ({"attempts": ["x"]}, "attempts holds"), ({"error": "boom"}, "error"),
        ({"output": []}, "output is not"), ({"receipt": None}, "receipt is not"),
    ],
)  # fmt: skip
def test_a_ticket_with_a_wrong_part_is_refused_with_the_reason(change: Json, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ticket_of({**ticket().to_json(), **change}, "job")


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"key": "k", "id": "i", "url": "u"}, "k"), ({"id": "i", "url": "u"}, "i"), ({"url": "u"}, "u"),
        ({}, "dropped"), ({"id": 42}, "42"), ({"id": 0}, "0"), ({"key": "", "id": "i"}, "i"),
        ({"key": None, "url": "u"}, "u"), ({"id": True, "url": "u"}, "u"), ({"title": "t"}, "dropped"),
    ],
)  # fmt: skip
def test_what_is_dropped_gets_its_key_from_key_id_url_or_the_file(document: Json, key: str) -> None:
    assert dropped_key(document, "dropped.json") == key
    assert dropped_key(document, "dropped") == key


@pytest.mark.parametrize("document", [{"key": {}}, {"id": [1]}, {"id": 1.5}, {"url": "a\nb"}, {"key": ".."}])
def test_what_is_dropped_with_a_key_that_cannot_be_one_is_refused(document: Json) -> None:
    with pytest.raises(ValueError, match="the key"):
        dropped_key(document, "name.json")


def test_a_bare_object_is_its_own_data() -> None:
    one = dropped_ticket({"id": "i", "title": "t", "job": "somewhere"}, "job", "x.json", {"discovered": "d"})
    assert one == Ticket(
        "job", "i", {"id": "i", "title": "t", "job": "somewhere"}, {"discovered": "d", "strategy": "drop"}
    )


def test_an_object_that_looks_like_an_item_is_taken_as_one() -> None:
    one = dropped_ticket({"key": "k", "data": {"title": "t"}, "job": "job", "meta": {"x": 1}}, "job", "x.json", {})
    assert (one.key, one.data, one.meta) == ("k", {"title": "t"}, {"strategy": "drop"})


def test_an_object_with_data_and_more_is_bare() -> None:
    document = {"id": "i", "data": {"title": "t"}, "title": "other"}
    assert dropped_ticket(document, "job", "x.json", {}).data == document


def test_an_item_of_another_job_is_refused() -> None:
    with pytest.raises(ValueError, match="of job 'other'"):
        dropped_ticket({"key": "k", "job": "other", "data": {}}, "job", "x.json", {})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["key", "id", "url", "job", "data", "meta", "title"]), JSON))
def test_whatever_object_is_dropped_becomes_an_item_or_is_refused(document: Json) -> None:
    try:
        one = dropped_ticket(document, "job", "name.json", {})
    except ValueError:
        return
    assert ticket_of(one.to_json(), "job") == one


def test_the_longest_names_fit_into_a_directory(tmp_path: Path) -> None:
    for key in ("x" * MAX_KEY, "ä" * MAX_KEY, "%" * MAX_NAME):
        (tmp_path / file_name(key)).write_text("{}")
    assert len(list(tmp_path.iterdir())) == 3
