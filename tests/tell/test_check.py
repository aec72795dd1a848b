"""All that can be known to be wrong before anything runs is told, with its place."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivus.errors import BadConfig
from rivus.tell.check import check

MODULE = """\
def look(look, *, channel: str, pages: int = 1):
    raise SystemExit("a check must not call this")

def fetch(item, ctx, *, top: int = 3):
    raise SystemExit("a check must not call this")

def score(item, ctx):
    raise SystemExit("a check must not call this")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "my.py").write_text(MODULE)
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "script").chmod(0o755)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def problems(folder: Path, text: str) -> list[str]:
    (folder / "a.yaml").write_text(text)
    return [str(problem).removeprefix(f"{folder}/a.yaml:") for problem in check(folder)]


def stage(text: str) -> str:
    return f"stages: {{a: {{{text}}}}}"


def test_a_sound_job_has_no_problem(folder: Path) -> None:
    text = """\
discover: {strategy: my.look, channel: UC1, pages: 2, calendar: "Mon..Fri 07:30 America/New_York"}
stages:
  fetch: {handler: my.fetch, with: {top: 5}}
  score: {handler: my.score, with: {anything: 1}}
  shell: {command: [sh, -c, "true"]}
  script: {command: [./script]}
"""
    assert problems(folder, text) == []


def test_what_reading_finds_and_what_checking_finds_come_together(folder: Path) -> None:
    text = """\
enabled: 5
discover: {strategy: my.lok, every: never}
stages:
  fetch: {handler: my.fetch, with: {top: many, tpo: 1}, limit: web}
  score: {command: [./tool], needs: [fetsh]}
"""
    found = problems(folder, text)
    assert [line.partition(": ")[0] for line in found] == [
        "1:1", "2:12", "2:30", "4:37", "4:48", "4:57", "5:11", "5:38",
    ]  # fmt: skip
    assert "did you mean 'my.look'?" in found[1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("handler: my.fetsh", "1:14: stages.a.handler: unknown handler 'my.fetsh': no such function in "),
        ("handler: none", "1:14: stages.a.handler: unknown handler 'none'"),
        (
            "handler: broken.fetch",
            "1:14: stages.a.handler: broken.fetch: its module fails to load: ZeroDivisionError",
        ),
        (
            "handler: my.fetch, with: {tpo: 1}",
            "1:40: stages.a.with.tpo: unknown parameter, did you mean 'top'?",
        ),
        ("handler: my.fetch, with: {top: x}", "1:40: stages.a.with.top: expected a whole number, got text"),
        ("handler: my.look, with: {pages: 2}", "1:32: stages.a.with: missing parameter 'channel'"),
        ("handler: my.look", "1:10: stages.a.with: missing parameter 'channel'"),
        ("command: [no-such-program]", "1:14: stages.a.command: no program 'no-such-program' on PATH"),
        ("command: [bin/none]", "1:14: stages.a.command: no file 'bin/none'"),
        ("command: [./tool]", "1:14: stages.a.command: './tool' is not executable"),
        ("command: [/]", "1:14: stages.a.command: no file '/'"),
    ],
)
def test_a_mistake_in_a_stage_has_its_place(text: str, problem: str, folder: Path) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    [found] = problems(folder, stage(text))
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("strategy: my.lok, channel: x", "1:12: discover.strategy: unknown source 'my.lok'"),
        ("strategy: my.look, chanel: x, channel: y",
         "1:31: discover.chanel: unknown parameter, did you mean 'channel'?"),
        ("strategy: my.look, channel: 5", "1:31: discover.channel: expected text, got a whole number: quote it"),
        ("strategy: my.look", "1:1: discover: missing parameter 'channel'"),
    ],
)  # fmt: skip
def test_a_mistake_in_discover_has_its_place(text: str, problem: str, folder: Path) -> None:
    [found] = problems(folder, f"discover: {{{text}}}\n{stage('handler: my.fetch')}")
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("handler: web.fields, with: {fields: {t: {selector: h1}}}",
         {"fields.t: missing field 'select'", "fields.t.selector: unknown field, did you mean 'select'?"}),
        ("handler: web.fields, with: {fields: {t: {select: h1, type: nummer}}}",
         {"fields.t.type: 'nummer' is not one of 'text', 'number', 'date', 'url', 'html', did you mean 'number'?"}),
        ("handler: score.rules, with: {rules: [{field: a, points: 1, patern: x}]}",
         {"rules[0].patern: unknown field, did you mean 'pattern'?"}),
        ("handler: score.rules, with: {rules: [{field: a, points: 1, each: 2}]}",
         {"rules[0].each: expected true or false, got a whole number"}),
    ],
)  # fmt: skip
def test_a_mistake_inside_a_parameter_of_a_stage_has_its_place(text: str, said: set[str], folder: Path) -> None:
    assert {one.partition("stages.a.with.")[2] for one in problems(folder, stage(text))} == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("json_api, url: 'https://example.org/a', paging: {by: page, sise: 3}",
         "paging.sise: unknown field, did you mean 'size'?"),
        ("json_api, url: 'https://example.org/a', paging: {by: pages}",
         "paging.by: 'pages' is not one of 'page', 'offset', 'cursor', 'link', did you mean 'page'?"),
        ("json_api, url: 'https://example.org/a', paging: {param: p}", "paging: missing field 'by'"),
        ("items, job: first, stage: score, where: {points: {least: 5}}",
         "where.points.least: unknown field: known are min, max, contains"),
    ],
)  # fmt: skip
def test_a_mistake_inside_a_parameter_of_discover_has_its_place(text: str, said: str, folder: Path) -> None:
    (folder / "first.yaml").write_text("stages: {score: {handler: my.fetch}}")
    [found] = problems(folder, f"discover: {{strategy: {text}}}\n{stage('handler: my.fetch')}")
    assert found.partition("discover.")[2] == said


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze, which this machine lacks"
)
@pytest.mark.parametrize("expression", ["sometimes", "25:00", "--help", "Mon..Fri 07:30 America/Nowhere"])
def test_a_bad_calendar_expression_has_its_place(expression: str, folder: Path) -> None:
    text = (
        f'discover: {{strategy: my.look, channel: x, calendar: "{expression}"}}\n{stage("handler: my.fetch")}'
    )
    [found] = problems(folder, text)
    assert found.startswith("1:43: discover.calendar: Failed to parse calendar specification")


