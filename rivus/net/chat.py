"""Questions to a language model over HTTP, as the doctor and handlers ask them; one call is one request.

The protocol is OpenAI's (Chat Completions with structured outputs, Embeddings), as other servers have it as well. The
text of an answer is handed over as it came: it proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard

from rivus.model.outcome import Json

if TYPE_CHECKING:
    import requests

MAX_BYTES = 2**20
"""Of an answer."""
CONNECT_SECONDS = 10.0
_MOST_TOKENS = 10**9


@dataclass(frozen=True, slots=True)
class Form:
    """What servers differ in. limit: what they call the most tokens of an answer. strict: whether they take a schema.
    temperature: None where it is not said."""

    limit: str = "max_tokens"
    strict: bool = True
    temperature: float | None = None

    def body(self, model: str | None, system: str, messages: list[Json], schema: Json, name: str, most: int) -> Json:
        """A request. system: the instructions. most: tokens of the answer, what a model thinks before it included."""
        strict = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
        return {
            "model": model,
            "messages": [{"role": "system", "content": system}, *messages],
            "response_format": strict if self.strict else {"type": "json_object"},
            self.limit: most,
            **({} if self.temperature is None else {"temperature": self.temperature}),
        }

    def plainer(self, complaint: str) -> Form | None:
        """The form without what a server complains about; None if it is about something else."""
        if self.limit == "max_tokens" and "max_completion_tokens" in complaint:
            return replace(self, limit="max_completion_tokens")
        if self.strict and any(word in complaint for word in ("response_format", "json_schema", "schema")):
            return replace(self, strict=False)
        if self.temperature is not None and "temperature" in complaint:
            return replace(self, temperature=None)
        return None


@dataclass(frozen=True, slots=True)
class Completion:
    """text: None if there is none. refusal: what the model says instead. usage: tokens in and out, None if unknown."""

    text: str | None
    refusal: str
    usage: tuple[int, int] | None


def post(
    session: requests.Session, base_url: str, path: str, body: Json, key: Callable[[], str] | None, seconds: float
) -> requests.Response:
    """The answer of a server to `body`, whatever its status. key: gives the credential, which goes into a header only.

    seconds: how long it may be silent; a model thinks before it says anything. Raises the outcome of what went wrong
    before an answer came.
    """
    from rivus.net.session import outcome_of

    url = address(base_url, path)
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key()}"
    data, timeout = json.dumps(body).encode(), (min(CONNECT_SECONDS, seconds), seconds)
    try:
        return session.post(url, data=data, headers=headers, timeout=timeout, allow_redirects=False)
    except Exception as error:  # noqa: BLE001 - whatever the transport raises, outcome_of knows it
        raise outcome_of(error, url) from None


def address(base_url: str, path: str) -> str:
    """Where a server answers: `…/v1` and `chat/completions`."""
    return f"{base_url.rstrip('/')}/{path}"


def completion_of(raw: bytes) -> Completion:
    """What a chat completion holds. Raises ValueError if `raw` is none."""
    try:
        whole = json.loads(raw)
        message = whole["choices"][0]["message"]
        text, refusal = message.get("content"), message.get("refusal")
    except (ValueError, RecursionError, KeyError, IndexError, TypeError, AttributeError):
        raise ValueError("the server's answer is no chat completion") from None
    return Completion(
        text if isinstance(text, str) else None, refusal if isinstance(refusal, str) else "", usage_of(whole)
    )


def usage_of(whole: Any) -> tuple[int, int] | None:
    """The tokens that an answer says it took; None for numbers that cannot be: what is unknown must not look free."""
    usage = whole.get("usage") if isinstance(whole, dict) else None
    counts = usage if isinstance(usage, dict) else {}
    tokens_in, tokens_out = counts.get("prompt_tokens"), counts.get("completion_tokens")
    return (tokens_in, tokens_out) if is_count(tokens_in) and is_count(tokens_out) else None


def is_count(value: object) -> TypeGuard[int]:
    """Whether this can be the number of tokens of something."""
    return type(value) is int and 0 < value <= _MOST_TOKENS
