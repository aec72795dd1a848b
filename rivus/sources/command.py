"""The strategy `command`: any program that prints JSON Lines.

The program runs without a shell in a process group of its own, which ends with the look, its timeout, or (through
setpriv, where the system has it) the death of this process.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Annotated, Any

from rivus import secrets
from rivus.model.context import Found, Look
from rivus.model.outcome import Halt, RetryLater
from rivus.sources.keys import key_of, one_line
from rivus.sources.program import LONGEST_LINE, Ended, TooLong, run_lines

_BROKEN = (77, 78, 126, 127)
"""Exit codes for a missing right, a configuration error (sysexits.h) and a program that cannot be run (POSIX)."""


def command(look: Look, *, command: list[str], timeout: Annotated[float, "seconds"] = 300.0) -> Iterator[Found]:
    """What a program prints: one JSON object a line, with `key`, `id` or `url` as its key.

        discover: {strategy: command, command: [./find-papers, --since, 2d], timeout: 5min, every: 1h}

    command: the program and its arguments; relative paths start at jobs.d. No shell reads them.
    timeout: how long the program may run before it is killed.

    The data is the object without `key`. Exit code 0 is good; 77 and 78 (and 126, 127) raise Halt, any other and the
    timeout RetryLater. A line that is no such object is logged and skipped, and RetryLater is raised at the end.
    """
    bad: list[str] = []
    try:
        for number, line in enumerate(run_lines(_argv(look, command), look.folder, timeout), 1):
            found = _found(line) if line.strip() else None
            if isinstance(found, str):
                bad.append(f"line {number}: {found}")
                look.log.warning("%s, %s", command[0], bad[-1])
            elif found is not None:
                yield found
    except Ended as end:
        reason = secrets.scrub(f"{command[0]} ended with {end.code}: {one_line(end.tail) or 'nothing on stderr'}")
        raise Halt(reason) if end.code in _BROKEN else RetryLater(reason) from None
    except TooLong:
        raise RetryLater(f"{command[0]} was killed after {timeout:g} s") from None
    if bad:
        raise RetryLater(f"{command[0]} printed {len(bad)} lines that are no items, the first: {bad[0]}")


def _argv(look: Look, command: list[str]) -> list[str]:
    if not command or not all(command[:1]) or any("\0" in word for word in command):
        raise Halt("command: the name of a program and its arguments are needed")
    name = str(look.folder / command[0]) if "/" in command[0] else command[0]
    program = shutil.which(name)
    if program is None:
        raise Halt(f"command: no program {command[0]!r} that can be run")
    return [program, *command[1:]]


def _found(line: bytes) -> Found | str:
    """The item on a line, or what is wrong with it."""
    if len(line) > LONGEST_LINE:
        return f"longer than {LONGEST_LINE:,} bytes"
    try:
        item = json.loads(line.decode("utf-8"), parse_constant=_refuse)
        # Half a surrogate pair can be written in JSON but not in a file.
        json.dumps(item, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        return f"not JSON ({one_line(error, 100)})"
    if not isinstance(item, dict):
        return "not a JSON object"
    key = next((_key(item[name]) for name in ("key", "id", "url") if _key(item.get(name))), None)
    if key is None:
        return "without key, id or url"
    return Found(key, {name: value for name, value in item.items() if name != "key"})


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number in JSON")


def _key(value: Any) -> str:
    """A key from a text or a whole number; "" for anything else."""
    fit = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    return key_of(str(value)) if fit else ""
