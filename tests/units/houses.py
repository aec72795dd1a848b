"""An installation to render units for, and one on a machine of its own where they run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from rivus.config import load_jobs
from rivus.spool.layout import open_spool
from rivus.units.place import Place
from rivus.units.render import render
from tests.systemd_box import Box

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEM = Place(
    user=False,
    bin=Path("/opt/bin"),
    jobs=Path("/etc/rivus/jobs.d"),
    spool=Path("/var/lib/rivus/spool"),
    units=Path("/etc/systemd/system"),
)
USER = replace(SYSTEM, user=True, credentials=Path("/home/ann/.config/rivus/credentials"))
LAUNCHER = """#!/bin/sh
LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/rivus:/opt/packages
export LD_LIBRARY_PATH PYTHONPATH
exec /opt/python/bin/python3 -P -m rivus.commands "${0##*/}" "$@"
"""
BINDS = f"""
mkdir -p /opt/python /opt/rivus /opt/packages
mount --bind {sys.base_prefix} /opt/python
mount --bind {ROOT} /opt/rivus
mount --bind {sysconfig.get_path("purelib")} /opt/packages
systemd-sysusers {ROOT}/units/sysusers.d/rivus.conf
systemd-tmpfiles --create {ROOT}/units/tmpfiles.d/rivus.conf
"""


def units_of(folder: Path, place: Place = SYSTEM, **files: str) -> dict[str, str]:
    """The units for jobs.d/NAME.yaml (`NAME=`) and jobs.d/NAME.py (`NAME_py=`), which are written to `folder`."""
    for name, text in files.items():
        file = f"{name.removesuffix('_py')}.py" if name.endswith("_py") else f"{name}.yaml"
        (folder / file).write_text(text)
    jobs = load_jobs(folder)
    assert not jobs.problems, jobs.problems
    return render(jobs.jobs, place)


def furnish(box: Box, folder: Path, place: Place = SYSTEM, **files: str) -> None:
    """Puts rivus, the jobs and their units into a machine. The checkout and Python may lie where units see nothing."""
    units = units_of(folder, place, **files)
    box.run("sh", "-ec", BINDS)
    for name in ("discover", "doctor", "prune", "stage", "sweep", "units"):
        box.write(f"/opt/bin/rivus-{name}", LAUNCHER, "755")
    for file in filter(Path.is_file, folder.iterdir()):
        box.write(place.jobs / file.name, file.read_text())
    for name, text in units.items():
        box.write(place.units / name, text)
    (folder / "spool").mkdir()
    spool = open_spool(str(folder / "spool"))
    for job in load_jobs(folder).jobs.values():
        spool.prepare(job.plan)
    folders = "\n".join(f"{place.spool}/{path.relative_to(spool.root)}" for path in Path(spool.root).rglob("*"))
    box.run("xargs", "install", "-d", "-o", "rivus", "-g", "rivus", "-m", "750", input=f"{place.spool}\n{folders}\n")
    box.run("systemctl", "daemon-reload")


def drop(box: Box, ready: Path, key: str, **data: object) -> None:
    """Puts an item into a `ready`, as a person who may write there would."""
    box.write(f"/var/tmp/{key}.json", json.dumps({"id": key, **data}))
    box.run("chown", "rivus:", f"/var/tmp/{key}.json")
    box.run("mv", f"/var/tmp/{key}.json", str(ready))


def analyze(*argv: str) -> subprocess.CompletedProcess[str]:
    """systemd-analyze of this machine; it needs no running systemd, and for `--user` a folder."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    with tempfile.TemporaryDirectory() as runtime:
        env = {**os.environ, "XDG_RUNTIME_DIR": runtime}
        command = ["systemd-analyze", *argv]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
