"""What many tests need: the recorded world on loopback, and a command runner."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded payloads beside the checkout; a user's clone does not have it."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the recorded payloads in ../shared, which only the project's own machines have")
    return folder


@dataclass
class World:
    url: str

    def post(self, **state: Any) -> None:
        """Sets snapshot, latency or faults."""
        request = urllib.request.Request(f"{self.url}/_world", json.dumps(state).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def counts(self) -> dict[str, Any]:
        """`requests` per prefix and `max_at_once`."""
        with urllib.request.urlopen(f"{self.url}/_world", timeout=10) as answer:
            return dict(json.load(answer))


@pytest.fixture
def world(shared: Path) -> Iterator[World]:
    """The recorded outside world, served on loopback, afresh for each test."""
    server = subprocess.Popen(
        [sys.executable, str(shared / "tools" / "source-world")], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield World(json.loads(server.stdout.readline())["url"])
    finally:
        server.kill()
        server.wait()
