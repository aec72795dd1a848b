"""No network at all: for a process that must answer from a record.

`cut_off` asks the kernel for a network namespace without any interface (unshare(2), network_namespaces(7)), which
holds for every program that is started, too. `offline` refuses in this process whatever would leave it, so that the
attempt is an error with a name, and stands alone where the kernel gives no namespace.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_LEAVES = frozenset(
    [
        "socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo",
        "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo",
    ]
)  # fmt: skip
_depth = 0
_installed = False


class Offline(OSError):
    """Something wanted to use the network while there must be none."""


def cut_off() -> bool:
    """Takes the network from this process and all that it starts, for good. False if the kernel does not allow it.
    Call it before there is a second thread."""
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        return bool(libc.unshare(_CLONE_NEWNET) == 0)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    with suppress(OSError):  # without its names it is nobody to itself, but as much cut off
        for file, text in {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}.items():
            with open(f"/proc/self/{file}", "w", encoding="ascii") as held:
                held.write(text)
    return True


@contextmanager
def offline() -> Iterator[None]:
    """Inside, no thread of this process resolves a name or opens a connection: Offline. The system's journal is
    reached all the same."""
    global _depth, _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_on_audit)
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def _on_audit(event: str, args: tuple[Any, ...]) -> None:
    if _depth and event in _LEAVES and not _is_journal(event, args):
        raise Offline(f"offline: no network is used ({event})")


def _is_journal(event: str, args: tuple[Any, ...]) -> bool:
    return event in ("socket.sendto", "socket.sendmsg") and args[-1] == "/run/systemd/journal/socket"
