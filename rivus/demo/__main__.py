"""python -m rivus.demo [--jobs DIR] [--report SPOOL] [-- COMMAND [ARG …]]

Serves the demo site where `base_url` of DIR/demo.yaml says, runs COMMAND meanwhile and exits with its status;
without COMMAND it serves until interrupted. With --report, what COMMAND prints is not shown; a table of what the
spool SPOOL then holds of the job demo is.

Exit status: that of COMMAND (126, 127 if it cannot be run; 128 + N if signal N ended it); 69 if the port is in
use; 78 if base_url is not an address of this machine's loopback.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from rivus.demo.server import Site
from rivus.errors import BadConfig, RivusError, Unavailable


def open_site(jobs: Path) -> Site:
    """The site, bound but not yet serving. Raises Unavailable (the port), BadConfig (demo.yaml)."""
    from errno import EADDRINUSE

    host, port = address(jobs)
    try:
        return Site(host, port)
    except OSError as error:
        why = (
            "is in use: end what listens there" if error.errno == EADDRINUSE else f"cannot be used ({error})"
        )
        raise Unavailable(f"{host}:{port} {why}, or change base_url in {jobs / 'demo.yaml'}") from None


def address(jobs: Path) -> tuple[str, int]:
    """Host and port of `base_url`. Raises BadConfig."""
    from rivus.config import load_job

    discover = load_job(jobs, "demo").discover
    base_url = str(discover.params.get("base_url")) if discover else "None"
    found = re.fullmatch(r"http://(127(?:\.\d{1,3}){3}):(\d{1,5})/?", base_url)
    if not found or int(found[2]) > 65535:
        raise BadConfig(
            f"{jobs / 'demo.yaml'}: discover.base_url: {base_url} is not like http://127.0.0.1:18470"
        )
    return found[1], int(found[2])


def run(command: Sequence[str], host: str, *, quiet: bool) -> int:
    """Runs `command` and gives its exit status as a shell would."""
    direct = ",".join(filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), host]))
    try:
        child = subprocess.Popen(
            command, env={**os.environ, "no_proxy": direct}, stdout=subprocess.DEVNULL if quiet else None
        )
    except OSError as error:
        sys.stderr.write(f"rivus.demo: {command[0]}: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126
    # Ctrl-C reaches COMMAND by itself, and it decides what that means; SIGTERM came to this process alone.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    status = child.wait()
    return status if status >= 0 else 128 - status


def main(arguments: Sequence[str] | None = None) -> int:
    from rivus.config import jobs_folder
    from rivus.demo.report import finished, report

    parser = argparse.ArgumentParser(
        "python -m rivus.demo", description="Serves the demo site while COMMAND runs."
    )
    parser.add_argument("--jobs", metavar="DIR", help="where demo.yaml is (default: as for every command)")
    parser.add_argument("--report", type=Path, metavar="SPOOL", help="print a table of what SPOOL then holds")
    parser.add_argument("command", nargs="*", metavar="COMMAND")
    options = parser.parse_args(arguments)
    try:
        site = open_site(jobs_folder(options.jobs))
    except RivusError as error:
        sys.stderr.write(f"rivus.demo: {error}\n")
        return error.exit_code
    Thread(target=site.serve_forever, daemon=True).start()
    if not options.command:
        return wait(site.url)
    before = finished(options.report) if options.report else frozenset()
    status = run(options.command, site.host, quiet=bool(options.report))
    if options.report and status == 0:
        sys.stdout.write(report(options.report, before))
    return status


def wait(url: str) -> int:
    """Says where the site is and sleeps until interrupted."""
    try:
        sys.stderr.write(f"rivus.demo: {url}/ until interrupted\n")
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
