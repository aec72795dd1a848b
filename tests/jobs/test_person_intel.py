"""The job `person_intel`: four sources, an account of them, points and a verdict."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import House
from tests.jobs.house import ship, told
from tests.model_server import Reply, completion, serving
from tests.site import Site
from tests.site import site as site

PEOPLE = [
    {"key": "lim", "name": "Ada Lim", "known_for": "weirs", "wikipedia": "Ada_Lim", "github": "lim", "orcid": "0000-1"},
    {"key": "vos", "name": "Piet Vos", "known_for": "ledgers"},
]
REAL = ("https://en.wikipedia.org", "https://api.github.com", "https://api.crossref.org", "https://hn.algolia.com")
ANSWERS = {
    "/api/rest_v1/page/summary/Ada_Lim": {"title": "Ada Lim", "description": "engineer", "extract": "Builds weirs."},
    "/users/lim": {"name": "Ada", "company": None, "public_repos": 12, "followers": 4200, "created_at": "2010-01-01"},
    "/works": {"message": {"total-results": 2, "items": [
        {"title": ["On weirs"], "is-referenced-by-count": 900}, {"title": ["More"], "is-referenced-by-count": 1},
    ]}},
    "/api/v1/search": {"nbHits": 3, "hits": [{"title": "Weirs", "points": 7, "created_at": "2020-01-01T00:00:00Z"}]},
}  # fmt: skip


def reply(body: dict[str, Any]) -> Reply:
    """Says of each person what the sources do, and asks whoever is known for sure."""
    data = told(body)
    if "same_person" in data:
        answer: dict[str, Any] = {"verdict": "ask" if data["same_person"] else "no", "why": "by the facts"}
        answer |= {"questions": [], "check_first": []}
    else:
        facts = [{"fact": f"{name} answers", "source": name} for name in data if name.endswith("_says")]
        about = {"same_person": "github_says" in data, "summary": f"{data['name']}, known for {data['known_for']}"}
        answer = {**about, "roles": [], "expertise": ["weirs"], "facts": facts, "doubts": []}
    return completion(json.dumps(answer), prompt_tokens=1000, completion_tokens=100)


def test_what_four_sources_say_of_a_person_becomes_points_and_a_verdict(house: House, site: Site) -> None:
    for path, answer in ANSWERS.items():
        site.put(path, json.dumps(answer), kind="application/json")
    with serving() as model:
        model.reply = reply
        hosts = {"llm": model.url, **dict.fromkeys(REAL, site.url)}
        job = ship(house, "person_intel", hosts, lambda job: job["discover"].update(items=PEOPLE))
        job.run()
        assert job.run() == []
        assert len(model.requests) == 4
    papers = job.outputs("papers")["lim"]["crossref_says"]
    assert papers == {"works": 2, "titles": ["On weirs", "More"], "citations": 901}
    assert job.outputs("github")["vos"] == {}, "who has no such name is skipped there"
    assert job.outputs("score")["lim"]["hits"] == {"well documented": 2, "sure": 2, "followed": 2, "cited": 2}
    lim, vos = job.rows()
    assert (lim["name"], lim["followers"], lim["works"], lim["points"]) == ("Ada Lim", 4200, 2, 8)
    assert (lim["verdict"], vos["verdict"], vos["points"]) == ("ask", "no", 0)
    assert lim["summary"] == "Ada Lim, known for weirs"
    assert any("%22Ada%20Lim%22" in path.replace("+", "%20") for path in site.asked), "the name is one phrase"
