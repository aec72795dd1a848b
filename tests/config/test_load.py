"""jobs.d is read with all its mistakes at once, and one broken file never disables another job."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from rivus.config import Jobs, Limit, load_job, load_jobs
from rivus.errors import BadConfig
from rivus.model.quantity import Rate

IN_DIGITS = " (or write it in plain digits: 10 or -0.5)"

DML = """\
title: Dumb Money
discover:
  strategy: youtube_channel
  channel: UC123
  limit: youtube
  every: 1h
  max_backlog: 500
stages:
  fetch:
    handler: youtube.captions
    limit: youtube
    timeout: 2min
    retry: [2min, 1h]
  extract: {command: [./extract, --fast], expect: {required: [text], min_length: {text: 200}, forbidden: [Log in]}}
  score: {handler: llm.score, needs: [fetch, extract], limit: llm, with: {prompt: prompts/score.md, top: 3}}
allow_private_hosts: [127.0.0.1, 10.0.0.0/8, nas.local, "::1"]
columns: {title: data.title}
"""
LIMITS = "youtube: {slots: 4, rate: 250/h, burst: 10}\nllm: {slots: 1}\n"
GOOD = "stages: {fetch: {handler: a.b}}\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def said(jobs: Jobs) -> list[str]:
    return [str(problem).removeprefix(f"{Path(problem.file).parent}/") for problem in jobs.problems]


def test_a_job_is_what_its_file_says(tmp_path: Path) -> None:
    jobs = load_jobs(write(tmp_path, dml=DML, limits=LIMITS))
    assert said(jobs) == []
    job = jobs.jobs["dml"]
    assert (job.name, job.title, job.enabled) == ("dml", "Dumb Money", True)
    assert job.digest == hashlib.sha256(DML.encode()).hexdigest()
    assert (job.folder, job.file) == (tmp_path, tmp_path / "dml.yaml")
    assert job.columns == {"title": "data.title"}
    assert job.allow_private_hosts == ["127.0.0.1", "10.0.0.0/8", "nas.local", "::1"]
    assert job.marks["stages", "score", "with"] == (15, 68)


def test_a_sources_parameters_stand_beside_its_strategy(tmp_path: Path) -> None:
    discover = load_job(write(tmp_path, dml=DML, limits=LIMITS), "dml").discover
    assert discover is not None
    assert (discover.strategy, discover.limit, discover.every) == ("youtube_channel", "youtube", 3600.0)
    assert (discover.calendar, discover.max_backlog, discover.on_change) == (None, 500, "ignore")
    assert discover.params == {"channel": "UC123"}


def test_a_stage_is_what_its_file_says(tmp_path: Path) -> None:
    stages = load_job(write(tmp_path, dml=DML, limits=LIMITS), "dml").stages
    fetch, extract, score = stages.values()
    assert (fetch.name, fetch.handler, fetch.limit) == ("fetch", "youtube.captions", "youtube")
    assert (fetch.timeout, fetch.retry) == (120.0, [120.0, 3600.0])
    assert extract.command == ["./extract", "--fast"]
    assert extract.expect.required == ["text"]
    assert extract.expect.min_length == {"text": 200}
    assert extract.expect.forbidden == ["Log in"]
    assert score.with_ == {"prompt": "prompts/score.md", "top": 3}


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    job = load_job(write(tmp_path, a=GOOD), "a")
    stage = job.stages["fetch"]
    assert (job.title, job.enabled, job.discover, job.limits) == ("a", True, None, {})
    assert (stage.concurrency, stage.timeout, stage.interruptions) == (4, 300.0, 3)
    assert stage.retry == [60.0, 600.0, 3600.0]
    assert (stage.needs, stage.limit, stage.with_) == ([], None, {})


def test_a_stage_needs_the_one_above_it(tmp_path: Path) -> None:
    text = "stages: {a: {handler: x.y}, b: {handler: x.y}, c: {handler: x.y, needs: []}, d: {handler: x.y}}"
    job = load_job(write(tmp_path, j=text), "j")
    assert [stage.needs for stage in job.stages.values()] == [[], ["a"], [], ["c"]]


def test_a_list_of_stages_is_a_chain_of_handlers_in_the_jobs_own_module(tmp_path: Path) -> None:
    job = load_job(write(tmp_path, dml="stages: [fetch, extract, score]"), "dml")
    assert [stage.handler for stage in job.stages.values()] == ["dml.fetch", "dml.extract", "dml.score"]
    assert [stage.needs for stage in job.stages.values()] == [[], ["fetch"], ["extract"]]
    assert job.marks["stages", "extract"] == (1, 17)


def test_limits_are_read_once_for_all_jobs(tmp_path: Path) -> None:
    jobs = load_jobs(write(tmp_path, dml=DML, limits=LIMITS))
    assert jobs.limits == {"youtube": Limit(slots=4, rate=Rate(250, 3600), burst=10), "llm": Limit(slots=1)}
    assert jobs.jobs["dml"].limits == jobs.limits
    assert set(jobs.jobs) == {"dml"}


def test_all_mistakes_of_a_file_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    text = """\
titel: X
enabled: no
discover: {strategy: s, every: 5 minutes, limit: yuotube}
stages:
  fetch: {handler: a.b, needs: [scor], concurrency: 65}
  score: {handler: x.y, comand: [a], retry: [1min, 5], timeout: 0s}
  score: {}
