"""man/generate.py [--check]: writes the parts of the man pages that follow from the code.

A page is written by hand but for its regions

    .\\" generated: begin REGION
    .\\" generated: end

where REGION is, in `rivus-NAME.1`, synopsis, options, exit status (from `command` and `EXIT_CODES` of
rivus.commands.NAME); in any page commands (a list of all), sources or handlers (all about each), or `fields NAME` (a
table of what a mapping in jobs.d may hold, from rivus.config). With --check nothing is written; the pages that differ
are named on stderr, and the exit status is 1.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from msgspec import Struct
    from msgspec.structs import FieldInfo

    from rivus.plugins import Kind
    from rivus.tell.catalogue import Entry

FOLDER = Path(__file__).resolve().parent
NOWHERE = FOLDER / "jobs.d"
"""No folder: what the jobs of this machine name is not listed."""
CLASSES = {"Rate": "rate"}
"""What a class is in YAML, where it is no mapping."""
SUPPLIED = {"needs": "the stage above"}
"""Defaults that reading a file supplies."""
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
    return verbatim(" ".join(text.split()))


def verbatim(line: str) -> str:
    """The same with all its spaces."""
    line = line.replace("\\", r"\e").replace("-", r"\-")
    line = "".join(mark if mark.isascii() else rf"\[u{ord(mark):04X}]" for mark in line)
    return r"\&" + line if line[:1] in (".", "'") else line


def prose(text: str) -> str:
    """`text` as roff, with what stands in backquotes in bold."""
    return re.sub(r"`([^`]+)`", r"\\fB\1\\fR", escape(text))


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


def entries(kind: Kind) -> str:
    """All strategies or handlers that come with rivus."""
    from rivus.tell.catalogue import REGISTRIES, entry_of

    lines = [".SH STRATEGIES" if kind == "source" else ".SH HANDLERS"]
    for name in sorted(REGISTRIES[kind]):
        lines += entry_lines(entry_of(kind, name, NOWHERE))
    return "\n".join([*lines, ""])


def entry_lines(entry: Entry) -> Iterator[str]:
    from rivus.tell.described import kind_of, needs_of

    yield f".SS {escape(entry.name)}"
    yield prose(entry.parts.prose[0])
    yield from (".PP", f"It {prose(needs_of(entry))}.")
    for parameter in entry.parameters:
        yield from (".TP", rf"\fB{escape(parameter.name)}\fR ({escape(kind_of(parameter))})", prose(parameter.doc))
    for paragraph in entry.parts.prose[1:]:
        yield from (".PP", prose(paragraph))
    for example in entry.parts.examples:
        yield from (".PP", ".RS", ".EX", *map(verbatim, example.splitlines()), ".EE", ".RE")


def fields(name: str) -> str:
    """The fields of a mapping of jobs.d: name, type, default."""
    from msgspec.structs import fields as fields_of

    from rivus.config import doctor, schema

    known: dict[str, type[Struct]] = {
        "job": schema.JobFields, "discover": schema.DiscoverFields, "stage": schema.StageFields,
        "expect": schema.Expect, "sandbox": schema.Sandbox, "budget": schema.Budget, "keep": schema.Keep,
        "limit": schema.Limit, "price": doctor.Price, "llm": doctor.LlmFields,
    }  # fmt: skip
    words = kinds_of(known[name])
    rows = [(one.encode_name, words[one.name], shown_default(one, words[one.name])) for one in fields_of(known[name])]
    wide = [max(len(row[column]) for row in rows) + 2 for column in (0, 1)]
    table = (f"{field:{wide[0]}}{kind:{wide[1]}}{default}".rstrip() for field, kind, default in rows)
    return "\n".join([".PP", ".EX", *map(verbatim, table), ".EE", ""])


def kinds_of(struct: type) -> dict[str, str]:
    """The types of a structure's fields, in words."""
    from rivus.tell.catalogue import lookup_in
    from rivus.tell.kindwords import kind_words
    from rivus.versions.code import definitions

    parts = definitions(Path(inspect.getfile(struct)), struct.__name__, FOLDER.parent / "rivus", ast.unparse)
    (body,) = (ast.parse(text).body[0] for label, text in parts.items() if label.endswith(f":{struct.__name__}"))
    own = (one for one in ast.walk(body) if isinstance(one, ast.AnnAssign))
    found = ((ast.unparse(one.target), kind_words(one.annotation, lookup_in(parts))) for one in own)
    return {name: re.sub(r"\b[A-Z]\w+", lambda kind: CLASSES.get(kind[0], "mapping"), words) for name, words in found}


def shown_default(field: FieldInfo, kind: str) -> str:
    """A default as YAML has it; "" for none, and for an empty one."""
    from msgspec import NODEFAULT, Struct

    from rivus.model.quantity import format_duration

    if field.required:
        return SUPPLIED.get(field.name, "required")
    default = field.default if field.default_factory is NODEFAULT else field.default_factory()
    if default in (None, [], {}) or isinstance(default, Struct):
        return ""
    if "duration" in kind:
        many = isinstance(default, list)
        return f"[{', '.join(map(format_duration, default))}]" if many else format_duration(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


REGIONS: dict[str, Callable[[Command], str]] = {
    "synopsis": synopsis,
    "options": options,
    "exit status": exit_status,
}


def current(page: str, name: str, known: Mapping[str, Command]) -> str:
    """The text `page` of the command `name` with its regions as they should be."""

    def region(found: re.Match[str]) -> str:
        return found[1] + made(found[2], name, known) + found[3]

    return REGION.sub(region, page)


def made(region: str, name: str, known: Mapping[str, Command]) -> str:
    """The text of a region in the page of `name`."""
    kind, _, argument = region.partition(" ")
    match kind:
        case "commands":
            return listing(known)
        case "sources":
            return entries("source")
        case "handlers":
            return entries("handler")
        case "fields":
            return fields(argument)
    return REGIONS[region](known[name])


def main(arguments: list[str]) -> int:
    known, stale = commands(), []
    for file in sorted(FOLDER.glob("rivus*.[157]")):
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
