"""A web server on loopback whose pages a test decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

Page = tuple[int, dict[str, str], bytes]


class Site:
    """Its answers are in `pages` (path -> status, headers, body); `asked` lists the paths of all requests in order,
    `headers` what came with them; `before` is called with the path before each answer."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.before: Callable[[str], object] = lambda path: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients may hang up
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def put(
        self, path: str, body: str | bytes, status: int = 200, kind: str = "text/html; charset=utf-8", **headers: str
    ) -> str:
        """Answers `path` so from now on; gives its address. kind: the Content-Type, "" for none."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if kind:
            named["Content-Type"] = kind
        self.pages[path] = (status, named, body.encode() if isinstance(body, str) else body)
        return self.url + path

    def answer(self, path: str, asked: dict[str, str]) -> Page:
        """What is at `path`, with or without its query; 304 to the validator it was put there with."""
        self.asked.append(path)
        self.headers.append(asked)
        self.before(path)
        status, headers, body = self.pages.get(path) or self.pages.get(path.split("?")[0]) or (404, {}, b"not here")
        if "ETag" in headers and asked.get("If-None-Match") == headers["ETag"]:
            return 304, headers, b""
        return status, headers, body

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = site.answer(self.path, dict(self.headers))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    """A server for one test, without pages."""
    started = Site()
    yield started
    started.close()
