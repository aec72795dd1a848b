from __future__ import annotations

import time

import pytest

from rivus.handlers.secsections import Section, sections

ANNUAL = """ACME CORP
TABLE OF CONTENTS
PART I
Item 1. Business 3
Item 1A. Risk Factors 9
PART II
Item 7. Management's Discussion 20
Signatures 40
PART I
ITEM 1. BUSINESS
We make anvils.
As told in
Item 7 of this report
we make few.
Item 1A.
Risk Factors
Anvils fall, and people stand below them more often than is good for us.
ITEM 1A — RISK FACTORS (continued)
They are heavy.
PART II
Items 7 and 7A. Management's Discussion
We had a year of falling anvils, and of rising prices.
SIGNATURES
Wile E."""


def test_the_items_of_a_report_are_found_beyond_its_contents_and_references() -> None:
    assert sections(ANNUAL) == [
        Section("I", "1", "BUSINESS", "We make anvils.\nAs told in\nItem 7 of this report\nwe make few."),
        Section("I", "1A", "Risk Factors", "Anvils fall, and people stand below them more often than is good for us.\n"
                "ITEM 1A — RISK FACTORS (continued)\nThey are heavy."),
        Section("II", "7", "and 7A. Management's Discussion", "We had a year of falling anvils, and of rising prices."),
    ]  # fmt: skip


QUARTERLY = """Part I. Financial Information
Item 1. Financial Statements
Cash: 5
PART II — OTHER INFORMATION
Item 1. Legal Proceedings
None to speak of.
Part II, Item 1A: Risk Factors
No change."""


def test_the_parts_of_a_quarterly_report_number_their_items_anew() -> None:
    found = [(each.part, each.item, each.title, each.text) for each in sections(QUARTERLY, numbered_anew=True)]
    assert found == [
        ("I", "1", "Financial Statements", "Cash: 5"),
        ("II", "1", "Legal Proceedings", "None to speak of."), ("II", "1A", "Risk Factors", "No change."),
    ]  # fmt: skip
    assert [each.item for each in sections(QUARTERLY)] == ["1", "1A"]


def test_a_current_report_has_items_with_two_numbers() -> None:
    text = "Item 2.02 Results of Operations\nGood ones.\nItem 9.01. Financial Statements and Exhibits\n99.1 Release"
    assert [each[1:] for each in sections(f"{text}\nSIGNATURE\nA")] == [
        ("2.02", "Results of Operations", "Good ones."),
        ("9.01", "Financial Statements and Exhibits", "99.1 Release"),
    ]


@pytest.mark.parametrize("line", ["Itemised", "Item", "Item 105", "Item 1/2", "ITEM 1ABLE", "x Item 1", "Item 1 " * 60])
def test_what_only_looks_like_a_heading_is_text(line: str) -> None:
    assert sections(f"{line}\ntext\n") == []


def test_a_text_of_headings_alone_takes_no_time() -> None:
    started = time.process_time()
    assert len(sections("Item 1.\nPART II\nItem 2.\nx\n" * 40_000, numbered_anew=True)) <= 4
    assert len(sections("\n".join(f"Item {n // 100}.{n % 100:02}\ntext" for n in range(10_000)))) == 200
    assert time.process_time() - started < 5
