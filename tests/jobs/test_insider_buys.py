"""The job `insider_buys`: of all that insiders do, only what they buy."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import House
from tests.jobs.house import ship
from tests.site import Site
from tests.site import site as site


def row(name: str, code: str, change: int, price: float, share: int) -> dict[str, Any]:
    """As Finnhub gives it."""
    days = {"filingDate": "2031-03-05", "transactionDate": "2031-03-03"}
    figures = {"change": change, "transactionPrice": price, "share": share}
    return {"symbol": "WEIR", "name": name, "transactionCode": code, **days, **figures}


def test_purchases_are_weighed_and_the_rest_is_passed_over(house: House, site: Site) -> None:
    bought, sold = row("Oyelaran Marta", "P", 50_000, 30.0, 150_000), row("Vos Piet", "S", -9_000, 30.0, 0)
    broken, given = row("Lim Ada", "P", 100, 0.0, 100), row("Lim Ada", "A", 500, 0.0, 500)
    answer = {"data": [bought, sold, broken, given, {"name": None}], "symbol": "WEIR"}
    site.put("/api/v1/stock/insider-transactions", json.dumps(answer), kind="application/json")
    job = ship(house, "insider_buys", {"finnhub": site.url}, lambda job: job["discover"].update(symbols=["WEIR"]))
    job.run()
    (output,) = filter(None, job.outputs("score").values())
    assert output == {"value": 7, "hits": {"noticeable": 2, "large": 3, "much more": 2}}
    assert list(job.reasons("purchase").values()) == ["the purchase has no price"]
    rows = {row["insider"]: row for row in job.rows() if row["value"]}
    assert list(rows) == ["Oyelaran Marta"]
    assert rows["Oyelaran Marta"]["text"] == (
        "Oyelaran Marta bought 50,000 WEIR at 30.00 for 1,500,000 USD on 2031-03-03"
    )
    month = job.shown_query().replace("'now'", "'2031-03-10'")
    assert job.select(month) == [{"symbol": "WEIR", "count(DISTINCT insider)": 1, "sum(value)": 1_500_000}]
    assert job.run() == []
