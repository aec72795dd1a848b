"""One question to a language model, over HTTP or to a program; behind both the same few names.

A question is what `rivus.doctor.llm.prompt_of` gives. The answer's text is handed over as it came: it proves nothing.
Each `ask` makes one call at most, ends within the model's timeout and reads no more than a bound.
The endpoint's protocol is OpenAI's (Chat Completions, structured outputs), as other servers have it as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from rivus import secrets
from rivus.model.outcome import Halt, Json, Outcome, SourceBlocked

if TYPE_CHECKING:
    import requests

    from rivus.config.doctor import Llm

MAX_BYTES = 2**20
MAX_TOKENS = 2000
"""Of an answer, what a model thinks before it included."""
_OVERHEAD = 500
"""Tokens that a server may add to what it is sent."""
_MOST_TOKENS = 10**9


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

        self._llm = llm
        self._url = f"{(llm.base_url or '').rstrip('/')}/chat/completions"
        self._http = open_session(llm.allow_private_hosts, total=llm.timeout, max_bytes=MAX_BYTES)
        self._limit, self._strict = "max_tokens", True

    def at_most(self, prompt: Json) -> float | None:
        """No token is shorter than a byte."""
        return self._cost(len(self._body(prompt)) + _OVERHEAD, MAX_TOKENS)

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
        return Answer(text, self._cost_of(usage))

    def _post(self, body: bytes) -> requests.Response:
        from rivus.net.session import outcome_of

        headers = {"Content-Type": "application/json"}
        if self._llm.key is not None:
            headers["Authorization"] = f"Bearer {secrets.get(self._llm.key)}"
        try:
            return self._http.post(self._url, data=body, headers=headers, allow_redirects=False)
        except Exception as error:  # noqa: BLE001 - whatever the transport raises, outcome_of knows it
            raise outcome_of(error, self._url) from None

    def _body(self, prompt: Json) -> bytes:
        schema = {"name": "diagnosis", "strict": True, "schema": prompt["schema"]}
        return json.dumps(
            {
                "model": self._llm.model,
                "messages": [
                    {"role": "system", "content": prompt["instructions"]},
                    {"role": "user", "content": prompt["data"]},
                ],
                "response_format": {"type": "json_schema", "json_schema": schema}
                if self._strict
                else {"type": "json_object"},
                self._limit: MAX_TOKENS,
            }
        ).encode()

    def _make_plainer(self, complaint: str) -> None:
        """Raises AskAgain if the complaint is about something that can be left out, and now is."""
        if self._limit == "max_tokens" and "max_completion_tokens" in complaint:
            self._limit = "max_completion_tokens"
        elif self._strict and any(word in complaint for word in ("response_format", "json_schema", "schema")):
            self._strict = False
        else:
            return
        raise AskAgain("the server refused the form of the question")

    def _cost_of(self, usage: Any) -> float | None:
        """None for numbers that cannot be: what is not known must not look free."""
        counts = usage if isinstance(usage, dict) else {}
        tokens_in, tokens_out = counts.get("prompt_tokens"), counts.get("completion_tokens")
        if not (_is_count(tokens_in) and _is_count(tokens_out)):
            return None
        return self._cost(tokens_in, tokens_out)

    def _cost(self, tokens_in: int, tokens_out: int) -> float | None:
        price = self._llm.price
        return None if price is None else (tokens_in * price.input + tokens_out * price.output) / 1e6


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= _MOST_TOKENS


def _read(raw: bytes) -> tuple[str, Any]:
    """The text of a chat completion, and what it says about its use."""
    try:
        whole = json.loads(raw)
        text = whole["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, KeyError, IndexError, TypeError):
        raise NoAnswer("the server's answer is no chat completion") from None
    if not isinstance(text, str):
        raise NoAnswer("the server's answer holds no text")
    return text, whole.get("usage")
