"""prices.yaml makes dollars of tokens; a price that is none is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.config import load_jobs
from rivus.config.prices import load_prices, read_prices, usd_of
from rivus.errors import BadConfig

IN_DIGITS = " (or write it in plain digits: 10 or -0.5)"


def write(folder: Path, text: str) -> Path:
    (folder / "prices.yaml").write_text(text)
    return folder


def test_without_a_file_no_price_is_known(tmp_path: Path) -> None:
    assert load_prices(tmp_path) == {}
    assert load_prices(write(tmp_path, "# none yet\n")) == {}


def test_a_price_is_for_a_million_tokens(tmp_path: Path) -> None:
    price = load_prices(write(tmp_path, "vendor/small-4.1: {input: 0.15, output: 2}"))["vendor/small-4.1"]
    assert usd_of(price, 1_000_000, 0) == 0.15
    assert usd_of(price, 0, 500) == 0.001


def test_the_file_is_no_job(tmp_path: Path) -> None:
    jobs = load_jobs(write(tmp_path, "small: {input: 1, output: 1}"))
    assert (jobs.jobs, jobs.problems) == ({}, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "1:1: expected a mapping, got a list"),
        ("small: 3", "1:1: small: expected a mapping, got a number"),
        ("small: {input: 1}", "1:1: small: missing field 'output'"),
        ("small: {input: -1, output: 1}", "1:9: small.input: expected a number >= 0.0"),
        ("small: {input: 1, output: .inf}", f"1:27: small.output: '.inf' can be read as a number: quote it{IN_DIGITS}"),
        ("small: {input: .nan, output: 1}", f"1:16: small.input: '.nan' can be read as a number: quote it{IN_DIGITS}"),
    ],
)
def test_a_mistake_has_a_place_and_leaves_no_price(tmp_path: Path, text: str, problem: str) -> None:
    prices, problems = read_prices(write(tmp_path, text))
    assert (prices, [str(one) for one in problems]) == ({}, [f"{tmp_path}/prices.yaml:{problem}"])
    with pytest.raises(BadConfig, match="prices"):
        load_prices(tmp_path)
