"""What the check-up says about the units of this installation."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rivus.config import load_jobs
from rivus.spool.layout import open_spool
from rivus.tell.checkup.units import failed, serving, unlike
from rivus.tell.checkup.visit import Visit
from rivus.units.place import Place, place
from rivus.units.render import render
from tests.commands.samples import CHAIN, STEPS
from tests.conftest import ROOT, House
from tests.systemd_box import Box

JOB = f"{CHAIN}discover: {{strategy: files, glob: 'in/*', every: 1h}}\n"
FETCH = "rivus-stage@demo:fetch.path"


@pytest.fixture
def visit(house: House, monkeypatch: pytest.MonkeyPatch) -> Visit:
    """A house whose units go below its root."""
    house.job("demo", JOB, steps=STEPS)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(house.root / "config"))
    folder = house.root / "jobs.d"
    return Visit(open_spool(str(house.root / "spool")), load_jobs(folder), folder, time.time())


def here(visit: Visit) -> Place:
    return place(True, visit.folder, Path(visit.spool.root))


def installed(visit: Visit) -> dict[str, dict[str, str]]:
    """Writes what install writes; gives the state of the units as if all were as they should be."""
    texts = render(visit.jobs.jobs, here(visit))
    here(visit).units.mkdir(parents=True)
    for name, text in texts.items():
        (here(visit).units / name).write_text(text)
    return {name: {"Id": name, "ActiveState": "active"} for name in texts if name.endswith((".timer", ".path"))}


def what(visit: Visit, known: dict[str, dict[str, str]]) -> list[str]:
    return [finding.what for finding in unlike(visit, known, True, str(here(visit).bin))]


def test_units_as_install_leaves_them_are_no_finding(visit: Visit) -> None:
    assert what(visit, installed(visit)) == []


def test_a_sweep_that_is_not_timed_is_grave_and_told_by_itself(visit: Visit) -> None:
    known = installed(visit)
    known["rivus-sweep.timer"]["ActiveState"] = "inactive"
    [finding] = unlike(visit, known, True, str(here(visit).bin))
    assert finding.grave and "nothing is woken" in finding.what
    assert finding.mend == "systemctl --user start rivus-sweep.timer"


def test_timers_and_path_units_that_do_not_wait_are_counted(visit: Visit) -> None:
    known = installed(visit)
    del known["rivus-discover@demo.timer"]
    assert what(visit, known) == ["rivus-discover@demo.timer is not active, so what it starts does not run"]
    del known[FETCH]
    [line] = what(visit, known)
    assert "and 1 more units are not active" in line


def test_what_was_stopped_is_started_and_what_is_not_there_is_installed(visit: Visit) -> None:
    known = installed(visit)
    del known[FETCH]
    mends = [finding.mend for finding in unlike(visit, known, True, str(here(visit).bin))]
    assert mends == [f"systemctl --user start {FETCH}"]
    (here(visit).units / FETCH).unlink()
    mends = [finding.mend for finding in unlike(visit, known, True, str(here(visit).bin))]
    folders = f"--jobs {visit.folder} --spool {visit.spool.root}"
    assert mends == [f"rivus-units install --user {folders}"], "without them it would be about other jobs"


def test_a_path_unit_that_has_failed_is_one_finding_and_not_two(visit: Visit) -> None:
    known = installed(visit)
    known[FETCH] = {"Id": FETCH, "ActiveState": "failed", "Result": "trigger-limit-hit"}
    assert what(visit, known) == []
    [finding] = failed(list(known.values()), visit.folder, user=False)
    assert finding.grave and "too often" in finding.what


def test_a_unit_file_that_jobs_d_has_left_behind_is_told(visit: Visit) -> None:
    known = installed(visit)
    (here(visit).units / FETCH).write_text("of yesterday")
    assert what(visit, known) == [f"{FETCH} is not what jobs.d asks for"]
    (here(visit).units / FETCH).write_bytes(b"\xff")
    assert len(what(visit, known)) == 1


@pytest.mark.parametrize(
    ("argv", "serves"),
    [
        ("/opt/bin/rivus-sweep --jobs /j --spool {spool}", "/opt/bin"),
        ("/opt/bin/rivus-sweep --jobs /j --spool /elsewhere", ""),
        ("/opt/bin/rivus-sweep --jobs /j --spool", ""),
        ("", ""),
    ],
)
def test_units_of_another_spool_are_not_judged_by_this_one(visit: Visit, argv: str, serves: str) -> None:
    line = f"{{ path=/opt/bin/rivus-sweep ; argv[]={argv.format(spool=visit.spool.root)} ; ignore_errors=no }}"
    assert serving({"ExecStart": line}, visit) == serves
    assert serving({}, visit) == ""
    test = replace(visit, spool=open_spool(visit.spool.root, test=True))
    assert serving({"ExecStart": line}, test) == ""


def findings(box: Box) -> list[dict[str, Any]]:
    doctor = [f"{ROOT}/.venv/bin/python", "-m", "rivus.commands", "rivus-doctor", "--json"]
    env = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = box.run(*doctor, "--jobs", "/srv/jobs.d", "--spool", "/srv/spool", check=False, env=env)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in found if "rivus-units" in line["mend"] or "systemctl" in line["mend"]]


def test_a_real_installation_is_judged_by_what_systemd_says(box: Box, house: House) -> None:
    house.job("demo", JOB, steps=STEPS)
    box.write("/srv/jobs.d/demo.yaml", JOB)
    box.write("/srv/jobs.d/steps.py", STEPS)
    box.run("mkdir", "-p", "/srv/spool", *(f"/srv/spool/demo/{stage}/ready" for stage in ("fetch", "extract", "score")))
    assert findings(box) == [], "where no units are, people start rivus in another way"
    at = Place(False, ROOT / "bin", Path("/srv/jobs.d"), Path("/srv/spool"), Path("/etc/systemd/system"))
    texts = render(load_jobs(house.root / "jobs.d").jobs, at)
    texts = {name: text.replace(str(house.root), "/srv") for name, text in texts.items()}
    for name, text in texts.items():
        box.write(f"/etc/systemd/system/{name}", text)
    waiting = [name for name in texts if name.endswith((".timer", ".path"))]
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", *waiting)
    assert findings(box) == []
    box.write(f"/etc/systemd/system/{FETCH}", "of yesterday")
    assert [line["what"] for line in findings(box)] == [f"{FETCH} is not what jobs.d asks for"]
    box.write(f"/etc/systemd/system/{FETCH}", texts[FETCH])
    box.run("systemctl", "stop", "rivus-sweep.timer", FETCH)
    whats = " ".join(line["what"] for line in findings(box))
    assert "rivus-sweep.timer is not active" in whats and f"{FETCH} is not active" in whats
