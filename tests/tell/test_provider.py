"""One question is one call, its answer is bounded in time and size, and the key goes nowhere but into its header."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.config.doctor import Llm, Price
from rivus.doctor.failure import failure_of
from rivus.doctor.llm import SCHEMA, prompt_of
from rivus.net.chat import MAX_BYTES
from rivus.net.guard import guarding
from rivus.tell.provider import MAX_TOKENS, Answer, AskAgain, NoAnswer, provider
from tests.model_server import Model, Reply, completion, diagnosis, serving

PROMPT = prompt_of(failure_of(ValueError("boom"), "web.page"), 2, str)
KEY = "k3y-of-the-test"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.setenv("RIVUS_SECRET_LLM_KEY", KEY)
    with serving() as found:
        yield found


def at(model: Model, **fields: Any) -> Llm:
    given = {"base_url": model.url, "model": "small", "key": "llm_key", "allow_private_hosts": ["127.0.0.1"]}
    return Llm(folder=Path(), **{**given, "timeout": 5.0, **fields})


def by(tmp_path: Path, script: str, **fields: Any) -> Llm:
    return Llm(command=["/bin/sh", "-c", script], folder=tmp_path, **fields)


def test_an_endpoint_is_asked_as_its_protocol_wants(model: Model) -> None:
    assert provider(at(model)).ask(PROMPT) == Answer(diagnosis(), None)
    (request,) = model.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["Authorization"] == f"Bearer {KEY}"
    body = request["body"]
    assert (body["model"], body["max_tokens"]) == ("small", MAX_TOKENS)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"] == PROMPT["data"]
    form = {"name": "diagnosis", "strict": True, "schema": SCHEMA}
    assert body["response_format"] == {"type": "json_schema", "json_schema": form}
    assert KEY not in str(body)


def test_without_a_key_no_header_is_sent(model: Model) -> None:
    provider(at(model, key=None)).ask(PROMPT)
    assert "Authorization" not in model.requests[0]["headers"]


def test_a_server_that_knows_no_schemas_is_asked_for_any_json(model: Model) -> None:
    def reply(body: dict[str, Any]) -> Reply:
        strict = body["response_format"]["type"] == "json_schema"
        return (400, b'{"error": "response_format json_schema is not supported"}') if strict else completion("{}")

    model.reply = reply
    asked = provider(at(model))
    with pytest.raises(AskAgain):
        asked.ask(PROMPT)
    assert asked.ask(PROMPT).text == "{}"
    assert model.requests[-1]["body"]["response_format"] == {"type": "json_object"}


def test_a_server_with_another_name_for_the_limit_gets_that(model: Model) -> None:
    said = b"{\"error\": \"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.\"}"
    model.reply = lambda body: (400, said) if "max_tokens" in body else completion("{}")
    asked = provider(at(model))
    with pytest.raises(AskAgain):
        asked.ask(PROMPT)
    assert asked.ask(PROMPT).text == "{}"
    assert model.requests[-1]["body"]["max_completion_tokens"] == MAX_TOKENS


def test_a_server_that_refuses_every_form_is_asked_three_times_at_most(model: Model) -> None:
    model.reply = lambda body: (400, b"response_format and max_completion_tokens: no")
    asked = provider(at(model))
    for _ in range(2):
        with pytest.raises(AskAgain):
            asked.ask(PROMPT)
    with pytest.raises(NoAnswer) as refused:
        asked.ask(PROMPT)
    assert not isinstance(refused.value, AskAgain)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 100}, 0.003),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": -5, "completion_tokens": 10}, None),
        ({"prompt_tokens": True, "completion_tokens": 10}, None),
        ({"prompt_tokens": 10**30, "completion_tokens": 10}, None),
        ({"prompt_tokens": "1000", "completion_tokens": 100}, None),
    ],
)
def test_a_cost_is_counted_from_tokens_and_impossible_tokens_make_it_unknown(
    model: Model, usage: dict[str, Any], usd: float | None
) -> None:
    model.reply = lambda body: completion("{}", **usage)
    asked = provider(at(model, price=Price(input=2.0, output=10.0)))
    assert asked.ask(PROMPT).usd == (None if usd is None else pytest.approx(usd))
    most = asked.at_most(PROMPT)
    assert most is not None and most > MAX_TOKENS * 10.0 / 1e6
    assert provider(at(model)).at_most(PROMPT) is None


@pytest.mark.parametrize(
    ("reply", "why", "final"),
    [
        ((500, b"oops"), "answered 500", False),
        ((429, b"{}"), "answered 429", True),
        ((401, b"{}"), "credential is refused", True),
        ((404, b"{}"), "answered 404", False),
        ((302, b""), "answered 302", False),
        ((400, b"no such model"), "answered 400", False),
        ((200, b""), "no chat completion", False),
        ((200, b"<html>Log in</html>"), "no chat completion", False),
        ((200, b"[" * 100_000), "no chat completion", False),
        ((200, b'{"choices": []}'), "no chat completion", False),
        ((200, b'{"choices": {"0": 1}}'), "no chat completion", False),
        (completion(None), "holds no text", False),
    ],
)
def test_a_server_without_an_answer_is_told_apart(model: Model, reply: Reply, why: str, final: bool) -> None:
    model.reply = lambda body: reply
    with pytest.raises(NoAnswer, match=why) as error:
        provider(at(model)).ask(PROMPT)
    assert error.value.final is final


def test_a_redirect_is_not_followed(model: Model) -> None:
    model.reply, model.headers = (lambda body: (307, b"")), {"Location": "/v1/elsewhere"}
    with pytest.raises(NoAnswer, match="answered 307"):
        provider(at(model)).ask(PROMPT)
    assert len(model.requests) == 1, "one question is one call"


def test_a_huge_answer_is_not_read_to_its_end(model: Model) -> None:
    model.reply, model.repeat = (lambda body: (200, b" " * MAX_BYTES)), 100
    with pytest.raises(NoAnswer, match="larger than"):
        provider(at(model)).ask(PROMPT)


def test_a_server_that_hangs_is_left_when_the_time_is_over(model: Model) -> None:
    model.reply = lambda body: None
    start = time.monotonic()
    with pytest.raises(NoAnswer, match=r"within 1 s"):
        provider(at(model, timeout=1)).ask(PROMPT)
    assert time.monotonic() - start < 10


def test_a_private_address_is_refused_unless_it_is_opened(model: Model) -> None:
    with guarding(), pytest.raises(NoAnswer, match="private address"):
        provider(at(model, allow_private_hosts=[])).ask(PROMPT)
    assert not model.requests


def test_a_server_that_is_not_there_and_a_key_that_is_not_there(model: Model) -> None:
    with pytest.raises(NoAnswer, match="refused"):
        provider(at(model, base_url="http://127.0.0.1:9/v1")).ask(PROMPT)
    with pytest.raises(NoAnswer, match="no secret nobody_has_it") as error:
        provider(at(model, key="nobody_has_it")).ask(PROMPT)
    assert error.value.final and not model.requests


def test_no_error_holds_the_key(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_LLM_KEY", "k3y-of\nthe-test")
    with pytest.raises(NoAnswer) as error:
        provider(at(model)).ask(PROMPT)
    assert "the-test" not in str(error.value)


def test_a_command_gets_the_question_on_stdin_and_its_output_is_the_answer(tmp_path: Path) -> None:
    import json

    assert json.loads(provider(by(tmp_path, "cat")).ask(PROMPT).text) == PROMPT
    assert provider(by(tmp_path, "pwd")).ask(PROMPT).text.strip() == str(tmp_path)
    assert provider(by(tmp_path, "cat")).at_most(PROMPT) is None


@pytest.mark.parametrize(
    ("script", "why", "final"),
    [
        ("echo no balance >&2; exit 1", "ended with 1: no balance", False),
        ("exit 75", "ended with 75", False),
        ("echo not set up >&2; exit 78", "ended with 78: not set up", True),
        ("kill -9 $$", "ended with -9", False),
        ("yes", "more than", False),
        ("sleep 30", "was killed after 0.5 s", False),
        ("cat >/dev/null; (sleep 30) & sleep 30", "was killed after 0.5 s", False),
    ],
)
def test_a_command_without_an_answer_is_told_apart(tmp_path: Path, script: str, why: str, final: bool) -> None:
    seconds = 0.5 if "killed after" in why else 20.0
    with pytest.raises(NoAnswer, match=why) as error:
        provider(by(tmp_path, script, timeout=seconds)).ask(PROMPT)
    assert error.value.final is final


def test_a_command_that_is_missing_is_final(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="cannot be started") as error:
        provider(Llm(command=["./no-such-program"], folder=tmp_path)).ask(PROMPT)
    assert error.value.final


def test_a_command_sees_no_secret_of_ours(tmp_path: Path, model: Model) -> None:
    assert KEY not in provider(by(tmp_path, "env")).ask(PROMPT).text
