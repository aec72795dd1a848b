"""A browser for tests: asks an ASGI application in this process, with whatever bytes a test makes up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """Asks one application, always in the same event loop."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.runner = asyncio.Runner()

    def __call__(
        self, target: str, method: str = "GET", host: str | None = "localhost", headers: Iterable[tuple[str, str]] = ()
    ) -> Answer:
        """target: path and query as they are sent."""
        return self.runner.run(self._ask(target.encode("utf-8", "surrogateescape"), method, host, headers))

    async def _ask(self, target: bytes, method: str, host: str | None, more: Iterable[tuple[str, str]]) -> Answer:
        path, _, query = target.partition(b"?")
        headers = [(name.encode(), value.encode()) for name, value in (*([("host", host)] if host else ()), *more)]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"), "raw_path": path, "query_string": query,
            "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8470),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        parts = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            """The request, and then nothing: the visitor stays."""
            return next(parts, None) or await asyncio.get_running_loop().create_future()

        await self.app(scope, receive, send)
        start, *bodies = sent
        assert start["type"] == "http.response.start" and bodies and not bodies[-1].get("more_body")
        body = b"".join(message.get("body", b"") for message in bodies)
        return Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body)
