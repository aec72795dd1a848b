"""A problem is one line that says where and what."""

from __future__ import annotations

from rivus.config.problem import Mark, Problem, Where, did_you_mean, dotted, problem_at, quoted


def test_a_problem_reads_like_a_compilers_message() -> None:
    assert (
        str(Problem("jobs.d/a.yaml", 3, 5, "stages.fetch", "wrong"))
        == "jobs.d/a.yaml:3:5: stages.fetch: wrong"
    )


def test_a_problem_of_the_whole_file_has_no_path() -> None:
    assert str(Problem("a.yaml", 1, 1, "", "wrong")) == "a.yaml:1:1: wrong"


def test_a_problem_stands_at_the_nearest_part_that_the_file_has() -> None:
    marks: dict[Where, Mark] = {(): (1, 1), ("a",): (2, 3)}
    assert problem_at("f", marks, (("a", "b", 0), "x")) == Problem("f", 2, 3, "a.b[0]", "x")
    assert problem_at("f", {}, ((), "x")) == Problem("f", 1, 1, "", "x")


def test_names_that_a_terminal_would_obey_are_escaped() -> None:
    assert dotted(("a", "b c", 1, "\x1b[2J\n")) == "a.'b c'[1].'\\x1b[2J\\n'"


def test_long_text_is_cut() -> None:
    assert len(quoted("x" * 10_000)) < 310


def test_a_near_name_is_offered_and_a_far_one_is_not() -> None:
    assert did_you_mean("fetsh", ["fetch", "score"]) == ", did you mean 'fetch'?"
    assert did_you_mean("zzz", ["fetch", "score"]) == ""
