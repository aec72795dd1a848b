"""The jobs `ideas` and `ideas_archive`: two sources of one item, what a model reads out of it, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from rivus.model.outcome import ItemFailed
from rivus.plugins import find
from tests.conftest import ROOT, House
from tests.jobs.house import Shipped, ship
from tests.model_server import Model, Reply, completion, serving
from tests.site import Site
from tests.site import site as site

QUOTE = "The pipes of {} are worth more than its market value."
DAYS = ["2024-02-28", "2024-03-04", "2024-04-01", "2024-06-03"]


def page(name: str, day: str, paragraphs: int = 12) -> str:
    """A write-up; with one paragraph no more than its beginning."""
    said = [f"In year {n} {name} laid {n} kilometres of pipe, each of which earns {7 * n} thousand." for n in range(12)]
    text = "".join(f"<p>{one}</p>" for one in [QUOTE.format(name), *said][:paragraphs])
    more = "" if paragraphs > 1 else "<p>Subscribe to continue with this write-up of our members, please.</p>"
    head = f"<title>{name}</title><meta property='article:published_time' content='{day}'>"
    return f"<html><head>{head}</head><body><article><h1>{name}</h1>{text}{more}</article></body></html>"


def put_json(site: Site, path: str, body: Any) -> None:
    site.put(path, json.dumps(body), kind="application/json")


def put_chart(site: Site, symbol: str, prices: list[float]) -> None:
    at = [int(datetime.fromisoformat(f"{day}T14:30:00+00:00").timestamp()) for day in DAYS]
    result = {"timestamp": at, "indicators": {"adjclose": [{"adjclose": prices}]}}
    put_json(site, f"/v8/finance/chart/{symbol}", {"chart": {"result": [result], "error": None}})


def reply(body: dict[str, Any]) -> Reply:
    """The model: it takes the company's name from the fenced title."""
    data = next(line for line in body["messages"][-1]["content"].splitlines() if line.startswith("{"))
    told = json.loads(data)
    if "thesis" in told:
        return completion(json.dumps({"value": 8, "reason": f"figures of {told['company']}"}), prompt_tokens=9)
    name = told["title"]
    quote = "A sentence that nobody has ever written." if name == "Made Up" else QUOTE.format(name)
    side = "short" if name == "Bad" else "long"
    facts: dict[str, Any] = {"symbol": name.upper()[:4].strip(), "company": name, "side": side, "quote": quote}
    more: dict[str, Any] = {"thesis": "It is worth more than it costs.", "catalysts": [], "target": None, "day": None}
    return completion(json.dumps({**facts, **more}))


@pytest.fixture
def model() -> Iterator[Model]:
    with serving() as model:
        model.reply = reply
        yield model


@pytest.fixture
def ideas(house: House, site: Site, model: Model) -> Shipped:
    """The site lists four ideas; the archive has the first of them, and one that the site has no longer."""
    listed = {"Good": 1, "Bad": 2, "Young": 3, "Made Up": 4}
    links = "".join(f"<a href='/idea/{name.split()[0]}/{n}'>{name}</a>" for name, n in listed.items())
    site.put("/ideas", f"<html><body>{links}<a href='/idea/Good/1/messages'>talk</a></body></html>")
    site.put("/idea/Good/1", page("Good", "2024-03-01", paragraphs=1))
    site.put(f"/web/2id_/{site.url}/idea/Good/1", page("Good", "2024-03-01"))
    site.put("/idea/Bad/2", page("Bad", "2024-03-01"))
    site.put("/idea/Young/3", page("Young", date.today().isoformat()))
    site.put("/idea/Made/4", page("Made Up", "2024-03-01"))
    site.put("/web/20110203040506id_/http://www.valueinvestorsclub.com:80/idea/Old/5", page("Old", "2024-03-01"))
    for symbol, prices in {"GOOD": [99, 100, 110, 150], "BAD": [99, 100, 120, 130], "OLD": [1, 100, 100, 100]}.items():
        put_chart(site, symbol, [float(price) for price in prices])
    put_chart(site, "SPY", [99.0, 100.0, 101.0, 105.0])
    names = ["www.valueinvestorsclub.com", "web.archive.org", "query1.finance.yahoo.com"]
    hosts = {f"https://{name}": site.url for name in names} | {"https://api.openai.com/v1": model.url}
    ship(house, "ideas_archive", {**hosts, "wayback": site.url})
    return ship(house, "ideas", hosts)


