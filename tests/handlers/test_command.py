from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rivus.handlers.command import CommandFailed, run_command
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a Python program, given as text, or an argument list."""

    def call(program: str | list[str], item: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
        argv = program if isinstance(program, list) else [sys.executable, "-c", program]
        return run_command(argv, item or {}, **{"timeout": 20, "cwd": tmp_path, "env": {}, **given})

    return call


def test_the_item_goes_in_and_the_object_comes_out(run: Run) -> None:
    output = run("import json, sys; print(json.dumps({'got': json.load(sys.stdin)}))", {"title": "Größe \u2028"})
    assert output == {"got": {"title": "Größe \u2028"}}


@pytest.mark.parametrize(
    ("code", "outcome"), [(65, ItemFailed), (69, RetryLater), (75, RetryLater), (77, Halt), (78, Halt)]
)
def test_an_exit_code_of_sysexits_is_an_outcome_with_the_last_line_as_its_reason(
    run: Run, code: int, outcome: type[Outcome]
) -> None:
    with pytest.raises(outcome, match=r"^the reason$"):
        run(f"import sys; print('talk\\nthe reason\\n', file=sys.stderr); sys.exit({code})")
    with pytest.raises(outcome, match=f"ended with {code}"):
        run(f"raise SystemExit({code})")


def test_any_other_end_is_a_failure_with_the_end_of_what_it_said(run: Run) -> None:
    with pytest.raises(CommandFailed, match="ended with 3\nwhy\nso") as failed:
        run("import sys; print('why\\nso', file=sys.stderr); sys.exit(3)")
    assert (failed.value.code, failed.value.tail) == (3, "why\nso")
    with pytest.raises(CommandFailed, match="killed by signal 11") as failed:
        run("import os; os.kill(os.getpid(), 11)")
    assert failed.value.code == -11


@pytest.mark.parametrize(
    ("output", "reason"),
    [("", "not JSON"), ("[1]", "not a JSON object"), ("null", "not a JSON object"), ("{} {}", "not JSON"),
     ('{"a": NaN}', "NaN is not JSON"), ('{"a": -Infinity}', "-Infinity"), ('{"a": 1e999}', "beyond a 64-bit float"),
     ('{"a": "\xff"}', "not UTF-8"), ("[" * 100_000, "nested deeper"), ('{"a": "\\ud800"}', "surrogate")],
)  # fmt: skip
def test_output_that_is_no_json_object_is_a_failure(run: Run, tmp_path: Path, output: str, reason: str) -> None:
    (tmp_path / "out").write_bytes(output.encode("latin-1"))
    with pytest.raises(CommandFailed, match=reason):
        run(["cat", "out"])


def test_output_above_the_cap_is_a_failure_and_ends_the_program(run: Run) -> None:
    with pytest.raises(CommandFailed, match="more than 16 MiB"):
        run(["cat", "/dev/zero"])


def test_a_program_that_cannot_be_started_halts_the_job(run: Run) -> None:
    with pytest.raises(Halt, match=r"^no-such-program cannot be started: No such file"):
        run(["no-such-program"])


def test_a_program_over_its_time_is_a_timeout_with_its_last_words(run: Run) -> None:
    with pytest.raises(TimeoutError, match=r"killed after 0\.5 s: last words"):
        run(["sh", "-c", "echo last words >&2; sleep 600"], timeout=0.5)


def test_the_environment_that_is_given_arrives(run: Run) -> None:
    assert run(["sh", "-c", 'echo "{\\"job\\": \\"$RIVUS_JOB\\"}"'], env={"RIVUS_JOB": "dml"}) == {"job": "dml"}
