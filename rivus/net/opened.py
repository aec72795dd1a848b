"""What is open here besides public addresses, in words: a light module, for whoever must not load the guard yet."""

from __future__ import annotations

from contextvars import ContextVar

private_hosts: ContextVar[tuple[str, ...]] = ContextVar("rivus_private_hosts", default=())
"""Addresses, networks (CIDR) and names."""
