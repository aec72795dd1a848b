"""rivus-show: one item with its outputs, receipts and history."""

from __future__ import annotations

import json
from typing import Any

import click

from rivus.commands.frame import FAULTS, OK, House, house, run, version
from rivus.commands.items import parse_address
from rivus.errors import BadInput
from rivus.talk import plain

EXIT_CODES = OK | FAULTS
WIDTH = 300


@click.command("rivus-show")
@click.argument("addresses", nargs=-1, required=True, metavar="JOB/KEY...")
@click.option("--json", "as_json", is_flag=True, help="Print everything, whole, as one JSON object a line.")
@version
@house
def command(house: House, addresses: tuple[str, ...], as_json: bool) -> int:
    """Shows each item: its data, what every stage made of it and left beside it, its files and its history."""
    from rivus.errors import BadConfig
    from rivus.tell.look import item, stages_of

    spool = house.spool(look=True)
    for text in addresses:
        asked = parse_address(text)
        try:
            job = house.job(asked.job)
        except BadConfig:
            job = None
        view = item(spool, asked.job, stages_of(spool, asked.job, job), asked.key)
        if view is None:
            raise BadInput(f"{text}: no such item here")
        click.echo(json.dumps(view, ensure_ascii=False) if as_json else "\n".join(_lines(view)))
    return 0


def _lines(view: dict[str, Any]) -> list[str]:
    lines = [plain(f"{view['job']}/{view['key']}"), *_fields("data", view["data"]), *_fields("meta", view["meta"])]
    lines += [f"  archived, ended {view['archived']}; rivus-prune --restore puts it back"] if "archived" in view else []
    for stage, part in view["stages"].items():
        due = f", due {part['due']}" if "due" in part else ""
        path = f"  ({plain(part['path'])})" if "path" in part else ""
        lines.append(f"  {stage}: {part['state']}{due}{path}")
        old = "" if part["state"] in ("done", "archived") else "old "  # of the last run that ended well
        for name, shown in {"error": "error", "output": f"{old}output", "receipt": f"{old}receipt"}.items():
            lines += _fields(shown, part.get(name) or {}, "    ")
    for job, some in view.get("children", {}).items():
        more = ", …" * (some["count"] > len(some["first"]))
        lines.append(plain(f"  children in {job}: {some['count']}: {', '.join(some['first'])}{more}"))
    lines += [f"  {view['known']}"] if "known" in view else []
    lines += [plain(f"  file: {file}") for file in view["files"]]
    for entry in view["history"]:
        more = {name: entry[name] for name in ("outcome", "reason", "due") if name in entry}
        lines.append(f"  {entry['t']}  {entry['stage']:10} {entry['move']:9} {plain(json.dumps(more)) if more else ''}")
    return lines


def _fields(name: str, fields: dict[str, Any], indent: str = "  ") -> list[str]:
    texts = {field: value if isinstance(value, str) else json.dumps(value) for field, value in fields.items()}
    return [f"{indent}{name}.{plain(field)}: {_cut(plain(text))}" for field, text in texts.items()]


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}… ({len(text)} characters)"


def main() -> None:
    run(command)
