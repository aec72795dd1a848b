"""Asks Finnhub (https://finnhub.io/docs/api): one GET with the token, its peculiar refusals turned into outcomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rivus.model.document import parse_json
from rivus.model.outcome import Halt, RetryLater
from rivus.net.session import check, fetch

if TYPE_CHECKING:
    import requests

SECRET = "finnhub_token"
BASE = "https://finnhub.io"
_NO_TOKEN = re.compile(r"(?i)api key|sign up|api token")
_NO_ACCESS = re.compile(r"(?i)don't have access|no access")
"""What lies beyond the plan, said with a good status too."""


def ask(session: requests.Session, secret: str, base: str, path: str, params: Mapping[str, str]) -> Any:
    """The JSON that `base` + `/api/v1/` + `path` answers with. secret: the token's value, sent as a header.

    Raises Halt for a token that is refused or not allowed to, SourceBlocked at the rate limit, RetryLater for what is
    no JSON or says no more than that there was an error, and the other outcomes of `rivus.net.session`.
    """
    headers = {"X-Finnhub-Token": secret}
    response = fetch(session, f"{base.rstrip('/')}/api/v1/{path}", params=dict(params), headers=headers)
    told = _told(response)
    if response.status_code in (401, 403):
        raise Halt(f"Finnhub refuses the token or the plan it stands for ({response.status_code}): {told}")
    if response.status_code == 429 and _NO_TOKEN.search(told):
        raise Halt(f"Finnhub has seen no token: {told}")
    try:
        answer = parse_json(check(response).content)
    except ValueError as error:
        raise RetryLater(f"Finnhub's answer is no JSON: {str(error)[:100]}") from None
    if isinstance(answer, dict) and answer.keys() == {"error"}:
        raise (Halt if _NO_ACCESS.search(told) else RetryLater)(f"Finnhub answers with an error: {told}")
    return answer


def _told(response: requests.Response) -> str:
    from rivus.net.cleaned import beginning

    return beginning(response.content, 200)
