"""The network guard: no connection to a private address, whatever library makes it and whatever a name resolves to.

An audit hook sees the true address of every `connect` of this process, after name resolution, on every hop of a
redirect. The context (`guarding`) says what is open; a thread or task without one may reach public addresses only.
Programs that are started (ffmpeg, a JavaScript runtime) are outside this process and outside its guard.

Address classes: IANA special-purpose registries (RFC 6890), as far as `ipaddress` knows them; RFC 3056 (6to4),
RFC 4291 (mapped, compatible), RFC 6052 (NAT64), RFC 8215 (local NAT64).
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

from rivus.model.outcome import Halt
from rivus.net.deadline import Deadline
from rivus.net.opened import private_hosts as opened_here

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = IPv6Network("::/96")


class PrivateAddress(OSError):
    """A connection to an address that is not public and that nobody has opened."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be reached besides public addresses."""

    opened: tuple[Network, ...] = ()

    def check(self, host: str) -> None:
        """Returns if `host`, an address in digits, may be connected to. Raises PrivateAddress."""
        try:
            address = ip_address(host)
        except ValueError:
            # A name here was resolved by the system already, and could resolve differently if asked again.
            raise PrivateAddress(f"connection to {host!r} refused: only resolved addresses can be checked") from None
        inner = _unwrapped(address)
        if _is_public(inner) or any(a in network for network in self.opened for a in (address, inner)):
            return
        raise PrivateAddress(f"connection to the private address {host} refused (see allow_private_hosts)")


@dataclass(frozen=True, slots=True)
class _Frame:
    policy: Policy = field(default_factory=Policy)
    deadline: Deadline | None = None


_DEFAULT = _Frame()
_frame: ContextVar[_Frame] = ContextVar("rivus_guard", default=_DEFAULT)
_installed = False


def policy_of(private_hosts: Iterable[str]) -> Policy:
    """The policy that opens `private_hosts`: addresses, networks (10.0.0.0/8) or names, which are resolved now.

    A name that does not resolve stays closed, with a warning. Raises Halt for a network that is none.
    """
    install()
    return Policy(tuple(network for entry in private_hosts for network in _networks(entry)))


@contextmanager
def guarding(private_hosts: Iterable[str] | Policy = (), total: float | None = None) -> Iterator[Deadline | None]:
    """Holds this context's connections to the policy, and cuts them after `total` seconds (default: never).

    Gives the deadline in force, whose `cut` tells whether it had to act; an outer, earlier one counts as well.
    Do not hold it open over a `yield` of a generator: the consumer would run under it.
    """
    policy = private_hosts if isinstance(private_hosts, Policy) else policy_of(private_hosts)
    outer = _frame.get().deadline
    own = None if total is None else Deadline(total if outer is None else min(total, outer.left))
    before = _frame.set(_Frame(policy, own or outer))
    try:
        yield own or outer
    finally:
        _frame.reset(before)
        if own is not None:
            own.close()


def raise_if_cut() -> None:
    """Raises TimeoutError if this context's deadline has passed: a cut connection can look like a body's end."""
    deadline = _frame.get().deadline
    if deadline is not None and deadline.cut:
        raise TimeoutError(f"took longer than {deadline.seconds:g} s")


def install() -> None:
    """Sets the audit hook, once for the life of the process: hooks cannot be removed."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_on_audit)


def _on_audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        check_connection(*args)
    elif event == "http.client.send":
        # A kept-alive connection is not connected again, but it is under the deadline of its next request too.
        deadline, sock = _frame.get().deadline, args[0].sock
        if deadline is not None and sock is not None:
            deadline.watch(sock)


def check_connection(sock: socket.socket, address: Any) -> None:
    """Returns if this context may connect to `address`. Raises PrivateAddress."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    frame = _frame.get()
    hosts = opened_here.get()
    policy = policy_of(hosts) if frame is _DEFAULT and hosts else frame.policy
    host = address[0] if isinstance(address, tuple) and address else address
    policy.check(host.decode("ascii", "replace") if isinstance(host, bytes) else str(host))
    if frame.deadline is not None:
        frame.deadline.watch(sock)


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and (address in _NAT64 or address in _COMPATIBLE):
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and (address.is_site_local or address in _NAT64_LOCAL):
        return False
    special = address.is_multicast or address.is_reserved or address.is_link_local or address.is_unspecified
    return address.is_global and not special


def _networks(entry: str) -> list[Network]:
    try:
        return [ip_network(entry, strict=False)]
    except ValueError:
        if "/" in entry:
            raise Halt(f"allow_private_hosts: {entry!r} is not a network such as 10.0.0.0/8") from None
    try:
        return [ip_network(str(found[4][0])) for found in socket.getaddrinfo(entry, None, type=socket.SOCK_STREAM)]
    except (OSError, ValueError) as error:
        import logging

        log = logging.getLogger(__name__)
        log.warning("allow_private_hosts: %s stays closed, it does not resolve: %s", entry, error)
        return []
