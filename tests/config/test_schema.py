"""A job knows the graph of its stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.config import Job, load_job

DIAMOND = """\
stages:
  join: {handler: x.y, needs: [left, right]}
  left: {handler: x.y, needs: [fetch]}
  right: {handler: x.y, needs: [fetch]}
  fetch: {handler: x.y, needs: []}
  alone: {handler: x.y, needs: []}
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "diamond.yaml").write_text(DIAMOND)
    return load_job(tmp_path, "diamond")


def test_a_stage_comes_after_all_it_needs(job: Job) -> None:
    assert job.order == ["fetch", "left", "right", "join", "alone"]


def test_ancestors_are_in_order_the_nearest_last(job: Job) -> None:
    assert job.ancestors("join") == ["fetch", "left", "right"]
    assert job.ancestors("left") == ["fetch"]
    assert job.ancestors("fetch") == []


def test_successors_are_those_that_need_a_stage_directly(job: Job) -> None:
    assert job.successors("fetch") == ["left", "right"]
    assert job.successors("left") == ["join"]
    assert job.successors("join") == []


def test_roots_need_nothing(job: Job) -> None:
    assert job.roots == ["fetch", "alone"]


def test_a_job_cannot_be_changed(job: Job) -> None:
    with pytest.raises(AttributeError):
        job.title = "other"  # type: ignore[misc]
