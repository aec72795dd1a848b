"""The stage `notify.webhook`: tells somebody of an item."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from rivus.handlers.fields import value_at
from rivus.model.outcome import Halt, ItemFailed, Json, Outcome

if TYPE_CHECKING:
    import requests

    from rivus.model.context import Context

SECRETS = ("webhook_url",)
MAX_TEXT = {"json": 100_000, "slack": 3000, "discord": 2000}
"""Characters that a service takes."""
_NONE: list[str] = []
_GONE = (401, 403, 404, 405, 410)
_PLACE = re.compile(r"\{([A-Za-z_][\w.]{0,100})\}")


def webhook(
    item: Json, ctx: Context, *, secret: str = "webhook_url", url: str | None = None, fields: list[str] = _NONE,
    text: str | None = None, form: Literal["json", "slack", "discord"] = "json",
) -> Json:  # fmt: skip
    """A POST of JSON to a webhook.

    Takes: the fields that `fields` and `text` name (`live.title`: in the object `live`).
    Gives: `notified` (the service's host), `status`.

    secret: the name of the secret that is the address, for who knows the address may write there. Another one than
            this must stand under the job's `secrets:`.
    url:    the address itself, where it is none.
    fields: what is sent under their names, besides `key`; what the item does not have is left out.
    text:   a line with fields in braces (`New: {title} {url}`), sent as `text`.
    form:   slack, discord: `text` alone, as these services take it: what an item says pings nobody and formats nothing
            on Slack; a text that is too long for them is cut.
    The header Idempotency-Key is the same in every try: a try that was interrupted may have been heard.
    With --test it notifies all the same.
    Raises Halt for an address that cannot be used or is refused (401, 403, 404, 405, 410), ItemFailed when `text` names
    a field that is missing, and for everything else what `rivus.net.session` says.

        tell: {handler: notify.webhook, with: {form: slack, text: "{title}: {score} points"}, limit: slack}
    """
    where = ctx.secret(secret) if url is None else url
    parts = urlsplit(where)
    if parts.scheme not in ("http", "https") or not parts.hostname or not where.isprintable():
        raise Halt(f"{f'the secret {secret}' if url is None else '`url`'} is no http address")
    body = _body(item, ctx.key, fields, text, form)
    response = _post(ctx, where, json.dumps(body, ensure_ascii=False).encode(errors="replace"))
    return {"notified": parts.hostname, "status": response.status_code}


def _body(item: Json, key: str, fields: list[str], text: str | None, form: str) -> Json:
    if text is None and (form != "json" or not fields):
        raise Halt(f"nothing to send: `text`{' or `fields`' if form == 'json' else ''} is missing")
    line = None if text is None else filled(text, item, form)[: MAX_TEXT[form]]
    if form == "slack":
        return {"text": line}
    if form == "discord":
        return {"content": line, "allowed_mentions": {"parse": []}}
    given = {name: value for name in fields if (value := value_at(item, name)) is not None}
    return {"key": key, **given, **({} if line is None else {"text": line})}


def filled(text: str, item: Json, form: str = "json") -> str:
    """`text` with the fields of `item` in it. Raises ItemFailed for one that is missing."""

    def value(found: re.Match[str]) -> str:
        given = value_at(item, found[1])
        if given is None:
            raise ItemFailed(f"`{found[1]}` is missing, which `text` names")
        said = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        return _escaped(said) if form == "slack" else said

    return _PLACE.sub(value, text)


def _escaped(text: str) -> str:
    """What Slack reads as a mention, a link or a command begins with <."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(ctx: Context, where: str, body: bytes) -> requests.Response:
    """The answer to the notification. Raises outcomes, in which the address is its host alone."""
    from rivus.net.guard import PrivateAddress
    from rivus.net.session import causes, check, outcome_of

    host = f"the webhook at {urlsplit(where).hostname}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": ctx.idempotency_key}
    try:
        response = ctx.http.post(where, data=body, headers=headers, allow_redirects=False)
    except Exception as error:  # noqa: BLE001 - whatever the transport raises, outcome_of knows it
        outcome = outcome_of(error, host)
        if any(isinstance(cause, PrivateAddress) for cause in causes(error)):
            outcome = Halt(f"{host} is on a private address that `allow_private_hosts` does not open")
        raise _without(outcome, where) from None
    if response.status_code in _GONE or 300 <= response.status_code < 400:
        raise Halt(f"{host} answered {response.status_code}")
    response.url = host
    return check(response)


def _without(outcome: Outcome, where: str) -> Outcome:
    """The outcome without what is secret in an address: its path and query."""
    parts = urlsplit(where)
    reason = str(outcome)
    for part in (parts.path, parts.query):
        reason = reason.replace(part, "…") if len(part) > 1 else reason
    outcome.args = (reason,)
    return outcome
