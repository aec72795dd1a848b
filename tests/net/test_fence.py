"""Code that opens sockets of its own is under the guard, too."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
from rivus.net.fence import fenced
with fenced({hosts}):
    assert "socket" not in sys.modules and "ipaddress" not in sys.modules
    import socket
    listening = socket.create_server(("127.0.0.1", 0))
    try:
        socket.create_connection(listening.getsockname(), 5)
        print("connected")
    except OSError as error:
        print(type(error).__name__)
"""


def probe(hosts: str) -> str:
    done = subprocess.run([sys.executable, "-c", PROBE.format(hosts=hosts)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_socket_of_a_handlers_own_cannot_reach_a_private_address() -> None:
    assert probe("()") == "PrivateAddress"


def test_what_the_job_allows_is_open() -> None:
    assert probe('("127.0.0.1",)') == "connected"
    assert probe('("10.0.0.0/8",)') == "PrivateAddress"
