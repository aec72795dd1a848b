"""The system's journal (systemd-journald): whether stderr goes there, and messages with fields of their own.

Format: systemd's "Native Journal Protocol". A message is one datagram of fields; each is `NAME=value` and a newline,
or, for a value that holds a newline, the name, a newline, the length in 64 bits little-endian, the value and a
newline. So no value can look like another field.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import socket

SOCKET = "/run/systemd/journal/socket"
MOST = 48 << 10
"""Bytes of a value; a longer one is cut. It is the length at which journald cuts plain lines, too."""

_making = threading.Lock()
_sender: socket | None = None


def is_stderr() -> bool:
    """Whether this process's stderr is a stream of the journal, by what systemd.exec(5) says of $JOURNAL_STREAM."""
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream:
        return False
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


def send(fields: Mapping[str, str]) -> bool:
    """Hands over one message at once, or gives False: no journal, no room in its queue, a message too large for it.

    fields: names of upper-case letters, digits and `_`; any values. Never raises, never waits.
    """
    from socket import MSG_DONTWAIT, MSG_NOSIGNAL

    try:
        _socket().sendto(encode(fields), MSG_DONTWAIT | MSG_NOSIGNAL, SOCKET)
    except OSError:
        return False
    return True


def encode(fields: Mapping[str, str]) -> bytes:
    """The datagram of a message."""
    return b"".join(_field(name, _cut(value.encode(errors="replace"))) for name, value in fields.items())


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value)
    return b"%s=%s\n" % (name.encode(), value)


def _cut(value: bytes) -> bytes:
    """At most MOST bytes, without a part of a character at the end."""
    return value if len(value) <= MOST else value[:MOST].decode(errors="ignore").encode()


def _socket() -> socket:
    global _sender
    with _making:
        if _sender is None:
            import socket

            _sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        return _sender
