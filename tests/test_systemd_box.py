"""The machine that tests boot: it is real, it survives a pulled plug, and it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines import MachineMaker
from tests.systemd_box import DISK, PREFIX, Box, clear_leftovers

ROOT = Path(__file__).resolve().parent.parent
HELD = """
import sys, time
from tests.systemd_box import booted
with booted() as box:
    print(box.folder, box.init, flush=True)
    time.sleep(600)
"""
LATE = """
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/touch /var/lib/stopped
"""


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def processes_of(init: int) -> list[str]:
    """The process ids on this machine that live in the file system of the box with this first process."""
    inside = os.stat(f"/proc/{init}/ns/mnt").st_ino
    return [pid.name for pid in Path("/proc").glob("[0-9]*") if namespace(pid) == inside]


def namespace(pid: Path) -> int:
    try:
        return os.stat(pid / "ns" / "mnt").st_ino
    except OSError:
        return 0


def groups(name: str) -> list[Path]:
    roots = [Path(line.split()[1]) for line in mounts().splitlines() if line.split()[2] == "cgroup2"]
    assert roots, "the groups of boxes are looked for where this machine shows its groups"
    return [root / name for root in roots if (root / name).exists()]


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def test_it_is_a_real_systemd_that_runs_units(box: Box) -> None:
    assert box.run("systemctl", "is-system-running").stdout.strip() == "running"
    box.write("/etc/systemd/system/hello.service", "[Service]\nType=oneshot\nExecStart=/bin/echo from a unit\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "hello.service")
    assert "from a unit\n" in box.journal("-u", "hello.service")


def test_a_command_that_fails_is_told_with_what_it_said(box: Box) -> None:
    with pytest.raises(AssertionError, match="ouch"):
        box.run("sh", "-c", "echo ouch >&2; exit 3")
    assert box.run("sh", "-c", "exit 3", check=False).returncode == 3
    assert box.run("cat", input="päck").stdout == "päck"


def test_a_command_sees_a_clean_environment(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_X", "hidden")
    seen = box.run("env", env={"A": "1"}).stdout
    assert "RIVUS_SECRET_X" not in seen and "A=1\n" in seen and "PWD=/root" not in seen


def test_a_command_that_takes_too_long_is_killed_inside_as_well(box: Box) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        box.run("sh", "-c", "echo $$ >/run/pid; sleep 600; :", timeout=0.5)
    pid = box.read("/run/pid").strip()
    box.wait_for(lambda: box.run("kill", "-0", pid, check=False).returncode, "its death")


def test_what_is_written_in_it_is_not_written_here(box: Box) -> None:
    box.write("/etc/rivus-box-test/a b", "text", mode="600")
    assert box.read("/etc/rivus-box-test/a b") == "text"
    assert box.names("/etc/rivus-box-test") == ["a b"] and box.names("/nowhere") == []
    assert not Path("/etc/rivus-box-test").exists()
    with pytest.raises(FileNotFoundError):
        box.read("/etc/rivus-box-test/none")


def test_it_cannot_change_the_kernel_or_the_devices_of_this_machine(box: Box) -> None:
    assert box.run("sh", "-c", "echo x >/proc/sys/kernel/hostname", check=False).returncode != 0
    assert box.run("touch", "/sys/x", check=False).returncode != 0
    assert box.run("systemctl", "is-active", "systemd-udevd.service", check=False).stdout.strip() == "inactive"


def test_after_a_pulled_plug_the_same_machine_starts_again(box: Box) -> None:
    box.write("/var/lib/kept", "on the disk")
    box.write("/run/lost", "in memory")
    box.start("sh", "-c", "trap '' TERM; sleep 600")
    box.write("/etc/systemd/system/late.service", LATE)
    box.run("systemctl", "start", "late.service")
    box.kill()
    box.boot()
    assert box.names("/var/lib/kept") and not box.names("/run/lost")
    assert not box.names("/var/lib/stopped"), "nothing was shut down"


def test_switched_off_it_shuts_its_services_down(box: Box) -> None:
    box.write("/etc/systemd/system/late.service", LATE)
    box.run("systemctl", "start", "late.service")
    box.poweroff()
    box.boot()
    assert box.names("/var/lib/stopped")


def test_two_run_side_by_side_and_do_not_see_each_other(boot: MachineMaker) -> None:
    one, two = boot(), boot()
    for box in (one, two):
        box.run("systemd-run", "--quiet", "--unit=same", "--remain-after-exit", "sleep", "600")
    one.run("systemctl", "kill", "--signal=KILL", "same.service")
    one.wait_for(lambda: "failed" in one.run("systemctl", "is-active", "same", check=False).stdout, "the end of it")
    assert two.run("systemctl", "is-active", "same.service").stdout == "active\n"


def test_a_layer_lies_over_the_files_and_a_bound_folder_is_shared(boot: MachineMaker, tmp_path: Path) -> None:
    (tmp_path / "layer/etc").mkdir(parents=True)
    (tmp_path / "layer/etc/layered").write_text("from the layer")
    (tmp_path / "bound").mkdir()
    box = boot(layers=[tmp_path / "layer"], binds=[tmp_path / "bound"])
    assert box.read("/etc/layered") == "from the layer"
    box.write(tmp_path / "bound" / "file", "both see it")
    assert (tmp_path / "bound" / "file").read_text() == "both see it"


def test_nothing_is_left_behind(boot: MachineMaker) -> None:
    before = mounts()
    box = boot()
    box.start("sleep", "600")
    inside = processes_of(box.init)
    assert len(inside) >= 3 and mounts() == before
    box.remove()
    wait_for(lambda: not any(Path("/proc", pid).exists() for pid in inside), "the end of its processes")
    assert mounts() == before
    assert not box.folder.exists() and not groups(box.folder.name)


def test_nothing_but_the_disk_outlives_a_killed_test_and_the_next_box_clears_that(box: Box) -> None:
    other = subprocess.Popen([sys.executable, "-c", HELD], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    folder, init = other.stdout.readline().split()
    inside = processes_of(int(init))
    assert inside
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    wait_for(lambda: not any(Path("/proc", pid).exists() for pid in inside), "the end of its processes")
    clear_leftovers()
    assert not Path(folder).exists() and not groups(Path(folder).name)
    assert box.folder in DISK.glob(f"{PREFIX}*"), "one that is in use stays"
