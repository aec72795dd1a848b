"""The jobs `llm_bench` and `llm_bench_answers`: every model gets every question, and then its line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rivus.model.outcome import ItemFailed
from rivus.plugins import find
from tests.conftest import ROOT, House
from tests.jobs.house import ship, told
from tests.model_server import Reply, completion, serving

QUESTIONS = [json.loads(line) for line in (ROOT / "jobs.d/llm_bench.jsonl").read_text("utf-8").splitlines()]
EXPECTED = {row["question"]: row["expected"][0] for row in QUESTIONS}


def reply(body: dict[str, Any]) -> Reply:
    """The smallest model knows one word only, the next one speaks no JSON about reckoning, the last is always right."""
    question = told(body)["question"]
    answer = json.dumps({"answer": "Unknown." if body["model"] == "gpt-4.1-nano" else EXPECTED[question]})
    reckoning = {row["question"] for row in QUESTIONS if row["kind"] == "reckoning"}
    text = "Let me think." if body["model"] == "gpt-4o-mini" and question in reckoning else answer
    return completion(text, prompt_tokens=1000, completion_tokens=100)


def test_every_model_gets_every_question_and_a_line_when_all_are_graded(house: House) -> None:
    with serving() as model:
        model.reply = lambda body: reply(body) if len(body["messages"]) == 2 else completion("Still thinking.")
        bench = ship(house, "llm_bench", {})
        answers = ship(house, "llm_bench_answers", {"https://api.openai.com/v1": model.url})
        bench.command("rivus-run", "llm_bench", "llm_bench_answers")
        asked = len(model.requests)
        assert bench.command("rivus-run", "llm_bench", "llm_bench_answers") == []
    assert len(model.requests) == asked == 3 * len(QUESTIONS) + 3, "three answers were no JSON, and asked for again"
    rows = {row["model"]: row for row in bench.rows()}
    assert {name: row["share"] for name, row in rows.items()} == {
        "gpt-4.1-nano": 0.111, "gpt-4o-mini": 0.667, "gpt-4.1-mini": 1.0,
    }  # fmt: skip
    assert rows["gpt-4o-mini"]["faults"] == 3
    assert json.loads(rows["gpt-4o-mini"]["kinds"])["reckoning"] == 0.0
    shown = {row["key"]: row for row in answers.rows()}
    paid = {row["model"]: row["sum(usd)"] for row in answers.select(answers.shown_query())}
    assert paid["gpt-4.1-mini"] == pytest.approx(len(QUESTIONS) * (1000 * 0.40 + 100 * 1.60) / 1e6)
    assert (shown["gpt-4.1-nano/absent"]["answer"], shown["gpt-4.1-nano/absent"]["right"]) == ("Unknown.", 1)


@pytest.mark.parametrize("answer", ["76.50", " 76.5. ", "76,50"])
def test_an_answer_counts_whatever_its_case_and_punctuation(answer: str) -> None:
    grade = find("handler", "llm_bench.grade", ROOT / "jobs.d")
    item = {"answer": answer, "expected": ["76.5", "76.50"], "seconds": 1.0, "kind": "reckoning"}
    assert grade(item, None)["right"] == ("," not in answer), "a comma may part thousands"


def test_without_a_grade_there_is_no_line() -> None:
    with pytest.raises(ItemFailed, match="none of its questions"):
        find("handler", "llm_bench.table", ROOT / "jobs.d")({"children": [{"key": "a/b", "output": None}]}, None)