def test_without_systemd_a_calendar_expression_is_not_checked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    text = f"discover: {{strategy: my.look, channel: x, calendar: sometimes}}\n{stage('handler: my.fetch')}"
    assert problems(folder, text) == []


def test_the_short_form_names_functions_of_the_jobs_own_module(folder: Path) -> None:
    (folder / "my.yaml").write_text("stages: [fetch, extract]")
    [found] = check(folder)
    assert str(found).startswith(
        f"{folder}/my.yaml:1:17: stages.extract.handler: unknown handler 'my.extract'"
    )


def test_a_stage_that_could_not_be_read_is_passed_over(folder: Path) -> None:
    found = problems(folder, "discover: 5\nstages: {a: 5, b: {handler: 5, with: 5}, c: {command: [5]}}")
    assert len(found) == 5


def test_children_must_be_awaited_in_a_stage_that_there_is(folder: Path) -> None:
    (folder / "pages.yaml").write_text("stages: {map: {handler: my.score}}")
    (folder / "broken.yaml").write_text("stages: 5")
    text = "stages:\n  a: {handler: my.fetch}\n  b: {handler: my.score, needs: [a, {children: 'JOB'}]}"
    said = {
        "pages:map": [],
        "pages:mpa": ["3:38: stages.b.needs[1].children: pages has no stage 'mpa', did you mean 'map'?"],
        "page:map": ["3:38: stages.b.needs[1].children: unknown job 'page', did you mean 'pages'?"],
        "broken:map": [],
    }
    for place, expected in said.items():
        found = problems(folder, text.replace("JOB", place))
        assert [one for one in found if "broken.yaml" not in one] == expected


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadConfig):
        check(tmp_path / "none")


def test_a_price_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("small: {input: 1}")
    assert [str(problem) for problem in check(tmp_path)] == [
        f"{tmp_path}/prices.yaml:1:1: small: missing field 'output'"
    ]


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ("job: frist, stage: score", ["1:29: discover.job: unknown job 'frist', did you mean 'first'?"]),
        ("job: first, stage: scroe", ["1:41: discover.stage: first has no stage 'scroe', did you mean 'score'?"]),
        ("job: a, stage: b", ["1:29: discover.job: a job cannot be its own source"]),
        ("job: 5, stage: b", ["1:29: discover.job: expected text, got a whole number: quote it"]),
        ("job: broken, stage: b", []),
        ("job: first, stage: score, where: {n: {min: 5}, m: [a, 1], o: true}", []),
        ("job: first, stage: score, where: {n: {min: [5]}}", ["1:67: discover.where.n.min: "]),
    ],
)
def test_the_job_and_stage_that_items_come_from_are_known(folder: Path, chain: str, said: list[str]) -> None:
    (folder / "first.yaml").write_text("stages: {score: {command: [cat]}}")
    (folder / "broken.yaml").write_text("stages: 5")
    found = problems(folder, f"discover: {{strategy: items, {chain}}}\nstages: {{b: {{command: [cat]}}}}")
    mine = [line for line in found if "broken.yaml" not in line]
    assert len(mine) == len(said) and all(line.startswith(start) for line, start in zip(mine, said, strict=True)), mine
