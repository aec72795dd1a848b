"""A Look without a spool, and a server on loopback."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rivus.model.context import Found
from rivus.model.outcome import Halt, Json
from rivus.net.session import open_session
from tests.site import site as site


class FakeLook:
    """What a source needs, in memory: `take` is a whole look, after which what was found is known."""

    def __init__(self, folder: Path, total: float = 20.0, max_bytes: int = 5_000_000) -> None:
        self.cursor: Json = {}
        self.private_hosts: tuple[str, ...] = ("127.0.0.1",)
        self.http = open_session(self.private_hosts, total=total, max_bytes=max_bytes)
        self.log = logging.getLogger("look")
        self.folder = folder
        self.secrets: dict[str, str] = {"finnhub_token": "test-token"}
        self.seen: dict[str, Json] = {}
        self.gone: list[str] = []

    def known(self, key: str) -> bool:
        return key in self.seen

    def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise Halt(f"no secret {name}")
        return self.secrets[name]

    def vanished(self, key: str) -> None:
        if self.known(key):
            self.gone.append(key)

    def take(self, found: Iterator[Found]) -> list[Found]:
        """What is new; each is known as soon as it was yielded, as with a real publisher."""
        new: list[Found] = []
        for item in found:
            if item.key not in self.seen:
                self.seen[item.key] = item.data
                new.append(item)
        return new


@pytest.fixture
def look(tmp_path: Path) -> FakeLook:
    return FakeLook(tmp_path)


@pytest.fixture
def names() -> Callable[[list[Found]], list[str]]:
    return lambda found: [item.key for item in found]
