"""rivus-cost prints sums and budgets, for people and as JSON Lines."""

from __future__ import annotations

import pytest

from rivus.limits.spending import Spending
from rivus.model.money import Spent
from rivus.spool.layout import open_spool
from tests.conftest import House

DAY = "2026-01-31"
JOB = "stages: {ask: {handler: x.y, budget: {usd: 2, calls: 500}}}"


@pytest.fixture
def paid(house: House) -> House:
    house.job("demo", JOB)
    Spending(open_spool(str(house.root / "spool"))).add("demo", "ask", Spent(0.1234, 5, 60, 1, 4), DAY)
    return house


def test_a_table_has_a_line_for_each_stage_and_one_for_each_budget(paid: House) -> None:
    head, row, budget = paid.run("rivus-cost", "--since", DAY).out.splitlines()
    assert head.split() == ["STAGE", "USD", "CALLS", "TOKENS", "UNKNOWN", "ITEMS"]
    assert row.split() == ["demo:ask", "0.1234", "5", "60", "1", "4"]
    assert budget == "demo:ask: today 0.0000 of 2 USD, 0 of 500 calls; month 0.0000 USD, 0 calls"


def test_json_lines_are_the_same(paid: House) -> None:
    row, budget = paid.run("rivus-cost", "demo", "--since", DAY, "--by", "day", "--json").lines
    assert row == {"day": DAY, "usd": 0.1234, "calls": 5, "tokens": 60, "unknown": 1, "items": 4}
    assert (budget["budget"], budget["usd"], budget["calls"], budget["today"]["usd"]) == ("demo:ask", 2, 500, 0.0)


def test_without_a_day_this_month_counts(paid: House) -> None:
    assert "0.1234" not in paid.run("rivus-cost").out


def test_looking_changes_nothing(house: House) -> None:
    house.job("demo", JOB)
    house.run("rivus-cost")
    assert list((house.root / "spool").iterdir()) == []


def test_an_account_that_cannot_be_read_is_told_and_mended(paid: House) -> None:
    file = paid.root / f"spool/_spent/demo/{DAY}.json"
    file.write_text("{")
    done = paid.run("rivus-cost", "--since", DAY, code=78)
    assert done.err.startswith(f"{file} cannot be read")
    assert paid.run("rivus-cost", "--since", DAY, "--rebuild").err == ""


@pytest.mark.parametrize(
    ("argv", "code"),
    [(["nowhere"], 65), (["../_spent"], 65), (["--since", "yesterday"], 2), (["--by", "week"], 2)],
)
def test_what_is_not_there_is_refused(paid: House, argv: list[str], code: int) -> None:
    paid.run("rivus-cost", *argv, code=code)
