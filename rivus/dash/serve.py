"""The dashboard as a process: Datasette with rivus's plugin, one listening socket, until it is told to stop or nobody
has asked it anything for a while."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datasette.app import Datasette
from uvicorn import Config, Server

from rivus.dash.keeper import Keeper
from rivus.dash.opened import Index
from rivus.dash.plugin import plug_in
from rivus.dash.setup import Setup
from rivus.talk import say

HERE = Path(__file__).parent
SETTINGS = {
    "allow_download": False,
    "suggest_facets": False,
    "sql_time_limit_ms": 2000,
    "facet_time_limit_ms": 200,
    "default_facet_size": 12,
    "default_page_size": 100,
    "max_returned_rows": 1000,
    "max_csv_mb": 100,
    "num_sql_threads": 4,
    "truncate_cells_html": 300,
    "default_cache_ttl": 0,
}
MEMORY = 4 << 30
"""Bytes of address space: what ends a process that would otherwise end others."""
FIRST_LOOK = 10.0
"""Seconds that the first answer waits for the index."""
AT_ONCE = 64
TICK = 0.2


class Dashboard(Datasette):  # type: ignore[misc]
    """Datasette over the index of one spool. It remembers when it was last asked something."""

    def __init__(self, setup: Setup) -> None:
        plug_in()
        self.rivus = setup
        self._asking, self._asked = 0, time.monotonic()
        super().__init__(
            [setup.index],
            settings={**SETTINGS, "default_allow_sql": setup.allow_sql},
            template_dir=str(HERE / "templates"),
            static_mounts=[("static", str(HERE / "static"))],
        )
        self.remove_database(next(name for name in self.databases if name != "_internal"))
        self.add_database(Index(self, setup.index), name="rivus")

    def began(self) -> None:
        self._asking += 1

    def ended(self) -> None:
        self._asking -= 1
        self._asked = time.monotonic()

    def idle(self) -> float:
        """Seconds since the last answer; 0 while one is being made."""
        return 0.0 if self._asking else time.monotonic() - self._asked


class _Server(Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's."""
        yield


def serve(setup: Setup, listener: socket.socket, idle: float | None, stopping: Callable[[], bool]) -> None:
    """Serves on `listener` until `stopping()`, or for `idle` seconds after the last answer. Raises nothing that a
    request does."""
    _bound_memory()
    # Datasette leaves coroutines behind when a request fails half way.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    keeper = Keeper(setup)
    keeper.start()
    try:
        asyncio.run(_serve(Dashboard(setup), listener, keeper, idle, stopping))
    finally:
        keeper.stop()


async def _serve(
    dashboard: Dashboard, listener: socket.socket, keeper: Keeper, idle: float | None, stopping: Callable[[], bool]
) -> None:
    await dashboard.invoke_startup()
    deadline = time.monotonic() + FIRST_LOOK
    while not (keeper.ready.is_set() or stopping() or time.monotonic() > deadline):
        await asyncio.sleep(0.02)
    server = _Server(_config(dashboard.app()))
    ending = asyncio.create_task(_end(server, dashboard, idle, stopping))
    try:
        if not stopping():
            await server.serve(sockets=[listener])
    finally:
        ending.cancel()


async def _end(server: Server, dashboard: Dashboard, idle: float | None, stopping: Callable[[], bool]) -> None:
    while not stopping():
        if idle is not None and dashboard.idle() >= idle:
            say(f"dash: nobody asked anything for {idle:.0f} s", 1)
            break
        await asyncio.sleep(TICK)
    server.should_exit = True


def _config(app: Any) -> Config:
    return Config(
        app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, log_level="critical",
        access_log=False, proxy_headers=False, server_header=False, limit_concurrency=AT_ONCE,
        timeout_keep_alive=15, timeout_graceful_shutdown=2, h11_max_incomplete_event_size=32_768,
    )  # fmt: skip


def _bound_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
