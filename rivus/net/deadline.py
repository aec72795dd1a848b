"""A deadline that no library can overlook: when it has passed, the connections made under it are shut.

Time limits of libraries hold for one read each, so that a server which sends a byte now and then keeps a reader for
ever. Here each socket is known by a duplicate of its descriptor: `shutdown` works on the connection whoever holds
it, plain or wrapped in TLS, and wakes a blocked read.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from time import monotonic

AGAIN = 0.5
"""Seconds between two cuts after the end: a connection that was still being made is cut the next time."""


class Deadline:
    """`seconds` from now on, `watch`ed sockets are shut; `close` ends the watch. Use it from one thread."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.cut = False
        """Whether it has come to that: what was read then may be incomplete, however well it ended."""
        self._end = monotonic() + seconds
        self._held: dict[int, socket.socket] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def left(self) -> float:
        """Seconds until the end, 0 after it."""
        return max(0.0, self._end - monotonic())

    def watch(self, sock: socket.socket) -> None:
        """Has `sock` shut at the end. Raises TimeoutError when the end has passed."""
        if not self.left:
            self.cut = True
            raise TimeoutError(f"took longer than {self.seconds:g} s")
        descriptor = os.dup(sock.fileno())
        inode = os.fstat(descriptor).st_ino
        if inode in self._held:
            os.close(descriptor)
            return
        self._held[inode] = socket.socket(fileno=descriptor)
        if self._thread is None:
            self._thread = threading.Thread(target=self._wait, name="rivus-deadline", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Forgets the sockets, which live on."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        while self._held:
            self._held.popitem()[1].close()

    def _wait(self) -> None:
        pause = self.left
        while not self._closed.wait(pause):
            self.cut = True
            for sock in list(self._held.values()):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            pause = AGAIN
