"""Runs any program as a handler: the item as JSON on stdin, its output as a JSON object on stdout.

    exit code   0      done: the object on stdout is the output
                69, 75 the world is at fault: RetryLater
                65     this item is at fault: ItemFailed
                77, 78 the job is broken: Halt (also for a program that cannot be started)
                other  CommandFailed

What else holds for it is said in `rivus.programs`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rivus.model.document import parse_object
from rivus.model.outcome import Json
from rivus.programs import MAX_OUTPUT, OUTCOMES, Program


class CommandFailed(Exception):
    """A program ended in a way that says nothing about whose fault it is, or gave what is no output.

    code: its exit code, minus the number of the signal that killed it. tail: the end of its stderr, without secrets.
    """

    def __init__(self, reason: str, code: int, tail: str) -> None:
        super().__init__(f"{reason}\n{tail}" if tail else reason)
        self.code = code
        self.tail = tail


def run_command(
    argv: Sequence[str],
    item: Json,
    *,
    timeout: float,
    cwd: Path,
    env: Mapping[str, str],
    hold_fds: Sequence[int] = (),
) -> Json:
    """The output of the program `argv` for `item`. Blocks the calling thread.

    timeout: seconds. The others: as for `rivus.programs.Program`.
    Raises the outcome of its exit code, CommandFailed, or TimeoutError when it had to be killed.
    """
    question = json.dumps(item, ensure_ascii=False).encode(errors="replace") + b"\n"
    with Program(argv, cwd=cwd, env=env, question=question, hold_fds=hold_fds) as program:
        output = program.output(timeout)
    code = program.code
    if len(output) > MAX_OUTPUT:
        raise CommandFailed(f"{argv[0]} wrote more than {MAX_OUTPUT // 2**20} MiB of output", code, program.tail)
    if code in OUTCOMES:
        raise OUTCOMES[code](program.last_line or f"{argv[0]} ended with {code}")
    if code:
        how = f"ended with {code}" if code > 0 else f"was killed by signal {-code}"
        raise CommandFailed(f"{argv[0]} {how}", code, program.tail)
    try:
        return parse_object(output)
    except ValueError as error:
        raise CommandFailed(f"{argv[0]} gave no output: {error}", code, program.tail) from None
