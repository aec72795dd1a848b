"""A Look without a spool, and servers on loopback."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from rivus.model.context import Found
from rivus.model.outcome import Halt, Json
from rivus.net.session import open_session


class FakeLook:
    """What a source needs, in memory: `take` is a whole look, after which what was found is known."""

    def __init__(self, folder: Path, total: float = 20.0, max_bytes: int = 5_000_000) -> None:
        self.cursor: Json = {}
        self.private_hosts: tuple[str, ...] = ("127.0.0.1",)
        self.http = open_session(self.private_hosts, total=total, max_bytes=max_bytes)
        self.log = logging.getLogger("look")
        self.folder = folder
        self.secrets: dict[str, str] = {"finnhub_token": "test-token"}
        self.seen: dict[str, Json] = {}

    def known(self, key: str) -> bool:
        return key in self.seen

    def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise Halt(f"no secret {name}")
        return self.secrets[name]

    def take(self, found: Iterator[Found]) -> list[Found]:
        """What is new; each is known as soon as it was yielded, as with a real publisher."""
        new: list[Found] = []
        for item in found:
            if item.key not in self.seen:
                self.seen[item.key] = item.data
                new.append(item)
        return new


@pytest.fixture
def look(tmp_path: Path) -> FakeLook:
    return FakeLook(tmp_path)


Page = tuple[int, dict[str, str], bytes]


class Site:
    """A server whose answers are in `pages` (path -> status, headers, body); `asked` has every request."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, dict(self.headers)))
                status, headers, body = site.answer(self.path, dict(self.headers))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def put(self, path: str, body: str | bytes, status: int = 200, **headers: str) -> str:
        """Answers `path` so from now on; gives its address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (status, named, body.encode() if isinstance(body, str) else body)
        return self.url + path

    def answer(self, path: str, asked: dict[str, str]) -> Page:
        status, headers, body = self.pages.get(path) or self.pages.get(path.split("?")[0]) or (404, {}, b"")
        if "ETag" in headers and asked.get("If-None-Match") == headers["ETag"]:
            return 304, headers, b""
        return status, headers, body

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    started = Site()
    yield started
    started.close()


@pytest.fixture
def names() -> Callable[[list[Found]], list[str]]:
    return lambda found: [item.key for item in found]
