"""rivus-dash: the dashboard, until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rivus.commands.duration import DURATION
from rivus.commands.frame import FAULTS, OK, House, house, on_signal, run, version
from rivus.errors import BadConfig
from rivus.talk import say

if TYPE_CHECKING:
    from socket import socket

EXIT_CODES = OK | {code: FAULTS[code] for code in (1, 2, 78)} | {130: "Ended by SIGINT, SIGTERM or SIGHUP."}
PORT = 8470
IDLE = 300.0


@click.command("rivus-dash")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help=f"Of 127.0.0.1; 0: any (default: {PORT}).")
@click.option("--unix", metavar="PATH", help="Listen on a socket in the file system, for this user alone.")
@click.option(
    "--idle", type=DURATION, metavar="TIME",
    help="End when nobody has asked for so long (default: 5min if systemd passed the socket, else never).",
)  # fmt: skip
@click.option("--host-name", "hosts", multiple=True, metavar="NAME", help="A further name that it may be asked by.")
@click.option("--allow-sql", is_flag=True, help="Let visitors write SQL (within limits of time, rows and memory).")
@version
@house
def command(
    house: House, port: int | None, unix: str | None, idle: float | None, hosts: tuple[str, ...], allow_sql: bool
) -> int:
    """Serves the dashboard on 127.0.0.1, or on the socket that systemd passed. It only shows: nothing in it changes an
    item. The index is made if there is none, and kept fresh."""
    if port is not None and unix is not None:
        raise click.UsageError("--port or --unix, not both")
    stopped = on_signal(lambda: None)
    try:
        from rivus.dash.serve import serve
    except ImportError as error:
        raise BadConfig(f"{error}; the dashboard needs Datasette: pip install 'rivus[dash]'") from error
    from rivus.dash.setup import Setup, host_names

    spool = house.spool()
    house.jobs()
    listener, passed = _listener(port, unix)
    serve(
        Setup(spool, house.jobs_folder, host_names(hosts), allow_sql),
        listener, IDLE if passed and idle is None else idle, stopped,
    )  # fmt: skip
    return 130 if stopped() else 0


def _listener(port: int | None, unix: str | None) -> tuple[socket, bool]:
    """The socket, and whether systemd passed it."""
    from rivus.dash import listen

    if listener := listen.from_systemd():
        return listener, True
    listener = listen.on_path(unix) if unix is not None else listen.on_port(PORT if port is None else port)
    say(f"dash: {listen.address_of(listener)}")
    return listener, False


def main() -> None:
    run(command)
