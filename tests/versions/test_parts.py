"""The version of a stage and the parts that it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.config import load_job
from rivus.errors import BadConfig
from rivus.versions.parts import Parts, changed, version_of

YAML = """
stages:
  a: {handler: my.fetch, with: {n: 1}, version_deps: ["prompts/*.md", package requests, {model: small}]}
  b: {command: [./run.sh, x]}
  c: {handler: captions.text}
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "a.md").write_text("say it")
    (tmp_path / "my.py").write_text("def fetch(item, ctx, *, n):\n    return {'n': n}\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\ncat\n")
    (tmp_path / "j.yaml").write_text(YAML)
    return tmp_path


def parts(jobs: Path, stage: str = "a") -> Parts:
    job = load_job(jobs, "j")
    return version_of(job, job.stages[stage]).parts


def edit(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_the_same_stage_has_the_same_version(jobs: Path) -> None:
    assert changed(parts(jobs), parts(jobs)) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "names"),
    [
        ("my.py", "'n': n", "'n': n + 1", ["code"]),
        ("my.py", "return", "# a remark\n    return", []),
        ("j.yaml", "n: 1", "n: 2", ["params"]),
        ("prompts/a.md", "say it", "say it well", ["prompts/a.md"]),
        ("j.yaml", "model: small", "model: large", ["value model"]),
    ],
)
def test_the_part_that_changed_is_named(jobs: Path, file: str, old: str, new: str, names: list[str]) -> None:
    before = parts(jobs)
    edit(jobs / file, old, new)
    assert changed(before, parts(jobs)) == names


def test_a_file_that_comes_or_goes_counts(jobs: Path) -> None:
    before = parts(jobs)
    (jobs / "prompts" / "b.md").write_text("more")
    assert changed(before, parts(jobs)) == ["prompts/b.md"]
    (jobs / "prompts" / "a.md").unlink()
    assert changed(before, parts(jobs)) == ["prompts/a.md", "prompts/b.md"]


def test_an_explicit_version_stands_for_the_code(jobs: Path) -> None:
    edit(jobs / "j.yaml", "handler: my.fetch", 'handler: my.fetch, version: "3"')
    before = parts(jobs)
    edit(jobs / "my.py", "'n': n", "'n': n + 1")
    assert changed(before, parts(jobs)) == []
    edit(jobs / "j.yaml", '"3"', '"4"')
    assert changed(before, parts(jobs)) == ["code"]


def test_a_program_of_jobs_d_is_code(jobs: Path) -> None:
    before = parts(jobs, "b")
    edit(jobs / "run.sh", "cat", "tac")
    assert changed(before, parts(jobs, "b")) == ["code"]


def test_the_module_may_state_dependencies_of_its_own(jobs: Path) -> None:
    (jobs / "my.py").write_text("VERSION_DEPS = ['words.txt']\n\ndef fetch(item, ctx, *, n):\n    return {'n': n}\n")
    before = parts(jobs)
    assert before["deps"]["words.txt"] == "missing"
    (jobs / "words.txt").write_text("x")
    assert changed(before, parts(jobs)) == ["words.txt"]


def test_a_result_from_before_there_were_versions_has_none(jobs: Path) -> None:
    assert changed(None, parts(jobs)) == changed({"rivus": "0.1"}, parts(jobs)) == ["no version"]


def test_dependencies_stay_below_jobs_d(jobs: Path) -> None:
    edit(jobs / "j.yaml", '"prompts/*.md"', '"../*.md"')
    with pytest.raises(BadConfig, match="stay below"):
        parts(jobs)


def test_a_handler_that_cannot_be_read_is_a_broken_job(jobs: Path) -> None:
    (jobs / "my.py").write_text("def fetch(:")
    with pytest.raises(BadConfig, match=r"my\.fetch"):
        parts(jobs)
