"""The network guard for code that does not ask for it: armed before a handler runs, free until something connects.
Only then `rivus.net.guard`, and what that imports, is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_hosts: ContextVar[tuple[str, ...]] = ContextVar("rivus_private_hosts", default=())
_armed = False


@contextmanager
def fenced(private_hosts: tuple[str, ...]) -> Iterator[None]:
    """Inside, whatever this process connects to is public, or named in `private_hosts`; connect() raises
    guard.PrivateAddress otherwise. The first call arms the process for good: elsewhere only public addresses are open.
    """
    global _armed
    if not _armed:
        _armed = True
        sys.addaudithook(_on_audit)
    before = _hosts.set(private_hosts)
    try:
        yield
    finally:
        _hosts.reset(before)


def private_hosts() -> tuple[str, ...]:
    """What `fenced` opens here."""
    return _hosts.get()


def _on_audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        from rivus.net.guard import check_connection

        check_connection(*args)
