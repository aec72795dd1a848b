"""The same questions through several models: what `llm_bench` and `llm_bench_answers` run.

A question is a line of a JSON Lines file: `id`, `kind`, `question`, and `expected`: a list of the answers that count as
right, whatever their case and punctuation.
"""

from __future__ import annotations

import json
import re
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING, Any

from rivus.handlers.llm import extract
from rivus.model.outcome import Halt, ItemFailed

if TYPE_CHECKING:
    from rivus.model.context import Context

SECRETS = ("llm_api_key",)


def spread(item: dict[str, Any], ctx: Context, *, questions: str, into: str) -> dict[str, Any]:
    """Emits one child for each question.

    Takes: `model`, and `endpoint` where it is asked. Gives: `questions`: how many there are.

    questions: a file below jobs.d; into: the job that answers them.
    Raises Halt for a file that holds anything else.
    """
    rows = _read(ctx, questions)
    about = {"model": item["model"], "endpoint": item.get("endpoint", "openai")}
    for row in rows:
        ctx.emit(f"{item['model']}/{row['id']}", {**about, **row}, job=into)
    return {"questions": len(rows)}


def ask(
    item: dict[str, Any], ctx: Context, *, endpoints: dict[str, dict[str, str | None]], prompt: str, schema: str
) -> dict[str, Any]:
    """A model's answer to a question.

    Takes: `model`, `endpoint`, `question`. Gives: what the schema says; `seconds` (next to none for a question that was
    asked before); and `fault` if there was no answer of the right form: in a comparison that is a wrong answer, not a
    failure of the item.

    endpoints: name -> `base_url` and `key` (the name of a secret, null for none). For the rest see `llm.extract`.
    """
    if item["endpoint"] not in endpoints:
        raise Halt(f"{item['endpoint']!r} is none of the endpoints: {', '.join(endpoints)}")
    where, began = endpoints[item["endpoint"]], monotonic()
    try:
        given = extract(
            item, ctx, prompt=prompt, schema=schema, model=item["model"], fields=["question"],
            base_url=where.get("base_url"), key=where.get("key"),
        )  # fmt: skip
    except ItemFailed as error:
        given = {"answer": "", "fault": str(error)}
    return {**given, "seconds": round(monotonic() - began, 2)}


def grade(item: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Whether `answer` is one of `expected`. Gives: `right`, `seconds`, `kind`, and the `fault` if there was one."""
    right = _plain(item["answer"]) in map(_plain, item["expected"])
    fault = {"fault": item["fault"]} if "fault" in item else {}
    return {"right": right, "seconds": item["seconds"], "kind": item["kind"], **fault}


def table(item: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """A model's line in the comparison.

    Takes: `children`, each with what `grade` gave.
    Gives: `asked`, `right`, `share` (0 to 1), `kinds` (the share of each kind), `seconds` (the median of an answer),
           `wrong` (the keys of the questions), `faults` (how many had no answer). Raises ItemFailed without grades.
    """
    graded = [(child["key"], child["output"]) for child in item["children"] if child["output"]]
    if not graded:
        raise ItemFailed("none of its questions has a grade")
    kinds: dict[str, list[bool]] = {}
    for _, one in graded:
        kinds.setdefault(one["kind"], []).append(one["right"])
    right = sum(one["right"] for _, one in graded)
    return {
        "asked": len(graded),
        "right": right,
        "share": round(right / len(graded), 3),
        "kinds": {kind: round(sum(rights) / len(rights), 3) for kind, rights in sorted(kinds.items())},
        "seconds": median(one["seconds"] for _, one in graded),
        "wrong": [key for key, one in graded if not one["right"]],
        "faults": sum("fault" in one for _, one in graded),
    }


def _read(ctx: Context, name: str) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in (ctx.folder / name).read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise Halt(f"{name} cannot be read: {error}") from None
    for number, row in enumerate(rows, 1):
        fits = isinstance(row, dict) and row.keys() == {"id", "kind", "question", "expected"}
        if not fits or not isinstance(row["expected"], list):
            raise Halt(f"{name}, row {number}: it needs id, kind, question and expected (a list)")
    return rows


def _plain(answer: Any) -> str:
    return re.sub(r"[^\w.%-]", "", str(answer).casefold()).strip(".")
