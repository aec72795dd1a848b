"""The strategy `command`: any program that prints JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from rivus.model.context import Found, Look
from rivus.model.document import parse_object
from rivus.model.outcome import Halt, Outcome, RetryLater
from rivus.programs import LONGEST_LINE, OUTCOMES, Program
from rivus.sources.keys import key_of, one_line

_NOT_RUN = (126, 127)
"""What a shell ends with when a program cannot be run (POSIX)."""
_LONGEST_REASON = 2_000


def command(look: Look, *, command: list[str], timeout: Annotated[float, "seconds"] = 300.0) -> Iterator[Found]:
    """What a program prints: one JSON object a line, with `key`, `id` or `url` as its key.

        discover: {strategy: command, command: [./find-papers, --since, 2d], timeout: 5min, every: 1h}

    command: the program and its arguments; relative paths start at jobs.d. No shell reads them. Of the environment
             it gets PATH, HOME, LANG and TZ.
    timeout: how long the program may run before it is killed.

    The data is the object without `key`. Exit code 0 is good; 77 and 78 (and 126, 127) raise Halt, any other and the
    timeout RetryLater. What it leaves running ends with it. A line that is no such object is logged and skipped, and
    RetryLater is raised at the end.
    """
    bad: list[str] = []
    try:
        with Program(command, cwd=look.folder) as program:
            for number, line in enumerate(program.lines(timeout), 1):
                found = _found(line) if line.strip() else None
                if isinstance(found, str):
                    bad.append(f"line {number}: {found}")
                    look.log.warning("%s, %s", command[0], bad[-1])
                elif found is not None:
                    yield found
    except TimeoutError as error:
        raise RetryLater(str(error)) from None
    if program.code:
        raise _outcome(program.code, f"{command[0]} ended with {program.code}", program.tail)
    if bad:
        raise RetryLater(f"{command[0]} printed {len(bad)} lines that are no items, the first: {bad[0]}")


def _outcome(code: int, end: str, said: str) -> Outcome:
    reason = f"{end}: {one_line(said)[-_LONGEST_REASON:] or 'nothing on stderr'}"
    return Halt(reason) if code in _NOT_RUN or OUTCOMES.get(code) is Halt else RetryLater(reason)


def _found(line: bytes) -> Found | str:
    """The item on a line, or what is wrong with it."""
    if len(line) > LONGEST_LINE:
        return f"longer than {LONGEST_LINE:,} bytes"
    try:
        item = parse_object(line)
    except ValueError as error:
        return str(error)
    key = next((_key(item[name]) for name in ("key", "id", "url") if _key(item.get(name))), None)
    if key is None:
        return "without key, id or url"
    return Found(key, {name: value for name, value in item.items() if name != "key"})


def _key(value: Any) -> str:
    """A key from a text or a whole number; "" for anything else."""
    fit = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    return key_of(str(value)) if fit else ""
