"""man/generate.py [--check]: writes the parts of the man pages that follow from the commands.

A page `rivus-NAME.1` is written by hand but for its regions

    .\\" generated: begin REGION
    .\\" generated: end

where REGION is synopsis, options, exit status (from `command` and `EXIT_CODES` of rivus.commands.NAME) or, in
rivus.1, commands (a list of all). With --check nothing is written; the pages that differ are named on stderr, and
the exit status is 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

import click

FOLDER = Path(__file__).resolve().parent
REGION = re.compile(
    r'(^\.\\" generated: begin ([a-z ]+)\n).*?(^\.\\" generated: end$)', re.MULTILINE | re.DOTALL
)


class Command(NamedTuple):
    """What a module of rivus.commands says about itself."""

    name: str
    click: click.Command
    exit_codes: Mapping[int, str]


def commands() -> dict[str, Command]:
    """Every command by its full name (`rivus-ls`): the modules of rivus.commands that have a `command`. rivus itself
    is none of them: it only finds them."""
    import rivus.commands

    found = {}
    for module in sorted(
        info.name for info in iter_modules(rivus.commands.__path__) if info.name not in ("__main__", "rivus")
    ):
        loaded = import_module(f"rivus.commands.{module}")
        if hasattr(loaded, "command"):
            found[f"rivus-{module}"] = Command(f"rivus-{module}", loaded.command, loaded.EXIT_CODES)
    return found


def escape(text: str) -> str:
    """`text` as roff that prints just that: one line of ASCII, without requests, with hyphens that can be copied."""
    line = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-")
    line = "".join(mark if mark.isascii() else rf"\[u{ord(mark):04X}]" for mark in line)
    return r"\&" + line if line[:1] in (".", "'") else line


def contexts(command: Command) -> list[click.Context]:
    """The command's context, or one for each of its subcommands if it is a group."""
    top = click.Context(command.click, info_name=command.name)
    if not isinstance(command.click, click.Group):
        return [top]
    inner = command.click.commands
    return [click.Context(inner[name], info_name=name, parent=top) for name in sorted(inner)]


def synopsis(command: Command) -> str:
    lines = [".SH SYNOPSIS", ".nf"]
    for context in contexts(command):
        pieces = (escape(piece) for piece in context.command.collect_usage_pieces(context))
        lines.append(rf"\fB{escape(context.command_path)}\fR {' '.join(pieces)}".rstrip())
    return "\n".join([*lines, ".fi", ""])


def options(command: Command) -> str:
    lines = [".SH OPTIONS"]
    for context in contexts(command):
        if context.parent:
            lines += [
                f".SS {escape(context.info_name or '')}",
                escape(context.command.get_short_help_str(300)),
            ]
        for param in context.command.get_params(context):
            record = param.get_help_record(context) if isinstance(param, click.Option) else None
            if record:
                lines += [".TP", rf"\fB{escape(record[0])}\fR", escape(record[1])]
    return "\n".join([*lines, ""])


def exit_status(command: Command) -> str:
    lines = [".SH EXIT STATUS"]
    for code, meaning in sorted(command.exit_codes.items()):
        lines += [".TP", rf"\fB{code}\fR", escape(meaning)]
    return "\n".join([*lines, ""])


def listing(known: Mapping[str, Command]) -> str:
    lines = [".SH COMMANDS"]
    for name, command in sorted(known.items()):
        lines += [".TP", rf"\fB{escape(name)}\fR(1)", escape(command.click.get_short_help_str(300))]
    return "\n".join([*lines, ""])


REGIONS: dict[str, Callable[[Command], str]] = {
    "synopsis": synopsis,
    "options": options,
    "exit status": exit_status,
}


def current(page: str, name: str, known: Mapping[str, Command]) -> str:
    """The text `page` of the command `name` with its regions as they should be."""

    def region(found: re.Match[str]) -> str:
        made = listing(known) if found[2] == "commands" else REGIONS[found[2]](known[name])
        return found[1] + made + found[3]

    return REGION.sub(region, page)


def main(arguments: list[str]) -> int:
    known, stale = commands(), []
    for file in sorted(FOLDER.glob("rivus*.1")):
        before = file.read_text("utf-8")
        after = current(before, file.stem, known)
        if before != after:
            stale.append(file.name)
            if "--check" not in arguments:
                file.write_text(after, "utf-8")
    if "--check" in arguments and stale:
        sys.stderr.write(f"Not current: {', '.join(stale)}. Run `make man`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent))
    sys.exit(main(sys.argv[1:]))
