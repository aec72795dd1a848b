"""The items a command is asked for: `JOB/KEY` arguments, or JSON Lines on standard input."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from rivus.errors import BadInput
from rivus.model.item import check_key, dropped_ticket
from rivus.model.outcome import Json
from rivus.talk import say


@dataclass(frozen=True, slots=True)
class Asked:
    """One item asked for. line: the whole object if it came on standard input, else {}."""

    job: str
    key: str
    line: Json


class Lines:
    """The objects on a stream of JSON Lines. bad: how many lines were not objects; each is reported when it comes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.bad = 0

    def __iter__(self) -> Iterator[Json]:
        import jsonlines

        from rivus.model.document import parse_object

        reader = jsonlines.Reader(self._stream, loads=lambda line: parse_object(_bytes(line)))
        while True:
            try:
                yield reader.read(type=dict, skip_empty=True)
            except EOFError:
                return
            except jsonlines.InvalidLineError as error:
                self.refuse(f"line {error.lineno}", str(error.__cause__ or error))

    def refuse(self, what: str, why: str) -> None:
        self.bad += 1
        say(f"stdin: {what}: {why}")

    def asked(self, only: str | None = None) -> Iterator[Asked]:
        """What the lines ask for. A line without a job is an item of the job `only`, as a dropped file would be."""
        for line in self:
            try:
                yield self._one(line, only)
            except ValueError as error:
                self.refuse(str(line)[:80], str(error))

    @staticmethod
    def _one(line: Json, only: str | None) -> Asked:
        job = line.get("job", only)
        if not isinstance(job, str):
            raise ValueError("names no job")
        if "job" in line:
            return Asked(job, check_key(line.get("key")), line)
        ticket = dropped_ticket(line, job, "", {})
        return Asked(job, ticket.key, ticket.public())


def _bytes(line: str | bytes) -> bytes:
    return line.encode() if isinstance(line, str) else line


def parse_address(text: str) -> Asked:
    """`JOB/KEY`. Raises BadInput."""
    job, slash, key = text.partition("/")
    try:
        if not slash:
            raise ValueError("is not JOB/KEY")
        return Asked(job, check_key(key), {})
    except ValueError as error:
        raise BadInput(f"{text}: {error}") from None


def stdin_lines(no_stdin: bool) -> Lines | None:
    """Standard input if items may come on it: a pipe, a socket or a file. None for a terminal, /dev/null, a closed
    descriptor, or if the caller says so."""
    if no_stdin or sys.stdin is None:
        return None
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    return Lines(sys.stdin.buffer) if stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode) else None


def asked_for(addresses: Sequence[str], lines: Lines | None, only: str | None = None) -> Iterator[Asked] | None:
    """What was asked for: the arguments, else the lines, else None for everything. only: see `Lines.asked`."""
    if addresses:
        return iter([parse_address(text) for text in addresses])
    return lines.asked(only) if lines is not None else None
