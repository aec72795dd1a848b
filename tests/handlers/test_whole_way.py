"""Items that are judged, compared, merged, stored and told of by real commands."""

from __future__ import annotations

import json
import sqlite3

from tests.conftest import House
from tests.model_server import completion, serving

JOB = """
allow_private_hosts: [127.0.0.1]
stages:
  merge: {handler: merge.best, with: {sources: [live, archive]}}
  rules: {handler: score.rules, with: {rules: [{field: text, pattern: "(?i)rate", points: 3, name: rate}]}}
  near: {handler: dedupe.near, concurrency: 1}
  judge:
    handler: llm.score
    concurrency: 1
    with: {prompt: prompts/score.md, model: small, base_url: "URL/v1"}
    version_deps: [prompts/score.md]
  lines: {handler: store.jsonl, with: {columns: {points: hits.rate, near: near}}}
  table: {handler: store.sqlite, needs: [judge], with: {columns: {reason: reason}}}
  tell: {handler: notify.webhook, with: {url: "URL/hook", text: "{reason} {title}", fields: [value]}}
"""


def test_an_item_goes_the_whole_way_and_the_same_question_is_paid_once(house: House) -> None:
    text = "The bank left its rate where it was, at two per cent, for the ninth month."
    items = [
        {"key": key, "live": {"title": "Rates", "text": "Subscribe to read."}, "archive": {"text": text}}
        for key in "ab"
    ]
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    (house.root / "jobs.d/prompts").mkdir()
    (house.root / "jobs.d/prompts/score.md").write_text("How much is it about rates?")
    (house.root / "jobs.d/prices.yaml").write_text("small: {input: 1, output: 10}\n")
    with serving() as model:
        model.reply = lambda body: completion('{"value": 9, "reason": "all of it"}', **usage)
        house.job("news", JOB.replace("URL", model.url.removesuffix("/v1")))
        house.run("rivus-check")
        house.run("rivus-inject", "news", stdin="\n".join(map(json.dumps, items)))
        house.run("rivus-run", "news", env={"RIVUS_SECRET_LLM_API_KEY": "k3y-of-the-test"})
    judged = [house.ticket("news", "judge", "done", f"{key}.json") for key in "ab"]
    costs = [ticket["receipt"].get("cost", {}) for ticket in judged]
    assert sorted(cost.get("calls", 0) for cost in costs) == [0, 1]
    assert sum(cost.get("usd", 0) for cost in costs) == 0.002
    lines = map(json.loads, (house.root / "spool/news/lines/state/items.jsonl").read_text().splitlines())
    assert sorted(line["near"] or "" for line in lines) in (["", "a"], ["", "b"])
    with sqlite3.connect(house.root / "spool/news/table/state/items.sqlite3") as db:
        assert db.execute("SELECT * FROM items ORDER BY key").fetchall() == [("a", "all of it"), ("b", "all of it")]
    told = [request["body"] for request in model.requests if request["path"] == "/hook"]
    assert {body["text"] for body in told} == {"all of it Rates"} and len(told) == 2
