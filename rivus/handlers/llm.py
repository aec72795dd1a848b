"""Stages that ask a language model: `llm.extract`, `llm.score`, `llm.check` and `llm.embed`.

model:     the model that is asked; default: what RIVUS_LLM_MODEL names.
base_url:  an endpoint that speaks like OpenAI's; default: what RIVUS_LLM_BASE_URL names. One on a private address needs
           `allow_private_hosts`.
key:       the name of the secret that a server gets; null sends none. One of another name must stand under the job's
           `secrets:`.
command:   a program that is asked instead: it gets {"instructions", "data", "schema"} (`llm.embed`: {"input"}) as JSON
           on stdin and prints the answer's object.
fields:    what of the item it is asked about.
max_chars: of all fields together; what is more is cut.
`prices.yaml` says what a model's tokens cost.

What goes wrong, in all of them: Halt (no model named, a key, address, model, prompt or schema that cannot be used),
SourceBlocked (429), RetryLater (5xx, no answer, an answer that is none), ItemFailed (too long for the model, an answer
that does not fit, twice), TimeoutError. The same question is answered once: later from `ctx.state`, without a call.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Literal

from rivus.handlers.answers import answer, embedding, input_of, schema_file, text_file
from rivus.handlers.asking import model_of, one_line
from rivus.model.outcome import Halt, ItemFailed, Json

if TYPE_CHECKING:
    from rivus.model.context import Context

SECRETS = ("llm_api_key",)
_KEY = "llm_api_key"
_FIELDS = ["title", "text"]
_MAX_CHARS = 50_000
_SCORE: Json = {
    "type": "object",
    "properties": {"value": {"type": "number", "minimum": 0, "maximum": 10}, "reason": {"type": "string"}},
    "required": ["value", "reason"],
    "additionalProperties": False,
}
_CHECK: Json = {
    "type": "object",
    "properties": {"is": {"type": "boolean"}, "what": {"type": "string"}, "why": {"type": "string"}},
    "required": ["is", "what", "why"],
    "additionalProperties": False,
}


def extract(
    item: Json, ctx: Context, *, prompt: str, schema: str, model: str | None = None, base_url: str | None = None,
    key: str | None = _KEY, command: list[str] | None = None, fields: list[str] = _FIELDS,
    max_chars: int = _MAX_CHARS,
) -> Json:  # fmt: skip
    """What a prompt asks of an item, as an object that fits a JSON Schema.

    Takes: `fields` of the item (`live.text`: in the object `live`), those that hold anything.
    Gives: the object.

    prompt:    a file below jobs.d: what is to be done.
    schema:    a file below jobs.d: the JSON Schema of an object. References lead inside it only.
    max_chars: of all fields together; what is more is cut.
    Whom it asks and what it raises: see the module.

        extract:
          handler: llm.extract
          with: {prompt: prompts/facts.md, schema: prompts/facts.schema.json, model: small, fields: [title, text]}
          version_deps: [prompts/facts.md, prompts/facts.schema.json]
    """
    wanted = schema_file(ctx.folder, schema)
    asked = model_of(base_url, model, key, command)
    return answer(ctx, asked, text_file(ctx.folder, prompt), wanted, input_of(item, fields, max_chars, ctx))


def score(
    item: Json, ctx: Context, *, prompt: str, model: str | None = None, base_url: str | None = None,
    key: str | None = _KEY, command: list[str] | None = None, fields: list[str] = _FIELDS,
    max_chars: int = _MAX_CHARS,
) -> Json:  # fmt: skip
    """A number from 0 to 10 for an item, and why.

    Takes: as `llm.extract`.
    Gives: `value` (0 to 10), `reason`.

    prompt: a file below jobs.d: what the number stands for.
    Whom it asks and what it raises: see the module.

        score: {handler: llm.score, limit: llm, with: {prompt: prompts/score.md, model: small},
                version_deps: [prompts/score.md]}
    """
    asked = model_of(base_url, model, key, command)
    given = answer(ctx, asked, text_file(ctx.folder, prompt), _SCORE, input_of(item, fields, max_chars, ctx))
    return {"value": given["value"], "reason": one_line(given["reason"], 1000)}


def check(
    item: Json, ctx: Context, *, claim: str, on_mismatch: Literal["fail", "note"] = "fail", model: str | None = None,
    base_url: str | None = None, key: str | None = _KEY, command: list[str] | None = None,
    fields: list[str] = _FIELDS, max_chars: int = _MAX_CHARS,
) -> Json:  # fmt: skip
    """Whether an item is what it should be, and not a login page, an error or something else.

    Takes: as `llm.extract`.
    Gives: `is` (true or false), `what` (what it is), `why`.

    claim:       what it should be, in a few words.
    on_mismatch: fail: an item that is something else has failed; note: the output says so.
    Whom it asks and what it raises: see the module.

        check: {handler: llm.check, with: {claim: the full text of a news article, model: small}}
    """
    prompt = (
        f"You are shown a document. Judge whether it is: {claim}\nA login page, a paywall, an error message, a consent "
        "dialog, an empty shell or a different document is not. `is`: your verdict. `what`: what the document is, in a "
        "few words. `why`: the reason, in one sentence."
    )
    asked = model_of(base_url, model, key, command)
    given = answer(ctx, asked, prompt, _CHECK, input_of(item, fields, max_chars, ctx))
    what, why = one_line(given["what"]), one_line(given["why"])
    if not given["is"] and on_mismatch == "fail":
        raise ItemFailed(f"not what it should be, but {what}: {why}")
    return {"is": given["is"], "what": what, "why": why}


def embed(
    item: Json, ctx: Context, *, into: Literal["file", "list"] = "file", model: str | None = None,
    base_url: str | None = None, key: str | None = _KEY, command: list[str] | None = None,
    fields: list[str] = _FIELDS, max_chars: int = 20_000,
) -> Json:  # fmt: skip
    """The vector of an item's text, by which texts of a like meaning are near each other.

    Takes: as `llm.extract`; the texts follow each other, a blank line between two.
    Gives: `dimensions`, `model`, and `file` (`vector.f32`: 32-bit floats, the lowest byte first) or `vector` (a list).

    into: where the vector goes.
    A program prints {"embedding": [numbers]}. Whom it asks and what it raises: see the module.

        embed: {handler: llm.embed, with: {model: text-embedding-small, max_chars: 8000}}
    """
    told = input_of(item, fields, max_chars, ctx)
    text = "\n\n".join(value if isinstance(value, str) else str(value) for value in told.values())
    asked = model_of(base_url, model, key, command)
    vector = embedding(ctx, asked, text)
    about: Json = {"dimensions": len(vector), "model": asked.name}
    if into == "list":
        return {**about, "vector": vector}
    try:
        packed = array("f", vector)
    except OverflowError:
        raise Halt(f"{asked.name} gives numbers beyond 32 bits: use `into: list`") from None
    if sys.byteorder == "big":
        packed.byteswap()
    file = ctx.workdir / "vector.f32"
    file.write_bytes(packed.tobytes())
    return {**about, "file": ctx.name(file)}
