"""A server that speaks like OpenAI's, on loopback, and says what a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, bytes]


def completion(text: str | None, **usage: Any) -> Reply:
    """A chat completion that says `text`."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return 200, json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage or None}).encode()


def diagnosis(cls: str = "parser_broken", action: str = "needs_human", after: Any = None, why: str = "a reason") -> str:
    """An answer as the schema wants it."""
    return json.dumps({"class": cls, "action": action, "after": after, "why": why})


@dataclass
class Model:
    """url: its base_url. requests: each with its `headers`, `path` and `body`. reply: from a body to an answer;
    None hangs until the test is over. repeat: how often a body is sent. headers: of
    every answer."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    reply: Callable[[dict[str, Any]], Reply | None] = lambda body: completion(diagnosis())
    repeat: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving() -> Iterator[Model]:
    model = Model()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.requests.append({"headers": dict(self.headers), "path": self.path, "body": body})
            reply = model.reply(body)
            if reply is None:
                model.over.wait(30)
                return
            self.send_response(reply[0])
            for name, value in model.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply[1]) * model.repeat))
            self.end_headers()
            for _ in range(model.repeat):
                self.wfile.write(reply[1])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients may hang up
    server.daemon_threads = True
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield model
    finally:
        model.over.set()
        server.shutdown()
        server.server_close()
