"""The network guard for code that does not ask for it: armed before a handler runs, free until something connects.
Only then `rivus.net.guard`, and what that imports, is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rivus.net.opened import private_hosts

_armed = False


@contextmanager
def fenced(hosts: tuple[str, ...]) -> Iterator[None]:
    """Inside, whatever this process connects to is public, or named in `hosts`; connect() raises
    guard.PrivateAddress otherwise. The first call arms the process for good: elsewhere only public addresses are open.
    """
    global _armed
    if not _armed:
        _armed = True
        sys.addaudithook(_on_audit)
    before = private_hosts.set(hosts)
    try:
        yield
    finally:
        private_hosts.reset(before)


def _on_audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        from rivus.net.guard import check_connection

        check_connection(*args)
