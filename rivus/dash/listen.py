"""Where the dashboard listens: a port of the loopback interface, a socket in the file system, or the socket that
systemd has opened before it started the process (sd_listen_fds(3): the first one, number 3)."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress

from rivus.errors import RivusError
from rivus.spool import atomic

FIRST = 3
BACKLOG = 128


class CannotListen(RivusError):
    """The address is taken, or what systemd passed is no socket that one can listen on."""


def from_systemd() -> socket.socket | None:
    """The socket that systemd passed to this process, if it did. Raises CannotListen."""
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return None
    count = os.environ.pop("LISTEN_FDS", "")
    if count != "1":
        raise CannotListen(f"one socket is expected from systemd, not {count or 'none'}")
    try:
        listener = socket.socket(fileno=FIRST)
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError("nobody listens on it")
    except OSError as error:
        raise CannotListen(f"file descriptor {FIRST} is no socket to listen on: {error}") from error
    listener.set_inheritable(False)
    return listener


def on_port(port: int) -> socket.socket:
    """A port of 127.0.0.1; 0 takes any that is free. Raises CannotListen."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return _listening(listener, ("127.0.0.1", port), f"127.0.0.1:{port}")


def on_path(path: str) -> socket.socket:
    """A socket at `path` that only this user may open; one that nobody listens on any more is replaced. Raises
    CannotListen."""
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        return _listening(listener, path, path)
    finally:
        os.umask(before)


def _listening(listener: socket.socket, address: str | tuple[str, int], name: str) -> socket.socket:
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise CannotListen(f"cannot listen on {name}: {getattr(error, 'strerror', None) or error}") from error
    return listener


def _clear(path: str) -> None:
    """Removes a socket that is left over. Anything else at the path is in the way, and stays."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise CannotListen(f"cannot listen on {path}: it is there and no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(1)
            try:
                caller.connect(path)
            except ConnectionRefusedError:
                atomic.remove(path)
            except OSError as error:
                raise CannotListen(f"cannot listen on {path}: {error}") from error


def address_of(listener: socket.socket) -> str:
    """What a person may open: `http://127.0.0.1:8470/`, or the path of a socket."""
    name = listener.getsockname()
    return f"http://{name[0]}:{name[1]}/" if isinstance(name, tuple) else str(name)
