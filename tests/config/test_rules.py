"""What concerns more than one field: names, the graph, what excludes what, hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivus.config import load_job, load_jobs
from rivus.config.rules import name_fault


def problems(folder: Path, text: str) -> list[str]:
    (folder / "a.yaml").write_text(text)
    return [str(problem).partition("a.yaml:")[2] for problem in load_jobs(folder).problems]


@pytest.mark.parametrize("name", ["a", "fetch_2", "x" * 64])
def test_a_good_name(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize("name", ["", "A", "2a", "_a", "a-b", "a.b", "a/b", "é", "a\n", "x" * 65])
def test_a_name_that_cannot_be_a_directory_or_unit(name: str) -> None:
    assert "cannot be a name" in name_fault(name)


def test_an_unsafe_name_of_a_stage_is_reported(tmp_path: Path) -> None:
    assert problems(tmp_path, "stages: {Fetch: {handler: a.b}}") == [
        "1:10: stages.Fetch: 'Fetch' cannot be a name: a-z, then a-z, 0-9 and _, at most 64 characters"
    ]


@pytest.mark.parametrize("name", ["discover", "files"])
def test_a_stage_cannot_have_a_name_that_the_spool_uses(name: str, tmp_path: Path) -> None:
    assert problems(tmp_path, f"stages: [{name}]") == [
        f"1:10: stages.{name}: '{name}' is a name the spool uses itself"
    ]


def test_a_handler_and_a_command_exclude_each_other(tmp_path: Path) -> None:
    assert problems(tmp_path, "stages: {a: {handler: a.b, command: [c]}}") == [
        "1:28: stages.a.command: handler and command exclude each other"
    ]


@pytest.mark.parametrize(
    ("fields", "other"), [("command: [c]", "command"), ("handler: a.b, version: '2'", "version")]
)
def test_auto_bless_is_for_stages_whose_code_can_be_read(fields: str, other: str, tmp_path: Path) -> None:
    (found,) = problems(tmp_path, f"stages: {{a: {{{fields}, auto_bless: cosmetic}}}}")
    assert f"stages.a.auto_bless: has a meaning only without {other}" in found


def test_every_and_calendar_exclude_each_other(tmp_path: Path) -> None:
    text = "stages: [a]\ndiscover: {strategy: s, every: 1h, calendar: daily}"
    assert problems(tmp_path, text) == ["2:36: discover.calendar: every and calendar exclude each other"]


@pytest.mark.parametrize("schedule", ["every: 1h", "calendar: daily", "x: 1"])
def test_one_schedule_or_none_is_fine(schedule: str, tmp_path: Path) -> None:
    assert problems(tmp_path, f"stages: [a]\ndiscover: {{strategy: s, {schedule}}}") == []


def test_an_unknown_stage_in_needs_is_reported(tmp_path: Path) -> None:
    assert problems(
        tmp_path, "stages:\n  fetch: {handler: a.b}\n  score: {handler: a.b, needs: [fetch, fetsh]}"
    ) == ["3:40: stages.score.needs[1]: unknown stage 'fetsh', did you mean 'fetch'?"]


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ("[{children: 'p:x'}]", "stages.b.needs: awaits children, so it must also need the stage that emits them"),
        ("[a, {children: 'my_job:aa'}]", "stages.b.needs[1].children: unknown stage 'aa', did you mean 'a'?"),
        ("[a, {children: 'p:x'}, {children: 'p:y'}]", "stages.b.needs: awaits the children in p twice"),
        ("[a, {children: pages}]", "stages.b.needs[1].children: expected text such as pages:score"),
        ("[a, {childs: 'p:x'}]", "stages.b.needs[1].childs: unknown field, did you mean 'children'?"),
    ],
)
def test_what_a_stage_awaits_of_children_must_make_sense(needs: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "my_job.yaml").write_text(f"stages:\n  a: {{handler: x.y}}\n  b: {{handler: x.y, needs: {needs}}}")
    found = [str(problem) for problem in load_jobs(tmp_path).problems]
    assert any(problem.partition(" ")[2].startswith(said) for problem in found), found
    assert all(problem.startswith(f"{tmp_path}/my_job.yaml:3:") for problem in found)


def test_a_stage_may_await_children_of_its_own_job_and_of_another(tmp_path: Path) -> None:
    (tmp_path / "j.yaml").write_text(
        "stages: {a: {handler: x.y}, b: {handler: x.y, needs: [{children: 'j:b'}, a, {children: 'p:x'}]}}"
    )
    plan = load_job(tmp_path, "j").plan
    assert (plan.needs, plan.children) == ({"a": (), "b": ("a",)}, {"b": (("j", "b"), ("p", "x"))})


def test_a_stage_that_needs_itself_is_reported(tmp_path: Path) -> None:
    assert problems(tmp_path, "stages: {a: {handler: a.b, needs: [a]}}") == [
        "1:28: stages.a.needs: needs go round in a circle: a < a"
    ]


def test_every_circle_is_reported(tmp_path: Path) -> None:
    text = """\
stages:
  a: {handler: x.y, needs: [c]}
  b: {handler: x.y}
  c: {handler: x.y}
  d: {handler: x.y, needs: [e]}
  e: {handler: x.y}
"""
    assert problems(tmp_path, text) == [
        "2:21: stages.a.needs: needs go round in a circle: a < b < c < a",
        "5:21: stages.d.needs: needs go round in a circle: d < e < d",
    ]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.0.0.0/8", "'::1'", "'fd00::/8'", "localhost", "nas.home-lan.local"]
)
def test_addresses_networks_and_host_names_can_be_allowed(host: str, tmp_path: Path) -> None:
    assert problems(tmp_path, f"stages: [a]\nallow_private_hosts: [{host}]") == []


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1/8", "300.0.0.1", "'*.local'", "'a b'", "http://a", "-a.b", "''", "'a:80'", "a..b", "0x7f.1"],
)
def test_anything_else_is_reported(host: str, tmp_path: Path) -> None:
    [problem] = problems(tmp_path, f"stages: [a]\nallow_private_hosts: [{host}]")
    assert problem.startswith("2:23: allow_private_hosts[0]: ")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("columns: {State: data.a}", "columns.State: 'State' cannot be a name"),
        ("columns: {state: data.a}", "columns.state: 'state' is a column that the index has already"),
        ("columns: {a_state: data.a}", "columns.a_state: 'a_state' is a column that the index has already"),
        ("columns: {x: other.a}", "columns.x: 'other.a' must begin with data., meta., a."),
        ("columns: {x: data}", "columns.x: 'data' must begin with data., meta., a."),
        ("columns: {t: data.t}\nsearch: [u]", "search[0]: 'u' is not one of the columns"),
    ],
)
def test_a_column_that_the_index_cannot_have_is_reported(line: str, fault: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f"stages: {{a: {{handler: x.y}}}}\n{line}")
    assert fault in problem
