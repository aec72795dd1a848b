"""The job `company_news`: the recorded news of a company, told once each."""

from __future__ import annotations

from typing import Any

from tests.conftest import House, World
from tests.jobs.house import answers, ship
from tests.model_server import completion, serving


def facts(told: dict[str, Any]) -> dict[str, Any]:
    """What a careful reader would say of the recorded news."""
    itself = "Apple" in told["title"]
    event, importance = ("product", 8) if itself else ("other", 1)
    what = f"{told['title'][:60]}, says {told['source']}"
    return {"event": event, "about_company": itself, "direction": 0, "importance": importance, "what": what}


def test_what_a_service_tells_three_times_is_judged_once_and_all_of_it_once_a_day(house: House, world: World) -> None:
    with serving() as model:
        model.reply = answers(facts)
        job = ship(house, "company_news", {"finnhub": world.url, "llm": model.url})
        job.run()
        assert job.run() == []
        asked = [request["body"]["messages"][-1]["content"] for request in model.requests]
    same = {key: output["near"] for key, output in job.outputs("near").items() if output["near"]}
    assert len(job.outputs("near")) == 5 and len(same) == 2 and len(set(same.values())) == 1
    assert len(asked) == 3, "what says the same is not paid for"
    assert [job.outputs("rank")[key] for key in same] == [{}, {}]
    rows = {row["key"]: row for row in job.rows()}
    chips = rows["61651699"]
    assert (chips["event"], chips["importance"], chips["points"]) == ("product", 8, 5)
    assert (chips["published"], chips["companies"]) == ("2020-12-08T09:00:00Z", "AAPL")
    assert {rows[key]["same_as"] for key in same} == set(same.values())
    assert {row["state"] for row in rows.values()} == {"done"}


def test_words_that_do_not_fit_the_schema_fail_the_item_and_not_the_job(house: House, world: World) -> None:
    with serving() as model:
        model.reply = lambda body: completion('{"event": "buy now!"}', prompt_tokens=1, completion_tokens=1)
        job = ship(house, "company_news", {"finnhub": world.url, "llm": model.url})
        job.run()
    assert len(job.keys("facts", "failed")) == 3 and not job.keys("rank", "ready")
    assert all("does not fit" in reason for reason in job.reasons("facts").values())