"""
    jobs = load_jobs(write(tmp_path, bad=text, limits=LIMITS))
    assert said(jobs) == [
        "bad.yaml:1:1: titel: unknown field, did you mean 'title'?",
        "bad.yaml:2:10: enabled: 'no' can be read as a truth value: quote it (or write true or false)",
        "bad.yaml:3:25: discover.every: '5 minutes' is not a duration such as 90s, 5min, 1h or 2d",
        "bad.yaml:3:43: discover.limit: unknown limit 'yuotube', did you mean 'youtube'?",
        "bad.yaml:5:33: stages.fetch.needs[0]: unknown stage 'scor', did you mean 'score'?",
        "bad.yaml:5:40: stages.fetch.concurrency: expected a whole number <= 64",
        "bad.yaml:6:25: stages.score.comand: unknown field, did you mean 'command'?",
        "bad.yaml:6:52: stages.score.retry[1]: expected text such as 90s, 5min or 1h, got a number",
        "bad.yaml:6:56: stages.score.timeout: expected a duration in seconds > 0.0",
        "bad.yaml:7:3: stages.score: a duplicate key (first in line 6)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: the file is empty"),
        ("- a\n", "1:1: expected a mapping, got a list"),
        ("title: x\n", "1:1: missing field 'stages'"),
        ("stages: {}\n", "1:1: stages: needs at least one stage"),
        ("stages: []\n", "1:1: stages: needs at least one stage"),
        ("stages: fetch\n", "1:1: stages: expected a mapping or a list of names"),
        ("stages: [a, a]\n", "1:13: stages[1]: a duplicate stage 'a'"),
        ("stages: [a, 5]\n", "1:13: stages[1]: expected the name of a stage"),
        ("stages:\n  a:\n", "2:3: stages.a: expected a mapping, got nothing"),
        ("stages: {a: {}}\n", "1:10: stages.a: needs a handler or a command"),
        ("stages: {a: {name: b, handler: x.y}}", "1:14: stages.a.name: unknown field"),
        ("stages: {a: {handler: x.y, fan_out: [a]}}", "1:28: stages.a.fan_out: unknown field"),
        ("stages: {a: {handler: x.y, fan_in: {usd: 1}}}", "1:28: stages.a.fan_in: unknown field"),
        (GOOD + "name: x\n", "2:1: name: unknown field"),
        (GOOD + "sha: x\n", "2:1: sha: unknown field"),
        (GOOD + "discover: {}\n", "2:1: discover: missing field 'strategy'"),
        (GOOD + "discover: [a]\n", "2:1: discover: expected a mapping, got a list"),
        (GOOD + "discover: {strategy: s, max_backlog: 0}\n",
         "2:25: discover.max_backlog: expected a whole number >= 1"),
        (GOOD + "discover: {strategy: s, max_new: 0}\n",
         "2:25: discover.max_new: expected a whole number >= 1"),
        (GOOD + "budget: {}\n", "2:1: budget: needs usd, calls, or both"),
        (GOOD + "budget: {usd: .inf}\n",
         f"2:15: budget.usd: '.inf' can be read as a number: quote it{IN_DIGITS}"),
        (GOOD + "budget: {usd: 1e400}\n",
         f"2:15: budget.usd: '1e400' can be read as a number: quote it{IN_DIGITS}"),
        (GOOD + "budget: {usd: -1}\n", "2:10: budget.usd: expected a number >= 0.0"),
        (GOOD + "budget: {calls: 1.5}\n", "2:10: budget.calls: expected a whole number, got a number"),
        (GOOD + "budget: {calls: 1, per: week}\n", "2:20: budget.per: 'week' is not one of 'day'"),
        (GOOD + "max_unknown: 0\n", "2:1: max_unknown: expected a whole number >= 1"),
        ("stages: {a: {handler: x.y, budget: {per: day}}}", "1:28: stages.a.budget: needs usd, calls, or both"),
        (GOOD + "discover: {strategy: s, on_change: rerum}\n",
         "2:25: discover.on_change: 'rerum' is not one of 'ignore', 'update', 'rerun', did you mean 'rerun'?"),
        (GOOD + "stage: {}\n", "2:1: stage: unknown field, did you mean 'stages'?"),
        (GOOD + "stages: {}\n", "2:1: stages: a duplicate key (first in line 1)"),
        (GOOD + "discover: {strategy: s, limit: x}\n",
         "2:25: discover.limit: unknown limit 'x'; there is no limits.yaml"),
    ],
)  # fmt: skip
def test_a_mistake_disables_the_job_and_has_a_place(text: str, problem: str, tmp_path: Path) -> None:
    jobs = load_jobs(write(tmp_path, a=text))
    assert said(jobs) == [f"a.yaml:{problem}"]
    assert (jobs.jobs, jobs.broken) == ({}, {"a"})
    with pytest.raises(BadConfig) as raised:
        load_job(tmp_path, "a")
    assert str(raised.value).endswith(problem)


def test_a_broken_file_disables_its_own_job_only(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(tmp_path / "fifo.yaml")
    jobs = load_jobs(write(tmp_path, good=GOOD, syntax="a: [", empty=""))
    assert set(jobs.jobs) == {"good"}
    assert jobs.broken == {"bytes", "fifo", "syntax", "empty"}
    assert len(jobs.problems) == 4


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: {}\n", "1:1: a: needs slots, a rate, or both"),
        ("a: {slots: 0}\n", "1:5: a.slots: expected a whole number >= 1"),
        ("a: {rate: fast}\n", "1:5: a.rate: 'fast' is not a rate such as 250/h, 10/min or 1/10s"),
        ("a: {slots: 1, brust: 2}\n", "1:15: a.brust: unknown field, did you mean 'burst'?"),
        ("A-b: {slots: 1}\n", "1:1: A-b: 'A-b' cannot be a name: a-z, then a-z, 0-9 and _, at most 64 characters"),
        ("a: 5\n", "1:1: a: expected a mapping, got a number"),
        ("- a\n", "1:1: expected a mapping, got a list"),
        ("a: [\n", "2:1: not YAML: did not find expected node content"),
    ],
)  # fmt: skip
def test_broken_limits_break_every_job_that_names_one(text: str, problem: str, tmp_path: Path) -> None:
    limited = "stages: {fetch: {handler: a.b, limit: a}}"
    jobs = load_jobs(write(tmp_path, good=GOOD, limited=limited, limits=text))
    place = "limited.yaml:1:32: stages.fetch.limit"
    assert said(jobs) == [
        f"{place}: unknown limit 'a': limits.yaml is broken, so no limit is known",
        f"limits.yaml:{problem}",
    ]
    assert (set(jobs.jobs), jobs.broken, jobs.limits) == ({"good"}, {"limited"}, {})
    assert load_job(tmp_path, "good").name == "good"
    with pytest.raises(BadConfig, match=f"(?s)is broken.*limits.yaml:{problem.partition(' ')[0]}"):
        load_job(tmp_path, "limited")


def test_empty_limits_are_no_limits(tmp_path: Path) -> None:
    jobs = load_jobs(write(tmp_path, good=GOOD, limits="# none yet\n"))
    assert (said(jobs), set(jobs.jobs), jobs.limits) == ([], {"good"}, {})


def test_an_unsafe_file_name_is_reported(tmp_path: Path) -> None:
    jobs = load_jobs(write(tmp_path, **{"My-Job": GOOD, "evil\n\x1b": GOOD}))
    assert jobs.jobs == {}
    assert jobs.broken == {"My-Job"}
    assert "'My-Job' cannot be a name" in said(jobs)[1]
    assert all(line.isprintable() for line in said(jobs))


def test_a_file_that_ends_in_yml_is_reported_and_others_are_passed_over(tmp_path: Path) -> None:
    for name in ("dml.yml", ".dml.yaml", "dml.yaml~", "README.md", "dml.py"):
        (tmp_path / name).write_text(GOOD)
    jobs = load_jobs(tmp_path)
    assert said(jobs) == ["dml.yml:1:1: not read: rename it to end in .yaml"]
    assert (jobs.jobs, jobs.broken) == ({}, set())


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", write(tmp_path, a=GOOD) / "a.yaml"):
        with pytest.raises(BadConfig, match="the folder of jobs cannot be read"):
            load_jobs(folder)
        with pytest.raises(BadConfig, match="the folder of jobs cannot be read"):
            load_job(folder, "a")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dmi", "no job 'dmi' in .*, did you mean 'dml'?"),
        ("../dml", "no job '../dml'"),
        ("limits", "no job 'limits'"),
        ("", "no job ''"),
        ("a/b", "no job 'a/b'"),
    ],
)
def test_an_unknown_job_is_an_error(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=message):
        load_job(write(tmp_path, dml=DML, limits=LIMITS), name)


def test_one_job_is_loaded_without_reading_the_others(tmp_path: Path) -> None:
    assert load_job(write(tmp_path, good=GOOD, bad="a: ["), "good").name == "good"


def test_drafts_hold_what_could_be_read_of_a_broken_job(tmp_path: Path) -> None:
    jobs = load_jobs(write(tmp_path, bad="enabled: 5\n" + GOOD))
    assert jobs.jobs == {}
    assert jobs.drafts["bad"].stages["fetch"].handler == "a.b"


def test_a_small_job_is_loaded_in_less_than_5_milliseconds(tmp_path: Path) -> None:
    write(tmp_path, dml=DML, limits=LIMITS)
    seconds = []
    for _ in range(20):
        begin = time.perf_counter()
        load_job(tmp_path, "dml")
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.005
