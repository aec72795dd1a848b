"""Which directives fence a unit in: as much as its needs leave. `systemd-analyze security` is the judge.

What the directives mean: systemd.exec(5), systemd.resource-control(5). ProcSubset=pid is not among them, because a
limit's bucket must know the boot it belongs to, which is in /proc/sys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

from rivus.units.needs import Needs
from rivus.units.place import SYSTEM_UNITS, Place, in_unit, is_hidden

RESOLVERS = Path("/etc/resolv.conf")
MOST_RESOLVERS = 3
"""What resolv.conf(5) has use for."""
PRIVATE = (
    "localhost link-local multicast 0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16 198.18.0.0/15 "
    "fc00::/7"
)
"""What no job reaches unless it says so. Together with what systemd's own names stand for, the private and special
blocks of RFC 6890 that lead somewhere."""

_ALWAYS = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "UMask=0027",
)
"""What a manager without privileges can do, too."""
_SYSTEM = (
    "KeyringMode=private",
    "PrivateDevices=yes",
    "PrivateIPC=yes",
    "PrivateMounts=yes",
    "PrivateTmp=yes",
    "ProcSubset=all",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    "RemoveIPC=yes",
)
_CALLS = "SystemCallFilter=@system-service"
_FEWER_CALLS = "SystemCallFilter=~@privileged @resources"
_UNPRIVILEGED = ("AmbientCapabilities=", "CapabilityBoundingSet=", "PrivateUsers=yes")
_ROOT = ("CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_SETGID CAP_SETUID",)
"""Reads jobs.d, whoever owns it, and makes the spool's folders with the rights of the account."""


def worker(place: Place, needs: Needs, resolvers: Iterable[str] = ()) -> list[str]:
    """The lines of a service that works on the spool. resolvers: addresses of name servers."""
    lines = [*_ALWAYS, f"MemoryDenyWriteExecute={'no' if needs.javascript else 'yes'}", *_families(needs)]
    lines += [_CALLS, _FEWER_CALLS]
    if not place.user:
        lines += [f"User={place.account}", *_SYSTEM, *_UNPRIVILEGED]
        lines += [*_network(needs, resolvers), *_folders(place, needs)]
    return sorted(lines, key=_name) + list(_credentials(place, needs))


def installer(place: Place) -> list[str]:
    """The lines of the service that writes the unit files and prepares the spool: root, and no network."""
    lines = [*_ALWAYS, "MemoryDenyWriteExecute=yes", "RestrictAddressFamilies=AF_UNIX"]
    if not place.user:
        lines += [*_SYSTEM, _CALLS, "SystemCallFilter=~@resources", *_ROOT, *_network(Needs(network=False), ())]
        lines += _folders(place, Needs(write=(str(SYSTEM_UNITS),)))
    return sorted(lines, key=_name)


def nameservers(file: Path = RESOLVERS) -> list[str]:
    """The addresses of the name servers in resolv.conf(5); [] where it cannot be read."""
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return []
    found = re.findall(r"^nameserver[ \t]+([0-9A-Fa-f.:]+)", text, re.MULTILINE)
    return [address for address in map(_address, found) if address][:MOST_RESOLVERS]


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _families(needs: Needs) -> list[str]:
    return [f"RestrictAddressFamilies=AF_UNIX{' AF_INET AF_INET6' if needs.network else ''}"]


def _network(needs: Needs, resolvers: Iterable[str]) -> Iterator[str]:
    """A name among the hosts can be any address, and it is Python's guard that knows which: no filter then."""
    if not needs.network:
        yield from ("PrivateNetwork=yes", "IPAddressDeny=any")
        return
    networks = [_as_network(host) for host in needs.hosts]
    if None in networks:
        return
    yield f"IPAddressDeny={PRIVATE}"
    if allowed := sorted({*filter(None, networks), *resolvers}):
        yield f"IPAddressAllow={' '.join(allowed)}"


def _as_network(host: str) -> str | None:
    if host == "localhost":
        return host
    try:
        network = str(ip_network(host))
    except ValueError:
        return None
    return None if "%" in network else network


def _folders(place: Place, needs: Needs) -> list[str]:
    """What can be written, and what ProtectHome= and PrivateTmp= would hide. A folder that is not there (the -) is
    passed over: rivus says so better than systemd."""
    write = [in_unit(folder) for folder in (str(place.spool), *needs.write)]
    read = [in_unit(folder) for folder in (str(place.jobs), *needs.read)]
    lines = [f"{'BindPaths' if is_hidden(Path(folder)) else 'ReadWritePaths'}=-{folder}" for folder in write]
    lines += [f"BindReadOnlyPaths=-{folder}" for folder in read if is_hidden(Path(folder))]
    shown = any(is_hidden(Path(folder)) for folder in (*write, *read))
    return [*lines, f"ProtectHome={'tmpfs' if shown else 'yes'}"]


def _credentials(place: Place, needs: Needs) -> Iterator[str]:
    """The default, a line break, which counts as no secret, keeps a unit from failing before its file is there."""
    for name in needs.secrets:
        yield f"SetCredential={name}:\\n"
        yield f"LoadCredential={name}:{in_unit(place.credentials / name)}"


def _name(line: str) -> str:
    return line.partition("=")[0]
