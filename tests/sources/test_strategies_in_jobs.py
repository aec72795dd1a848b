"""The strategies as jobs name them, from YAML to the first stage."""

from __future__ import annotations

import json

from tests.conftest import House
from tests.site import Site


def test_jobs_find_what_tables_lists_dates_and_interfaces_give(house: House, site: Site) -> None:
    fetch = "stages: {fetch: {handler: web.page}}\n"
    house.job("table", "discover: {strategy: rows, path: t.csv, key: id}\n" + fetch)
    (house.root / "jobs.d" / "t.csv").write_text("id,a\n1,x\n")
    house.job("named", "discover: {strategy: list, items: [AAPL, {key: k, a: 1}]}\n" + fetch)
    house.job("days", "discover: {strategy: dates, start: '2024-01-01', end: '2024-01-02'}\n" + fetch)
    site.put("/a?page=1", json.dumps({"rows": [{"number": 7, "name": "x"}]}))
    house.job(
        "api",
        f"allow_private_hosts: [127.0.0.1]\ndiscover:\n  strategy: json_api\n  url: {site.url}/a\n  items: rows\n"
        "  key: number\n  fields: {title: name}\n  paging: {by: page, size: 50}\n" + fetch,
    )
    found = {
        (line["job"], line["key"]): line["data"]
        for line in house.run("discover", "table", "named", "days", "api").lines
    }
    assert found == {
        ("table", "1"): {"id": "1", "a": "x"}, ("named", "AAPL"): {"value": "AAPL"}, ("named", "k"): {"a": 1},
        ("days", "2024-01-02"): {"date": "2024-01-02", "until": "2024-01-03"},
        ("days", "2024-01-01"): {"date": "2024-01-01", "until": "2024-01-02"}, ("api", "7"): {"title": "x"},
    }  # fmt: skip
    assert house.box("api", "fetch", "ready") == ["7.json"]
