"""A docstring is taken apart into what a list, a page and a program can show."""

from __future__ import annotations

from rivus.tell.docstring import documented

DOC = """\
Every page of a site. Each of them once.

    discover: {strategy: site,
               url: https://example.org}

url:    where it begins, and goes
        on; depth: how far it goes. 0: one page.
low, high: between these. `mode` says which.
Raises Halt: for an address
that is none.

    other: example
"""


def test_the_summary_is_the_first_sentence() -> None:
    assert documented(DOC, ["url"]).summary == "Every page of a site."
    assert documented("", []).summary == ""


def test_what_is_set_in_after_a_blank_line_is_an_example() -> None:
    one = "discover: {strategy: site,\n           url: https://example.org}"
    assert documented(DOC, ["url"]).examples == [one, "other: example"]


def test_each_parameter_has_its_own_words_wherever_they_begin() -> None:
    found = documented(DOC, ["url", "depth", "low", "high", "mode"]).parameters
    assert found["url"] == "where it begins, and goes on"
    assert found["depth"] == "how far it goes. 0: one page."
    assert found["low"] == found["high"] == "between these. `mode` says which."
    assert found["mode"] == "`mode` says which.", "the sentence that mentions it"


def test_only_a_name_of_a_parameter_begins_a_meaning() -> None:
    found = documented(DOC, ["url"])
    assert found.parameters == {"url": "where it begins, and goes on; depth: how far it goes. 0: one page."}
    assert found.prose[1:] == ["low, high: between these. `mode` says which.",
                               "Raises Halt: for an address that is none."]  # fmt: skip


def test_what_it_does_not_say_the_module_says() -> None:
    module = "Pages.\n\nkey: whose it is. No more.\n\nAll of them may fail."
    found = documented("A page. For the rest see the module.\n\nTakes: the `url`.", ["key", "url"], module)
    assert found.parameters == {"key": "whose it is. No more.", "url": "the `url`."}
    assert found.prose == ["A page.", "Takes: the `url`.", "All of them may fail."]


def test_an_output_is_no_parameter_of_the_same_name() -> None:
    assert documented("A page.\n\nGives: `text`.", ["text"]).parameters == {}
