"""The job `supply_chain`: companies that a model names become items, are looked up, and are asked about in turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rivus.plugins import find
from tests.conftest import ROOT, House
from tests.jobs.house import Shipped, ship
from tests.model_server import Model, Reply, completion, serving
from tests.site import Page, Site
from tests.site import site as site

COMPANIES = {"AAPL": "Apple Inc", "TSM": "Taiwan Semiconductor Co Ltd", "ASML": "ASML Holding NV", "X": "Steel"}


def link(symbol: str, name: str, relation: str = "supplier", importance: int = 8, confidence: float = 0.9) -> Any:
    said = {"relation": relation, "importance": importance, "confidence": confidence, "why": f"{name} matters"}
    return {"symbol": symbol, "name": name, **said}


LINKS = {
    "AAPL": [
        link("TSM", "Taiwan Semiconductor", importance=10),
        link("QQQZ", "Invented Glass"),
        link("X", "Xerox", importance=5),
        link("ASML", "ASML", importance=2),
        link("MSFT", "Microsoft", relation="competitor"),
        link("../x", "Path"),
        link("HON", "Honest Unsure", confidence=0.2),
    ],
    "TSM": [link("ASML", "ASML Holding", importance=9), link("AAPL", "Apple", relation="customer", importance=9)],
}


def reply(body: dict[str, Any]) -> Reply:
    """The model: what it says of the company that the fenced data name."""
    data = next(line for line in body["messages"][-1]["content"].splitlines() if line.startswith("{"))
    links = LINKS.get(json.loads(data)["symbol"], [])
    return completion(json.dumps({"links": links}), prompt_tokens=9, completion_tokens=9)


def answer(path: str, asked: dict[str, str]) -> Page:
    """Finnhub: {} for a company that it does not know."""
    symbol = parse_qs(urlsplit(path).query)["symbol"][0]
    known = {"name": COMPANIES[symbol], "country": "TW", "ticker": symbol} if symbol in COMPANIES else {}
    return 200, {"Content-Type": "application/json"}, json.dumps(known).encode()


@pytest.fixture
def model() -> Iterator[Model]:
    with serving() as model:
        model.reply = reply
        yield model


@pytest.fixture
def chain(house: House, site: Site, model: Model) -> Shipped:
    site.answer = answer  # type: ignore[method-assign]

    def change(job: dict[str, Any]) -> None:
        job["discover"]["items"] = job["discover"]["items"][:1]
        job["stages"]["profile"]["with"] = {"base_url": site.url}

    return ship(house, "supply_chain", {"https://api.openai.com/v1": model.url}, change)


def test_what_is_named_is_looked_up_and_asked_about_down_to_the_last_level(chain: Shipped, model: Model) -> None:
    chain.run()
    valid = {key: said["valid"] for key, said in chain.outputs("validate").items()}
    assert valid == {
        "AAPL": True, "AAPL>TSM": True, "AAPL>ASML": True, "AAPL>QQQZ": False, "AAPL>X": False, "AAPL>TSM>ASML": True,
    }  # fmt: skip
    asked = [request["body"]["messages"][-1]["content"] for request in model.requests]
    assert len(asked) == 3 and all("QQQZ" not in one for one in asked), "what is invented is not asked about"
    assert chain.outputs("expand")["AAPL>TSM"] == {"expanded": ["ASML"], "passed_over": 1}, "Apple stands on the way"
    score = chain.outputs("score")
    assert score["AAPL"]["value"] == 8.33 and score["AAPL"]["strongest"] == "TSM"
    assert score["AAPL"]["suppliers"] == ["TSM", "ASML"]
    assert score["AAPL"]["rejected"] == {"QQQZ": "Finnhub knows no company QQQZ", "X": "X is Steel, not Xerox"}
    assert score["AAPL>TSM"]["value"] == 10 and score["AAPL>TSM>ASML"] == {}
    shown = {row["key"]: row for row in chain.rows()}
    assert shown["AAPL>TSM"]["name"] == COMPANIES["TSM"] and shown["AAPL>TSM"]["relation"] == "supplier"
    assert (shown["AAPL>TSM"]["of"], shown["AAPL>TSM"]["strength"], shown["AAPL"]["score"]) == ("AAPL", 9.0, 8.33)
    assert {row["state"] for row in shown.values()} == {"done"}
    assert chain.run() == [], "a second run finds nothing new"


def test_a_symbol_of_the_list_that_nobody_knows_has_failed(chain: Shipped, house: House) -> None:
    file = house.root / "jobs.d/supply_chain.yaml"
    file.write_text(file.read_text().replace("AAPL", "APPL"))
    chain.run()
    assert chain.reasons("profile") == {"APPL": "Finnhub knows no company APPL"}


@pytest.mark.parametrize(
    ("meant", "found", "same"),
    [
        ("Taiwan Semiconductor", "Taiwan Semiconductor Manufacturing Co Ltd", True),
        ("ASML", "ASML Holding NV", True),
        ("Alphabet Inc. Class A", "Amazon.com Inc Class A", False),
        ("The Company Ltd", "The Other Company Ltd", False),
    ],
)
def test_a_company_is_the_one_that_was_meant_if_a_telling_word_is_the_same(meant: str, found: str, same: bool) -> None:
    validate: Any = find("handler", "supply_chain.validate", ROOT / "jobs.d")
    item = {**link("X", meant), "of": "Y", "company": {"name": found}}
    assert validate(item, None)["valid"] is same
