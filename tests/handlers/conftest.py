"""A context for handlers that needs no spool, and a web server for one test."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rivus.net.session import open_session


class FakeContext:
    """What `rivus.model.context.Context` asks for, over a folder."""

    private_hosts: tuple[str, ...] = ("127.0.0.1",)
    params: dict[str, Any]
    key, attempt, idempotency_key, timeout = "k", 1, "once", 20.0
    log = logging.getLogger("test")

    def __init__(self, folder: Path) -> None:
        self.folder, self.params = folder, {}
        self.workdir = folder / "files" / "fetch"
        self.workdir.mkdir(parents=True)
        self.http = open_session(self.private_hosts)

    def path(self, file: str) -> Path:
        path = (self.folder / "files" / file).resolve()
        if not path.is_relative_to(self.folder / "files"):
            raise ValueError(f"{file!r} is not a file of this item")
        return path

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.folder / "files"))

    def secret(self, name: str) -> str:
        return name

    def cost(self, *, usd: float | None = None, calls: int = 1, tokens: int = 0) -> None:
        pass


@pytest.fixture
def ctx(tmp_path: Path) -> FakeContext:
    return FakeContext(tmp_path.resolve())


@dataclass
class Site:
    """Pages on loopback: path -> (status, content type, body); `asked` lists the paths in order."""

    url: str
    pages: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda path: None

    def add(
        self, path: str, body: str | bytes, kind: str = "text/html; charset=utf-8", status: int = 200
    ) -> str:
        self.pages[path] = (status, kind, body.encode() if isinstance(body, str) else body)
        return self.url + path


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            found.before(self.path)
            status, kind, body = found.pages.get(self.path, (404, "text/plain", b"not here"))
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients may hang up
    found = Site(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()
