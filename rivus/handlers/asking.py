"""One question to a language model, over HTTP or to a program; behind both the same few names.

A call is counted (`ctx.cost`) as soon as it was made, whatever comes of it: with the tokens that the server tells, as
free where the server refused it (4xx), else as unknown. What goes wrong is an outcome that says who is at fault.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rivus.handlers.answercache import digest_of
from rivus.model.context import OF_THE_TIMEOUT
from rivus.model.outcome import Halt, ItemFailed, Json, Outcome, RetryLater
from rivus.net.chat import MAX_BYTES, Form, completion_of, is_count, post

if TYPE_CHECKING:
    import requests

    from rivus.model.context import Context

BASE_URL, MODEL = "RIVUS_LLM_BASE_URL", "RIVUS_LLM_MODEL"
"""The environment's variables that say what a stage does not."""
MAX_TOKENS = 4000
_MISPLACED = (401, 402, 403, 404)
"""What a server answers to a wrong key, an empty account, a wrong address or an unknown model: no item is at fault."""
_TOO_LONG = ("context_length", "context length", "maximum context", "too long", "too many tokens")
_forms: dict[str, Form] = {}
"""The form in which a server took its last question, by address and schema."""


@dataclass(frozen=True, slots=True)
class Model:
    """Who is asked: a server, or a program. key: the name of a secret, None to send none."""

    name: str
    base_url: str = ""
    key: str | None = None
    command: tuple[str, ...] = ()


@dataclass(slots=True)
class Question:
    """system: what is to be done. data: the fenced item. earlier: the answer that did not fit, and why."""

    system: str
    data: str
    schema: Json
    earlier: tuple[str, str] | None = None


@dataclass(slots=True)
class Talk:
    """A try's calls. until: when it must be over (monotonic)."""

    ctx: Context
    model: Model
    until: float = field(init=False)

    def __post_init__(self) -> None:
        self.until = monotonic() + self.ctx.timeout * OF_THE_TIMEOUT

    @property
    def seconds(self) -> float:
        """What is left. Raises TimeoutError."""
        left = self.until - monotonic()
        if left <= 0:
            raise TimeoutError(f"the model took longer than {self.ctx.timeout * OF_THE_TIMEOUT:g} s")
        return left


def model_of(base_url: str | None, model: str | None, key: str | None, command: Sequence[str] | None) -> Model:
    """The one that a stage names, or the environment. Raises Halt."""
    if command:
        return Model(" ".join(command), command=tuple(command))
    url, name = base_url or os.environ.get(BASE_URL, ""), model or os.environ.get(MODEL, "")
    if not _is_endpoint(url):
        raise Halt(f"no model to ask: neither `base_url` nor {BASE_URL} is the address of one (https://host/v1)")
    if not name:
        raise Halt(f"no model to ask: neither `model` nor {MODEL} names it")
    return Model(name, url, key)


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = parts.username is None and not parts.query and (parts.port or True)
    except ValueError:
        return False
    return bool(parts.scheme in ("http", "https") and parts.hostname and plain)


def say(talk: Talk, question: Question) -> str:
    """What the model says; "" and words of refusal count as answers that do not fit."""
    if talk.model.command:
        return _say_program(talk, question)
    where = f"{talk.model.base_url} {digest_of(question.schema)}"
    form = _forms.get(where) or Form(temperature=0.0)
    while True:
        body = form.body(talk.model.name, question.system, _messages(question), question.schema, "answer", MAX_TOKENS)
        response = _post(talk, "chat/completions", body)
        plainer = form.plainer(_complaint(response)) if response.status_code in (400, 422) else None
        if plainer is None:
            break
        form = _forms[where] = plainer
    _check(response)
    with _counted(talk) as count:
        completion = completion_of(response.content)
        count(completion.usage)
    return completion.text or completion.refusal


def _messages(question: Question) -> list[Json]:
    messages = [{"role": "user", "content": question.data}]
    if question.earlier:
        text, fault = question.earlier
        again = f"That does not fit: {fault}. Answer again, with the JSON object alone."
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": again}]
    return messages


def embed(talk: Talk, text: str) -> Any:
    import json

    body = {"model": talk.model.name, "input": text, "encoding_format": "float"}
    response = _check(_post(talk, "embeddings", body))
    with _counted(talk) as count:
        try:
            whole = json.loads(response.content)
            vector = whole["data"][0]["embedding"]
        except (ValueError, RecursionError, KeyError, IndexError, TypeError):
            raise ValueError("the server's answer holds no vector") from None
        usage = whole.get("usage") or {}
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        count((tokens, 0) if is_count(tokens) else None)
    return vector


@contextmanager
def _counted(talk: Talk) -> Iterator[Callable[[tuple[int, int] | None], None]]:
    """Counts a call that was answered, once. ValueError, an answer that is none, becomes RetryLater."""
    told: list[tuple[int, int] | None] = []
    try:
        yield told.append
    except ValueError as error:
        raise RetryLater(str(error)) from None
    finally:
        if told and told[0]:
            talk.ctx.cost(model=talk.model.name, input_tokens=told[0][0], output_tokens=told[0][1])
        else:
            talk.ctx.cost()


def _post(talk: Talk, path: str, body: Json) -> requests.Response:
    """The server's answer, counted if it is none of a model. Raises the outcome of what went wrong before it."""
    from rivus.net.guard import PrivateAddress
    from rivus.net.session import causes, open_session

    ctx, model, left = talk.ctx, talk.model, talk.seconds
    key = None if model.key is None else partial(ctx.secret, model.key)
    if key:
        key()  # without it no call is made
    with closing(open_session(ctx.private_hosts, total=left, max_bytes=MAX_BYTES)) as session:
        try:
            response = post(session, model.base_url, path, body, key, left)
        except Outcome as error:
            if any(isinstance(cause, PrivateAddress) for cause in causes(error)):
                raise Halt(str(error)) from None
            ctx.cost()
            raise
    if response.status_code >= 300:
        ctx.cost(usd=0.0 if response.status_code < 500 else None)
    return response


def _check(response: requests.Response) -> requests.Response:
    from rivus.net.cleaned import beginning
    from rivus.net.session import check

    status, said = response.status_code, _complaint(response)
    where = f"{beginning(response.url, 200)} answered {status}: {one_line(said)}"
    if 300 <= status < 400 or status in _MISPLACED:
        raise Halt(where)
    if status in (400, 413, 422):
        long = status == 413 or any(words in said.lower() for words in _TOO_LONG)
        raise ItemFailed(f"too long for the model: {one_line(said)}" if long else where)
    return check(response)


def _complaint(response: requests.Response) -> str:
    from rivus.secrets import scrub

    return scrub(response.content.decode(errors="replace"))[:2000]


def _say_program(talk: Talk, question: Question) -> str:
    import json

    asked: Json = {"instructions": question.system, "data": question.data, "schema": question.schema}
    if question.earlier:
        asked["earlier"] = dict(zip(("answer", "fault"), question.earlier, strict=True))
    return json.dumps(run(talk, asked))


def run(talk: Talk, asked: Json) -> Json:
    from rivus.handlers.command import run_command

    seconds = talk.seconds
    try:
        return run_command(talk.model.command, asked, timeout=seconds, cwd=talk.ctx.folder, env={})
    finally:
        talk.ctx.cost()


def one_line(text: str, most: int = 300) -> str:
    """Words of a model, fit for a line of a log."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
