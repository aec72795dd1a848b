"""Each unknown kind is asked about once, within the day's caps, and no answer does more than classify its own group."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rivus.config.doctor import Llm, PerDay, Price
from rivus.doctor.failure import failure_of
from rivus.doctor.llm import CHOICES, LONGEST, MAX_WHY, SHORTEST
from rivus.errors import TryAgain
from rivus.spool.layout import Spool, open_spool
from rivus.tell.asking import PATIENCE
from rivus.tell.diagnose import NO_MODEL, Group, Result, diagnose
from tests.conftest import ROOT
from tests.hostile import attacks
from tests.model_server import Model, Reply, completion, diagnosis, serving


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    (tmp_path / "spool").mkdir()
    return open_spool(str(tmp_path / "spool"))


@pytest.fixture
def model() -> Iterator[Model]:
    with serving() as found:
        yield found


def at(model: Model, **fields: Any) -> Llm:
    given = {"base_url": model.url, "model": "small", "allow_private_hosts": ["127.0.0.1"], "timeout": 5.0}
    return Llm(folder=Path(), **{**given, **fields})


def group(number: int, text: str = "it broke") -> Group:
    example = failure_of(RuntimeError(f"case {number:03}: {text}"), "web.page")
    return {"fingerprint": f"{number:016x}", "example": example, "count": number + 1}


def run(spool: Spool, llm: Llm | None, groups: list[Group]) -> tuple[list[Result], list[Result]]:
    """The results, and those that were recorded."""
    recorded: list[Result] = []
    return list(diagnose(spool, llm, groups, recorded.append)), recorded


def ledger(spool: Spool) -> Any:
    return json.loads(Path(spool.verdicts, "ledger.json").read_text())["calls"]


def is_default(result: Result) -> bool:
    found = result.diagnosis
    return (found.cls, found.action, found.after, found.rule) == ("unknown", "retry_later", None, "default")


def test_a_good_answer_is_the_diagnosis_of_its_group_and_is_recorded(spool: Spool, model: Model) -> None:
    model.reply = lambda body: completion(diagnosis("rate_limited", "retry_later", 7200, "asked too often"))
    results, recorded = run(spool, at(model), [group(1)])
    assert results == recorded
    (result,) = results
    found = result.diagnosis
    assert (found.cls, found.action, found.after, found.why) == ("rate_limited", "retry_later", 7200, "asked too often")
    assert (result.fingerprint, result.answered, found.rule) == (f"{1:016x}", True, "model small")


def test_without_a_model_every_group_gets_the_default_and_nothing_is_written(spool: Spool) -> None:
    results, recorded = run(spool, None, [group(1), group(2)])
    assert all(is_default(result) and result.diagnosis.why == NO_MODEL for result in results)
    assert (len(results), recorded, os.listdir(spool.verdicts)) == (2, [], [])


def test_no_answer_to_two_hundred_attacks_leaves_the_sets_or_its_group(spool: Spool, model: Model) -> None:
    hostile = attacks()
    answers = {attack.number: attack.answer for attack in hostile}

    def obey(body: dict[str, Any]) -> Reply:
        told = re.search(r"case (\d{3})", body["messages"][1]["content"])
        assert told, "the server must get to read what it is to obey"
        return completion(answers[int(told[1])])

    model.reply = obey
    groups = [group(attack.number, attack.text) for attack in hostile]
    before = sorted(os.listdir(spool.root))
    results, recorded = run(spool, at(model, per_day=PerDay(calls=1000)), groups)

    assert len(hostile) >= 200 and len(model.requests) == len(hostile)
    assert [result.fingerprint for result in results] == [each["fingerprint"] for each in groups]
    assert recorded == results, "an answer, even a useless one, is not asked for again"
    for result in results:
        found = result.diagnosis
        assert found.action in CHOICES[found.cls][1]
        assert found.after is None or SHORTEST <= found.after <= LONGEST
        assert len(found.why) <= MAX_WHY and found.why.isprintable()
        assert found.rule == "model small" or is_default(result)
    assert sum(map(is_default, results)) > 100, "most attacks ask for what nobody can have"
    assert sorted(os.listdir(spool.root)) == before
    assert {name for name in os.listdir(spool.verdicts) if not name.startswith(".")} == {"ledger.json"}


def test_what_is_sent_holds_no_secret(
    spool: Spool, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "site_login").write_text("battery staple\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RIVUS_SECRET_OTHER_LOGIN", "horse-horse")
    text = "login battery staple or horse-horse refused for ann@example.org from 10.9.8.7 at https://x.example/?s=qqq"
    run(spool, at(model), [group(1, text)])
    sent = json.dumps(model.requests[0]["body"])
    for word in ("staple", "horse", "ann@", "10.9.8.7", "qqq"):
        assert word not in sent
    assert "refused for [email]" in sent


def test_a_kind_is_asked_about_once(spool: Spool, model: Model) -> None:
    model.reply = lambda body: completion("I would rather not say.")
    results, _ = run(spool, at(model), [group(1), group(1)])
    again, recorded = run(spool, at(model), [group(1)])
    assert len(model.requests) == 1
    assert [result.answered for result in results] == [True, False]
    assert "not JSON" in results[0].diagnosis.why
    assert is_default(again[0]) and "asked today already" in again[0].diagnosis.why and not recorded


def test_the_cap_on_calls_holds_over_runs_and_refused_forms(spool: Spool, model: Model) -> None:
    model.reply = lambda body: (
        (400, b"json_schema") if "json_schema" in body["response_format"] else completion(diagnosis())
    )
    groups = [group(number) for number in range(12)]
    first, _ = run(spool, at(model, per_day=PerDay(calls=5)), groups[:2])
    second, _ = run(spool, at(model, per_day=PerDay(calls=5)), groups[2:])
    assert len(model.requests) == len(ledger(spool)) == 5
    assert [result.answered for result in first] == [True, True]
    assert [result.answered for result in second].count(True) == 1
    assert "5 calls are used up" in second[-1].diagnosis.why


def test_the_cap_on_money_holds_even_if_every_call_costs_the_most(spool: Spool, model: Model) -> None:
    model.reply = lambda body: completion(
        diagnosis(), prompt_tokens=len(json.dumps(body)), completion_tokens=body["max_tokens"]
    )
    llm = at(model, per_day=PerDay(calls=1000, usd=0.5), price=Price(input=1.0, output=50.0))
    results, _ = run(spool, llm, [group(number) for number in range(20)])
    paid = sum(result.usd or 0 for result in results)
    assert 0.3 < paid <= 0.5
    assert len(model.requests) < 20 and "USD" in results[-1].diagnosis.why


def test_an_unknown_cost_is_recorded_as_unknown_and_held_against_the_cap(spool: Spool, model: Model) -> None:
    llm = at(model, per_day=PerDay(calls=1000, usd=0.5), price=Price(input=1.0, output=50.0))
    results, _ = run(spool, llm, [group(number) for number in range(20)])
    assert all(result.usd is None for result in results)
    assert all(call["usd"] is None and call["at_most"] > 0 for call in ledger(spool))
    assert 0 < len(model.requests) < 6


@pytest.mark.parametrize("reply", [(500, b"no"), (200, b""), (200, b"<html>"), (429, b""), None])
def test_a_model_that_does_not_answer_is_soon_left_alone_and_asked_again_later(
    spool: Spool, model: Model, reply: Reply | None
) -> None:
    model.reply = lambda body: reply
    results, recorded = run(spool, at(model, timeout=0.3), [group(number) for number in range(10)])
    assert all(map(is_default, results)) and not recorded
    assert 1 <= len(model.requests) <= PATIENCE
    model.reply = lambda body: completion(diagnosis())
    again, recorded = run(spool, at(model), [group(0)])
    assert again == recorded and again[0].answered


def test_an_answer_in_between_renews_the_patience(spool: Spool, model: Model) -> None:
    model.reply = lambda body: completion(diagnosis()) if len(model.requests) % PATIENCE == 0 else (500, b"")
    results, _ = run(spool, at(model), [group(number) for number in range(9)])
    assert [result.answered for result in results] == [False, False, True] * 3


@pytest.mark.parametrize("script", ["cat", "echo done", "exit 78", "yes | head -c 1000000", "sleep 30"])
def test_a_command_that_is_no_model_leaves_the_default(spool: Spool, tmp_path: Path, script: str) -> None:
    llm = Llm(command=["/bin/sh", "-c", script], folder=tmp_path, timeout=0.5)
    results, _ = run(spool, llm, [group(1)])
    assert is_default(results[0])


def test_a_command_can_be_the_model(spool: Spool, tmp_path: Path) -> None:
    script = tmp_path / "ask"
    script.write_text(f"#!/bin/sh\ngrep -q 'case 001' && echo '{diagnosis()}'\n")
    script.chmod(0o755)
    results, recorded = run(spool, Llm(command=["./ask"], folder=tmp_path), [group(1)])
    assert results == recorded
    assert (results[0].diagnosis.cls, results[0].diagnosis.rule) == ("parser_broken", "command ask")


def test_a_missing_command_is_looked_for_once(spool: Spool, tmp_path: Path) -> None:
    results, recorded = run(spool, Llm(command=["./gone"], folder=tmp_path), [group(1), group(2)])
    assert all(map(is_default, results)) and not recorded
    assert len(ledger(spool)) == 1


def test_a_ledger_that_cannot_be_read_stops_all_questions(spool: Spool, model: Model) -> None:
    Path(spool.verdicts, "ledger.json").write_text('{"day": ')
    results, recorded = run(spool, at(model), [group(1), group(2)])
    assert not model.requests and not recorded
    assert all(is_default(result) and "ledger.json cannot be read" in result.diagnosis.why for result in results)


def test_two_processes_do_not_ask_at_once(spool: Spool, model: Model) -> None:
    first = diagnose(spool, at(model), [group(1), group(2)], lambda result: None)
    next(first)
    with pytest.raises(TryAgain, match="another process is asking"):
        next(diagnose(spool, at(model), [group(3)], lambda result: None))
    first.close()  # type: ignore[attr-defined]
    assert run(spool, at(model), [group(3)])[0][0].answered


KILLED = """
from pathlib import Path
from rivus.config.doctor import Llm
from rivus.tell.diagnose import diagnose
from rivus.doctor.failure import failure_of
from rivus.spool.layout import open_spool
llm = Llm(base_url={url!r}, model="small", allow_private_hosts=["127.0.0.1"], folder=Path())
group = {{"fingerprint": "{fingerprint}", "example": failure_of(ValueError("x"), "h"), "count": 1}}
list(diagnose(open_spool({root!r}), llm, [group], lambda result: None))
"""


def test_a_call_during_which_the_process_was_killed_is_not_forgotten(spool: Spool, model: Model) -> None:
    model.reply = lambda body: None
    script = KILLED.format(url=model.url, root=spool.root, fingerprint=f"{1:016x}")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], env=env)
    deadline = time.monotonic() + 20
    while not model.requests:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (call,) = ledger(spool)
    assert (call["state"], call["usd"]) == ("asked", None)
    results, _ = run(spool, at(model, per_day=PerDay(calls=1)), [group(1), group(2)])
    assert len(model.requests) == 1
    assert "asked today already" in results[0].diagnosis.why
    assert "1 calls are used up" in results[1].diagnosis.why
