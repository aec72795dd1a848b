"""Servers on loopback that answer whatever bytes a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

Answer = Callable[[bytes], list[bytes]]


class Server:
    """Answers each connection with what `answer(request)` gives, then closes it."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = connection.recv(65_536)
            self.requests.append(request)
            for piece in self._answer(request):
                connection.sendall(piece)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Server]]:
    """Starts small servers on loopback: `serve(lambda request: [b"HTTP/1.1 200 OK…", …])`."""
    servers: list[Server] = []

    def start(answer: Answer) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def plainly(body: bytes, headers: str = "", status: str = "200 OK", *, keep: bool = False) -> list[bytes]:
    """A whole HTTP/1.1 answer; `keep` for one that lets the connection live."""
    headers += "" if keep else "Connection: close\r\n"
    return [f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body]
