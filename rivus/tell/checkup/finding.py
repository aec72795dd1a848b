"""What a check-up has found, and the commands that mend it, as a person can paste them into bash."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from rivus.config.folders import jobs_folder, spool_folder
from rivus.spool.layout import Spool
from rivus.talk import plain


@dataclass(frozen=True, slots=True)
class Finding:
    """what: one line for a person. mend: the command that mends it, for bash, on one line. grave: work stands still, or
    something is or will be lost."""

    what: str
    mend: str
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Commands:
    """The mending commands for one spool and one jobs.d. options: what makes a command work on these."""

    spool: Spool
    options: str

    def rivus(self, verb: str, *words: str) -> str:
        """`rivus-VERB WORDS`."""
        return " ".join(part for part in (f"rivus-{verb}", self.options, *map(word, words)) if part)

    def aside(self, path: str, label: str) -> str:
        """Moves whatever is at `path` to `_rejected`, where nothing is lost and nobody stumbles over it."""
        return f"mv --backup=numbered -- {word(path)} {word(f'{self.spool.rejected}/{label}')}"


def commands(spool: Spool, jobs: Path) -> Commands:
    """The commands for this spool and this folder of jobs, with options only where the usual ones are others."""
    base = os.path.dirname(spool.limits)
    options = []
    if os.path.realpath(jobs_folder(None)) != os.path.realpath(jobs):
        options += ["--jobs", word(os.path.abspath(jobs))]
    if os.path.realpath(spool_folder(None)) != os.path.realpath(base):
        options += ["--spool", word(base)]
    if spool.root != base:
        options += ["--test"]
    return Commands(spool, " ".join(options))


def edit(file: str, line: int = 1) -> str:
    """Opens a file at a line in the person's editor."""
    return f"${{EDITOR:-vi}} +{line} {word(file)}"


def as_root(command: str) -> str:
    """`command` with the rights that it needs."""
    return command if os.geteuid() == 0 else f"sudo {command}"


def word(text: str) -> str:
    """`text` as one word for bash, printable and on one line whatever a file is called."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(_escaped(letter) for letter in text) + "'"


def one_line(text: object, most: int = 200) -> str:
    """Any text for a line of a finding."""
    line = " ".join(plain(str(text)).split())
    return line if len(line) <= most else f"{line[:most]}…"


def _escaped(letter: str) -> str:
    if letter.isascii() and (letter.isalnum() or letter in "/._-"):
        return letter
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))
