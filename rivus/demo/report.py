"""What the demo made, as a table for a person: it reads the spool's files as anybody can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STAGES = ("fetch", "extract", "score")


def finished(spool: Path) -> frozenset[str]:
    """The names of the items that went through the last stage."""
    return frozenset(path.name for path in (spool / "demo" / STAGES[-1] / "done").glob("[!.]*.json"))


def report(spool: Path, before: frozenset[str]) -> str:
    """A line for each item, what is new since `before` (see `finished`), and what to try next."""
    job, after = spool / "demo", finished(spool)
    births = [_read(path) | {"file": path.name} for path in (job / "discover" / "done").glob("[!.]*.json")]
    births.sort(key=lambda birth: str(birth["data"].get("published")), reverse=True)
    rows = [_row(job, birth) for birth in births]
    new = len(after - before)
    return "\n".join(
        [
            f"\n{'score':>6} {'words':>6}  title",
            *rows,
            f"\n{new} new." if new else "\nNothing new: all of this was here before.",
            *_next(births),
            "",
        ]
    )


def _row(job: Path, birth: dict[str, Any]) -> str:
    made = {stage: _ticket(job / stage, birth["file"]) for stage in STAGES}
    outputs = {stage: ticket.get("output") or {} for stage, ticket in made.items()}
    text, score = outputs["extract"].get("text"), outputs["score"].get("value")
    notes = [
        ticket.get("receipt", {}).get("skipped") or ticket.get("error", {}).get("reason")
        for ticket in made.values()
    ]
    note = next((f"  [{note}]" for note in notes if note), "")
    words = len(text.split()) if text else "-"
    shown = "-" if score is None else f"{score:.1f}"
    return f"{shown:>6} {words:>6}  {birth['data'].get('title')}{note}"


def _ticket(stage: Path, name: str) -> dict[str, Any]:
    return next((_read(path) for path in stage.glob(f"*/{name}")), {})


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8")))


def _next(births: list[dict[str, Any]]) -> list[str]:
    key = births[-1]["key"] if births else "KEY"
    commands = {
        f"bin/rivus-show demo/{key}": "one item, with everything that was made of it",
        "bin/rivus-ls": "how many items are in which state",
        "bin/rivus-run dml": "the same with a real channel; jobs.d/dml.yaml says which",
    }
    steps = (f"  {command:<33} {meaning}" for command, meaning in commands.items())
    return ["Each item is one file in each stage, in spool/demo. To go on:", *steps]
