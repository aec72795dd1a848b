from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import time
import urllib.request
from typing import Any

import pytest

from rivus.model.outcome import Halt
from rivus.net.guard import Policy, PrivateAddress, guarding, policy_of, raise_if_cut

from .conftest import plainly

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "198.18.0.1", "192.0.2.1",
    "::1", "::", "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a00:1::",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "2001::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(PrivateAddress, match="private address"):
        Policy().check(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"])
def test_a_public_address_is_allowed_however_it_is_wrapped(address: str) -> None:
    Policy().check(address)


@pytest.mark.parametrize("name", ["localhost", "127.1", "0x7f000001", "2130706433", "010.0.0.1", ""])
def test_what_is_no_address_in_digits_is_refused(name: str) -> None:
    with pytest.raises(PrivateAddress, match="only resolved addresses"):
        Policy().check(name)


def test_entries_open_addresses_networks_and_names() -> None:
    policy = policy_of(["10.1.2.3", "192.168.0.0/16", "localhost"])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "192.168.7.7", "127.0.0.1"):
        policy.check(address)
    with pytest.raises(PrivateAddress):
        policy.check("10.1.2.4")


def test_a_network_that_is_none_halts_the_job() -> None:
    with pytest.raises(Halt, match=r"10\.0\.0\.0/99"):
        policy_of(["10.0.0.0/99"])


def test_a_name_that_does_not_resolve_stays_closed_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert policy_of(["no-such-host.invalid"]) == Policy()
    assert "no-such-host.invalid stays closed" in caplog.text


def test_a_connection_is_refused_where_it_is_made(serve: Any) -> None:
    server = serve(lambda request: plainly(b"secret"))
    with guarding(), pytest.raises(PrivateAddress, match=r"127\.0\.0\.1"):
        socket.create_connection(("127.0.0.1", server.port))
    assert server.requests == []


def test_urllib_and_asyncio_are_guarded_too(serve: Any) -> None:
    server = serve(lambda request: plainly(b"secret"))
    with guarding():
        with pytest.raises(OSError, match="private address"):
            urllib.request.urlopen(server.url)
        with pytest.raises(PrivateAddress):
            asyncio.run(asyncio.wait_for(asyncio.open_connection("127.0.0.1", server.port), 5))
    assert server.requests == []


def test_a_name_that_resolves_to_a_private_address_is_refused_at_connect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([("8.8.8.8", 80), ("127.0.0.1", 9)])
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", next(answers))]
    )
    assert socket.getaddrinfo("rebind.example", 80)[0][4][0] == "8.8.8.8"
    with guarding(), pytest.raises(PrivateAddress):
        socket.create_connection(("rebind.example", 80))


def test_a_thread_without_a_context_reaches_public_addresses_only(serve: Any) -> None:
    server, errors = serve(lambda request: plainly(b"")), []

    def connect() -> None:
        try:
            socket.create_connection(("127.0.0.1", server.port))
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    assert [type(error) for error in errors] == [PrivateAddress]


def test_the_policy_ends_with_its_context(serve: Any) -> None:
    server = serve(lambda request: plainly(b"ok"))
    with guarding():
        pass
    assert urllib.request.urlopen(server.url).read() == b"ok"


def test_unix_sockets_are_left_alone(tmp_path: Any) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    client = socket.socket(socket.AF_UNIX)
    with guarding():
        client.connect(str(tmp_path / "s"))
    client.close()
    listener.close()


def test_a_blocked_read_ends_with_the_deadline(serve: Any) -> None:
    gate = threading.Event()
    server = serve(lambda request: [b"x" * (not gate.wait(20))])
    started = time.monotonic()
    with guarding(["127.0.0.1"], total=0.2) as deadline:
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(b"hello")
        assert connection.recv(1) == b""
        assert deadline is not None and deadline.cut
        with pytest.raises(TimeoutError):
            raise_if_cut()
        with pytest.raises(TimeoutError, match=r"0\.2 s"):
            socket.create_connection(("127.0.0.1", server.port))
    gate.set()
    connection.close()
    assert time.monotonic() - started < 5


def test_a_connection_that_was_kept_alive_is_under_the_deadline_of_its_next_request(serve: Any) -> None:
    gate = threading.Event()

    def answer(request: bytes) -> Any:
        yield from plainly(b"first", keep=True)
        gate.wait(20)

    server = serve(answer)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"first"
    with guarding(["127.0.0.1"], total=0.2):
        connection.request("GET", "/")
        with pytest.raises((http.client.HTTPException, OSError)):
            connection.getresponse().read()
    gate.set()
    connection.close()


def test_an_outer_deadline_limits_an_inner_one() -> None:
    with guarding(total=5) as outer, guarding(total=60) as inner:
        assert outer is not None and inner is not None
        assert inner.left <= outer.left + 0.1
    with guarding(total=5) as outer, guarding() as inherited:
        assert inherited is outer
