"""What holds for every job that ships."""

from __future__ import annotations

import re

import pytest

from rivus.config.load import load_jobs
from rivus.config.prices import load_prices
from rivus.config.schema import Job
from tests.conftest import ROOT

FOLDER = ROOT / "jobs.d"
JOBS = load_jobs(FOLDER).jobs
ON = {"demo", "dml"}
"""The demo has no timer, and dml is what the project is shown with."""
EVERY = pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)


def asking(job: Job) -> dict[str, str]:
    """The stages that ask a language model -> their model, "" where the item says which."""
    return {name: stage.with_.get("model", "") for name, stage in job.stages.items() if stage.limit == "llm"}


def test_only_what_needs_no_key_and_no_care_is_on() -> None:
    assert {job.name for job in JOBS.values() if job.enabled} == ON


@EVERY
def test_a_stage_that_asks_a_model_has_a_price_a_budget_and_its_prompts_in_its_version(job: Job) -> None:
    prices = load_prices(FOLDER)
    for name, model in asking(job).items():
        stage = job.stages[name]
        budget = stage.budget or job.budget
        assert model in prices or not model, f"{job.name}:{name}: {model} has no price"
        assert budget and (budget.usd or budget.calls), f"{job.name}:{name} has no budget"
        files = {value for value in stage.with_.values() if isinstance(value, str) and value.startswith("prompts/")}
        assert files <= set(map(str, stage.version_deps)), f"{job.name}:{name}: its results do not depend on its prompt"
        assert all((FOLDER / file).is_file() for file in files), f"{job.name}:{name}: a prompt is missing"


@EVERY
def test_a_job_tells_people_what_it_is_and_shows_columns(job: Job) -> None:
    text = job.file.read_text("utf-8")
    assert re.match(r"# \S", text), "what it is for stands on top"
    assert job.title != job.name and job.columns
    assert not re.search(r"127\.0\.0\.1|localhost", re.sub(r"#.*", "", text)) or job.name == "demo"


@EVERY
def test_what_talks_to_others_has_a_limit(job: Job) -> None:
    """A source of the network, and each stage of a family that asks somebody."""
    families = ("llm.", "finnhub.", "sec.", "http.", "web.page", "web.article", "youtube.")
    for name, stage in job.stages.items():
        if (stage.handler or "").startswith(families):
            assert stage.limit, f"{job.name}:{name} has no limit"
    local = {"list", "items", "rows", "files", "dates", "command"}
    assert not job.discover or job.discover.strategy in local or job.discover.limit, f"{job.name}: no limit"
