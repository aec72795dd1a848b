"""What is posted to a webhook, and that its address stays a secret."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from rivus.handlers.notify import webhook
from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, SourceBlocked
from tests.handlers.conftest import FakeContext
from tests.model_server import Model, serving

ITEM = {"title": "<!channel> & *News*", "url": "https://e.org/a", "score": {"value": 7}}


@pytest.fixture
def hook(ctx: FakeContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """A server whose address is the secret."""
    with serving() as found:
        found.reply = lambda body: (200, b"ok")
        secret = f"{found.url}/services/T0/s3cr3t-path?token=s3cr3t-query"
        monkeypatch.setattr(ctx, "secret", lambda name: secret)
        yield found


def test_the_chosen_fields_are_posted_with_a_key_that_every_try_shares(ctx: FakeContext, hook: Model) -> None:
    given = {"fields": ["title", "score.value", "gone"], "text": "{title}: {score.value} {{"}
    assert webhook(ITEM, ctx, **given) == {"notified": "127.0.0.1", "status": 200}
    (request,) = hook.requests
    title = ITEM["title"]
    assert request["body"] == {"key": "k", "title": title, "score.value": 7, "text": f"{title}: 7 {{{{"}
    assert request["headers"]["Idempotency-Key"] == ctx.idempotency_key
    assert request["headers"]["Content-Type"] == "application/json"
    assert request["path"] == "/v1/services/T0/s3cr3t-path?token=s3cr3t-query"


def test_slack_and_discord_get_what_they_take_and_nobody_is_pinged(ctx: FakeContext, hook: Model) -> None:
    webhook(ITEM, ctx, form="slack", text="<https://e.org|New> {title}")
    webhook({"title": "x" * 9000}, ctx, form="discord", text="{title}")
    slack, discord = (request["body"] for request in hook.requests)
    assert slack == {"text": "<https://e.org|New> &lt;!channel&gt; &amp; *News*"}
    assert discord == {"content": "x" * 2000, "allowed_mentions": {"parse": []}}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(401, Halt), (404, Halt), (410, Halt), (302, Halt), (400, ItemFailed), (429, SourceBlocked), (500, RetryLater),
     (503, SourceBlocked)],
)  # fmt: skip
def test_what_the_service_refuses_is_an_outcome_that_does_not_tell_the_address(
    ctx: FakeContext, hook: Model, status: int, outcome: type[Outcome]
) -> None:
    hook.reply, hook.headers["Retry-After"] = (lambda body: (status, b"no")), "60"
    with pytest.raises(outcome, match=str(status)) as raised:
        webhook(ITEM, ctx, fields=["title"])
    assert "s3cr3t" not in repr(raised.value) and "127.0.0.1" in str(raised.value)
    if isinstance(raised.value, SourceBlocked):
        assert raised.value.until == pytest.approx(time.time() + 60, abs=10)


def test_a_service_that_cannot_be_reached_is_tried_again_later(ctx: FakeContext, monkeypatch: Any) -> None:
    monkeypatch.setattr(ctx, "secret", lambda name: "http://127.0.0.1:9/s3cr3t/path?s3cr3t")
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1") as raised:
        webhook(ITEM, ctx, fields=["title"])
    assert "s3cr3t" not in repr(raised.value)


def test_an_address_on_a_private_network_halts_the_job(ctx: FakeContext, hook: Model) -> None:
    from rivus.net.session import open_session

    ctx.http = open_session(())
    with pytest.raises(Halt, match="allow_private_hosts"):
        webhook(ITEM, ctx, fields=["title"])
    assert hook.requests == []


def test_what_cannot_be_sent_is_not(ctx: FakeContext, hook: Model) -> None:
    with pytest.raises(ItemFailed, match="`gone` is missing"):
        webhook(ITEM, ctx, text="{gone}")
    with pytest.raises(Halt, match="nothing to send"):
        webhook(ITEM, ctx)
    with pytest.raises(Halt, match="nothing to send"):
        webhook(ITEM, ctx, form="slack", fields=["title"])
    with pytest.raises(Halt, match="`url` is no http address"):
        webhook(ITEM, ctx, url="file:///etc/passwd", fields=["title"])
    assert hook.requests == []
