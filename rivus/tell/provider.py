"""One question to a language model, over HTTP or to a program; behind both the same few names.

A question is what `rivus.doctor.llm.prompt_of` gives. The answer's text is handed over as it came: it proves nothing.
Each `ask` makes one call at most, ends within the model's timeout and reads no more than a bound.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from rivus import secrets
from rivus.model.outcome import Halt, Json, Outcome, SourceBlocked
from rivus.net.chat import MAX_BYTES, Form, completion_of, post

if TYPE_CHECKING:
    import requests

    from rivus.config.doctor import Llm

MAX_TOKENS = 2000
"""Of an answer, what a model thinks before it included."""
_OVERHEAD = 500
"""Tokens that a server may add to what it is sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """text: as it came. usd: what it cost, None if that is unknown."""

    text: str
    usd: float | None


class NoAnswer(Exception):
    """Why there is none. final: another question would end the same way."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class AskAgain(NoAnswer):
    """The server refused the form of the question; the next one will have a plainer form. At most twice."""


class Provider(Protocol):
    """Who is asked."""

    def at_most(self, prompt: Json) -> float | None:
        """The most that the question can cost in USD; None if that cannot be known."""

    def ask(self, prompt: Json) -> Answer:
        """Makes one call. Raises NoAnswer."""


def provider(llm: Llm) -> Provider:
    """The one that `llm` names."""
    return _Endpoint(llm) if llm.command is None else _Command(llm)


class _Command:
    """The question as JSON on stdin, the answer on stdout. What it costs is unknown."""

    def __init__(self, llm: Llm) -> None:
        self._argv, self._folder, self._timeout = llm.command or [], llm.folder, llm.timeout

    def at_most(self, prompt: Json) -> float | None:
        return None

    def ask(self, prompt: Json) -> Answer:
        from rivus.programs import OUTCOMES, Program

        try:
            with Program(self._argv, cwd=self._folder, question=json.dumps(prompt).encode() + b"\n") as program:
                output = program.output(self._timeout)
        except (Halt, TimeoutError, OSError) as error:
            raise NoAnswer(str(error), final=isinstance(error, Halt)) from None
        if len(output) > MAX_BYTES:
            raise NoAnswer(f"{self._argv[0]} gave more than {MAX_BYTES:,} bytes")
        if program.code:
            final = OUTCOMES.get(program.code) is Halt
            raise NoAnswer(f"{self._argv[0]} ended with {program.code}: {program.last_line}", final)
        return Answer(output.decode(errors="replace"), None)


class _Endpoint:
    def __init__(self, llm: Llm) -> None:
        from rivus.net.session import open_session

        self._llm, self._form = llm, Form()
        self._http = open_session(llm.allow_private_hosts, total=llm.timeout, max_bytes=MAX_BYTES)

    def at_most(self, prompt: Json) -> float | None:
        """No token is shorter than a byte."""
        return self._cost(len(json.dumps(self._body(prompt)).encode()) + _OVERHEAD, MAX_TOKENS)

    def ask(self, prompt: Json) -> Answer:
        from rivus.net.session import check

        try:
            response = self._post(self._body(prompt))
            if response.status_code in (400, 422):
                self._make_plainer(response.content[:2000].decode(errors="replace"))
            check(response)
        except Outcome as error:
            raise NoAnswer(str(error), final=isinstance(error, (Halt, SourceBlocked))) from None
        text, usage = _read(response.content)
        return Answer(text, None if usage is None else self._cost(*usage))

    def _post(self, body: Json) -> requests.Response:
        name = self._llm.key
        key = None if name is None else partial(secrets.get, name)
        return post(self._http, self._llm.base_url or "", "chat/completions", body, key, self._llm.timeout)

    def _body(self, prompt: Json) -> Json:
        messages = [{"role": "user", "content": prompt["data"]}]
        return self._form.body(
            self._llm.model, prompt["instructions"], messages, prompt["schema"], "diagnosis", MAX_TOKENS
        )

    def _make_plainer(self, complaint: str) -> None:
        """Raises AskAgain if the complaint is about something that can be left out, and now is."""
        plainer = self._form.plainer(complaint)
        if plainer is not None:
            self._form = plainer
            raise AskAgain("the server refused the form of the question")

    def _cost(self, tokens_in: int, tokens_out: int) -> float | None:
        price = self._llm.price
        return None if price is None else (tokens_in * price.input + tokens_out * price.output) / 1e6


def _read(raw: bytes) -> tuple[str, tuple[int, int] | None]:
    """The text of a chat completion, and the tokens it took."""
    try:
        found = completion_of(raw)
    except ValueError as error:
        raise NoAnswer(str(error)) from None
    if found.text is None:
        raise NoAnswer("the server's answer holds no text")
    return found.text, found.usage