def test_an_idea_is_read_twice_and_judged_by_what_came_of_it(ideas: Shipped, site: Site, model: Model) -> None:
    head = ["timestamp", "original", "mimetype", "statuscode", "digest", "length"]
    kept = [f"http://www.valueinvestorsclub.com:80/idea/{path}" for path in ("Old/5", "Old/5/messages", "Good/1", "")]
    rows = [["20110203040506", original, "text/html", "200", "A", "9"] for original in kept]
    put_json(site, "/cdx/search/cdx", [head, *rows])
    ideas.command("rivus-run", "ideas", "ideas_archive", "--linger", "0s")
    prefix = site.url.replace("http:", "https:") + "/idea/"
    keys = {name: f"{prefix}{path}" for name, path in [("good", "Good/1"), ("bad", "Bad/2"), ("old", "Old/5")]}
    assert len(ideas.keys("text")) == 5, "what the archive and the list both have is one item"
    chosen = {name: ideas.outputs("text")[key]["chosen"]["text"] for name, key in keys.items()}
    assert chosen == {"good": "archived", "bad": "live", "old": "archived"}
    returns = {name: ideas.outputs("returns")[key]["returns"] for name, key in keys.items()}
    assert returns["good"]["d30"] == {"share": 10.0, "market": 1.0, "excess": 9.0}
    assert returns["good"]["d90"]["excess"] == 45.0 and "d365" not in returns["good"]
    assert returns["bad"]["d90"]["excess"] == -25.0, "a short idea whose share has risen"
    assert ideas.outputs("score")[keys["good"]]["hits"] == {"argued": 3, "right": 2, "very right": 2}
    made_up = {f"{prefix}Made/4": "the quote does not stand in the text: the model has made it up"}
    assert ideas.reasons("check") == made_up
    assert ideas.keys("due", "later") == [f"{prefix}Young/3"]
    shown = {row["company"]: row for row in ideas.rows()}
    good = shown["Good"]
    assert (good["symbol"], good["excess_90"], good["text_from"]) == ("GOOD", 45.0, "archived")
    assert shown["Young"]["quality"] == 8, "the judgement does not wait for the outcome"
    judged = [one for one in model.requests if "how well the case is made" in one["body"]["messages"][0]["content"]]
    assert judged and all("excess" not in one["body"]["messages"][-1]["content"] for one in judged)
    assert ideas.command("rivus-run", "ideas", "ideas_archive", "--linger", "0s") == []


def test_a_gain_is_reckoned_from_the_first_price_after_the_idea() -> None:
    returns: Any = find("handler", "ideas.returns", ROOT / "jobs.d")
    day = datetime(2024, 1, 1, tzinfo=UTC)
    at = [int((day + timedelta(days=n)).timestamp()) for n in range(60)]
    chart = {"at": at, "close": [100.0 + n for n in range(60)]}
    holes = {"at": at, "close": [None if 3 < n < 40 else 100.0 for n in range(60)]}
    item = {"day": "2024-01-02", "side": "long", "prices": chart, "market": chart}
    same = {"share": 28.43, "market": 28.43, "excess": 0.0}
    assert returns(item, None, horizons=[30, 90])["returns"] == {"d30": same}
    bad_ones: list[Any] = [holes, {"at": [], "close": []}, {"at": [1], "close": "x"}, None]
    for bad in bad_ones:
        with pytest.raises(ItemFailed):
            returns({**item, "prices": bad}, None, horizons=[10])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"symbol": None}, "does not tell which share"),
        ({"quote": "Pipes are worth nothing."}, "does not stand in the text"),
        ({"published": None}, "nothing says when"),
        ({"published": "2999-01-01"}, "nothing says when"),
    ],
)
def test_what_a_model_has_read_must_stand_in_the_text(changed: dict[str, Any], why: str) -> None:
    check: Any = find("handler", "ideas.check", ROOT / "jobs.d")
    text = "We own it.\nThe pipes are\u00a0worth \u201ctwice\u201d its price."
    item = {"symbol": "X", "text": text, "quote": 'the pipes are worth "twice" its price', "day": None}
    item["published"] = "2024-01-31T23:00:00Z"
    assert check(item, None)["day"] == "2024-01-31"
    with pytest.raises(ItemFailed, match=why):
        check({**item, **changed}, None)
