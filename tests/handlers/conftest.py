"""A context for handlers that needs no spool, and a server on loopback."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from rivus.net.session import open_session
from tests.site import site as site


class FakeContext:
    """What `rivus.model.context.Context` asks for, over a folder."""

    private_hosts: tuple[str, ...] = ("127.0.0.1",)
    params: dict[str, Any]
    key, attempt, idempotency_key, timeout = "k", 1, "once", 20.0
    log = logging.getLogger("test")

    def __init__(self, folder: Path) -> None:
        self.folder, self.params = folder, {}
        self.costs: list[dict[str, Any]] = []
        self.usd: list[float | None] = []
        self.workdir = folder / "files" / "fetch"
        self.workdir.mkdir(parents=True)
        self.http = open_session(self.private_hosts)

    def path(self, file: str) -> Path:
        path = (self.folder / "files" / file).resolve()
        if not path.is_relative_to(self.folder / "files"):
            raise ValueError(f"{file!r} is not a file of this item")
        return path

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.folder / "files"))

    def secret(self, name: str) -> str:
        return name

    @property
    def state(self) -> Path:
        folder = self.folder / "state"
        folder.mkdir(exist_ok=True)
        return folder

    def cost(
        self, *, usd: float | None = None, calls: int = 1, tokens: int = 0, model: str | None = None,
        input_tokens: int = 0, output_tokens: int = 0,
    ) -> None:  # fmt: skip
        self.usd.append(usd)
        self.costs.append({"calls": calls, "model": model, "tokens": (input_tokens, output_tokens)})


@pytest.fixture
def ctx(tmp_path: Path) -> FakeContext:
    return FakeContext(tmp_path.resolve())
