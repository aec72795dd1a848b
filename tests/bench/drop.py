"""python -m tests.bench.drop: from a file in `ready/` to the start of its handler, through a real systemd with every
fence up, 50 times. Needs root; the installation is made afresh.

What is measured: the path unit's notice, the start of the service, Python, the claim. Beside it, in turn, the same
drop with a service that does nothing but write the time, hardened likewise: what systemd alone takes."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tests.machines import copy_source, make
from tests.systemd_box import Box, booted

SPOOL, JOBS = "/var/lib/rivus/spool", "/etc/rivus/jobs.d"
JOB = "stages: {only: {handler: steps.only, sandbox: {network: false}}}\n"
STEPS = "import time\n\ndef only(item, ctx):\n    return {'at': time.time()}\n"
TIMES = 50
FLOOR = f"{SPOOL}/floor"


def main() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        source, tree = Path(folder, "source"), Path(folder, "tree")
        copy_source(source)
        make(source, "install", DESTDIR=tree, PREFIX="/usr/local")
        with booted([tree], alone=True) as box:
            set_up(box)
            pairs = [(drop(box, number), floor(box, number)) for number in range(TIMES)]
    for name, times in zip(("drop to handler", "of it systemd alone"), zip(*pairs, strict=True), strict=True):
        low, middle, high = (f"{1000 * one:.0f}" for one in (min(times), statistics.median(times), max(times)))
        print(f"{name:20} median {middle} ms, from {low} to {high}  (budget: 150)")


def set_up(box: Box) -> None:
    box.run("systemd-sysusers", "/usr/local/lib/sysusers.d/rivus.conf")
    box.run("sh", "-c", "rm -rf /etc/rivus/jobs.d/* && systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/rivus.conf")
    box.write(f"{JOBS}/steps.py", STEPS)
    box.write(f"{JOBS}/drops.yaml", JOB)
    box.run("rivus-units", "install")
    service = box.read("/etc/systemd/system/rivus-stage@drops:only.service")
    lines = ["Type=oneshot" if line.startswith("ExecStopPost=") else line for line in service.splitlines()]
    note = f"for f in {FLOOR}/ready/*; do date +%%s.%%N >{FLOOR}/done/$${{f##*/}}; rm $$f; done"
    command = f"ExecStart=/bin/sh -c '{note}'"
    lines = [command if line.startswith("ExecStart=") else line for line in lines]
    account = ("setpriv", "--reuid=rivus", "--regid=rivus", "--clear-groups")
    box.run(*account, "mkdir", "-p", f"{FLOOR}/ready", f"{FLOOR}/done")
    box.write("/etc/systemd/system/floor.service", "\n".join(lines))
    box.write("/etc/systemd/system/floor.path", f"[Path]\nDirectoryNotEmpty={FLOOR}/ready\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "floor.path")


def drop(box: Box, number: int) -> float:
    ready, done = f"{SPOOL}/drops/only/ready", Path(f"/proc/{box.init}/root{SPOOL}/drops/only/done/{number}.json")
    return _drop(box, ready, f"{number}.json", done, lambda: _json_time(done))


def floor(box: Box, number: int) -> float:
    done = Path(f"/proc/{box.init}/root{FLOOR}/done/{number}")
    return _drop(box, f"{FLOOR}/ready", str(number), done, lambda: float(done.read_text() or "nan"))


def _json_time(file: Path) -> float:
    import json

    return float(json.loads(file.read_text())["output"]["at"])


def _drop(box: Box, folder: str, name: str, done: Path, when: object) -> float:
    """Seconds from the rename to what the handler noted. The machine is idle before."""
    states = ("systemctl", "show", "-P", "ActiveState", "rivus-stage@drops:only.service", "floor.service")
    box.wait_for(lambda: box.run(*states).stdout.split() == ["inactive", "inactive"], "a quiet machine")
    ready = Path(f"/proc/{box.init}/root{folder}")
    (ready / f".{name}").write_text("{}")
    begun = time.time()
    (ready / f".{name}").rename(ready / name)
    box.wait_for(lambda: done.exists() and done.stat().st_size, "the handler", every=0.005)
    return when() - begun  # type: ignore[operator]


if __name__ == "__main__":
    main()
