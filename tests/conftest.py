"""What many tests need: the recorded world on loopback, and a command runner."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from rivus.net.guard import guarding

ROOT = Path(__file__).resolve().parent.parent
pytest_plugins = ["tests.machines"]


def pytest_configure(config: pytest.Config) -> None:
    """Commands under test write no bytecode: without this each would compile all its modules at each start."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(ROOT / "rivus", quiet=2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Machines that boot come first: such tests mostly wait, and one worker does so while the others compute."""
    items.sort(key=lambda item: "boot" not in getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def _loopback() -> Iterator[None]:
    """Tests talk to servers of their own, and the network guard, once made, covers the whole process."""
    with guarding(["127.0.0.1"]):
        yield


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
        self._ask(urllib.request.Request(f"{self.url}/_world", json.dumps(state).encode(), method="POST"))

    def counts(self) -> dict[str, Any]:
        """`requests` per prefix and `max_at_once`."""
        return self._ask(urllib.request.Request(f"{self.url}/_world"))

    @staticmethod
    def _ask(request: urllib.request.Request) -> dict[str, Any]:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))


@pytest.fixture
def world(shared: Path) -> Iterator[World]:
    """The recorded outside world, served on loopback, afresh for each test."""
    yield from serving(shared)


def serving(shared: Path) -> Iterator[World]:
    """The recorded outside world, until the generator is closed."""
    server = subprocess.Popen(
        [sys.executable, str(shared / "tools" / "source-world")], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield World(json.loads(server.stdout.readline())["url"])
    finally:
        server.kill()
        server.wait()


hypothesis.settings.register_profile("torture", max_examples=5000)


@dataclass
class House:
    """A folder with jobs.d and spool, and the commands run in it as a person would."""

    root: Path

    def job(self, name: str, yaml: str, **files: str) -> None:
        """Writes jobs.d/NAME.yaml, and jobs.d/FILE.py for each keyword."""
        (self.root / "jobs.d" / f"{name}.yaml").write_text(yaml)
        for stem, text in files.items():
            (self.root / "jobs.d" / f"{stem}.py").write_text(text)

    def start(self, *argv: str, **more: Any) -> subprocess.Popen[str]:
        """Starts `rivus-…`; pipes for what is not given."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more.pop("env", {})}
        command = [sys.executable, "-m", "rivus.commands", *argv]
        return subprocess.Popen(command, cwd=self.root, text=True, env=env, **{**streams, **more})

    def run(self, *argv: str, stdin: str | None = None, code: int = 0, **more: Any) -> Done:
        """Runs a command to its end and checks its exit code."""
        if stdin is not None:
            more["stdin"] = subprocess.PIPE
        process = self.start(*argv, **more)
        out, err = process.communicate(stdin, timeout=60)
        assert process.returncode == code, f"{argv}: {process.returncode}, not {code}\n{out}\n{err}"
        return Done(out, err)

    def shell(self, line: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A line as a person types it, in bash with pipefail; `rivus-…` are the checkout's launchers."""
        path = f"{ROOT / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "RIVUS_PYTHON": sys.executable, **env}
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=self.root, text=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, env=environment,
        )  # fmt: skip

    def box(self, job: str, stage: str, box: str) -> list[str]:
        """The names in a box, hidden ones left out."""
        folder = self.root / "spool" / job / stage / box
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))

    def ticket(self, job: str, stage: str, box: str, name: str) -> Any:
        return json.loads((self.root / "spool" / job / stage / box / name).read_text())

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
        """Polls until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
            time.sleep(0.01)


@dataclass
class Done:
    """What a command printed."""

    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty jobs.d and spool."""
    return furnished(tmp_path)


def furnished(folder: Path) -> House:
    """The same in this folder, for what several tests share."""
    for name in ("jobs.d", "spool"):
        (folder / name).mkdir()
    return House(folder)
