"""A machine of its own for a test: the real systemd as PID 1 of its own namespaces, over this machine's file system.

Contract: what the machine writes goes to a folder on the disk (an overlay over /), so it survives `kill` (the plug is
pulled) and `boot` starts the same machine again. /run, /tmp and /dev are its own and new at each boot; /sys and
/proc/sys cannot be written, so nothing in it changes this machine's devices or kernel settings. The network is this
machine's: 127.0.0.1 is the same on both sides; or, `alone`, it has nothing but a loopback of its own. Units of this
machine are not started, only what systemd itself needs.
Everything lies in namespaces that end with their last process, and all processes get SIGKILL when the test process
ends, however it ends: no mount and no process can be left over.

Needs root, util-linux, systemd and overlayfs; `Unavailable` says what is missing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TOOLS = ("unshare", "nsenter", "setpriv", "pivot_root", "mount")
SYSTEMD = Path("/lib/systemd/systemd")
DISK = Path("/var/tmp")
PREFIX = "rivus-box-"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
ENVIRONMENT |= {"LANG": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
INIT = r"""
set -eu
cd "$1"; lower=$2; shift 2
name=${PWD##*/}
ip link set lo up 2>/dev/null || :
mount -t tmpfs tmpfs mnt
mkdir mnt/group mnt/root
# A group of its own: otherwise two boxes would both believe that they own the topmost one.
mount -t cgroup2 cgroup2 mnt/group
mkdir -p "mnt/group/$name"
echo $$ >"mnt/group/$name/cgroup.procs"
base=/
if [ -n "$lower" ]; then
  # The kernel refuses a layer that lies inside another, and all lie inside /; an overlay over / is not /.
  base=mnt/base; mkdir mnt/base mnt/none mnt/none.work
  mount -t overlay overlay -o "lowerdir=/,upperdir=mnt/none,workdir=mnt/none.work" mnt/base
fi
mount -t overlay overlay -o "lowerdir=$lower$base,upperdir=upper,workdir=work" mnt/root
cd mnt/root
mount -t proc proc proc
mount -o bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
for folder do mkdir -p ".$folder"; mount --rbind "$folder" ".$folder"; done
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm .old 2>/dev/null || :
for node in null zero full random urandom tty; do touch "dev/$node"; mount --bind "/dev/$node" "dev/$node"; done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
if ! [ -e etc/systemd/.box ]; then
  rm -rf etc/systemd/system/*.wants etc/systemd/user/*.wants var/lib/systemd var/log/journal etc/fstab
  mkdir -p etc/systemd/system var/lib/systemd
  for unit in systemd-modules-load.service kmod-static-nodes.service systemd-firstboot.service systemd-repart.service \
    systemd-random-seed.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount dev-hugepages.mount systemd-binfmt.service proc-sys-fs-binfmt_misc.automount; do
    ln -sf /dev/null "etc/systemd/system/$unit"
  done
  touch etc/systemd/.box
fi
pivot_root . .old
exec unshare --cgroup sh -ec '
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  umount -l /.old
  mount --make-rshared /
  exec env -i container=box "$@"
' sh "$SYSTEMD" --system --log-target=journal --show-status=no --unit=basic.target
"""


class Unavailable(Exception):
    """This machine cannot boot another; the text says why."""


class Box:
    """One machine. `layers`: folders whose trees appear over this machine's files; `binds`: folders that are shared."""

    def __init__(self, layers: Sequence[Path] = (), binds: Sequence[Path] = (), alone: bool = False) -> None:
        check()
        clear_leftovers()
        hidden = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=DISK))
        self._mine = (hidden / "lock").open("wb")
        fcntl.flock(self._mine, fcntl.LOCK_EX)
        self.folder = hidden.rename(DISK / hidden.name[1:])
        for name in ("upper", "work", "mnt"):
            (self.folder / name).mkdir()
        self.layers, self.binds, self.alone = layers, binds, alone
        self.init = 0
        self._outer: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[str]] = []

    def boot(self, seconds: float = 30) -> None:
        """Starts the machine and waits until its systemd has started everything; raises Unavailable if it does not."""
        assert self._outer is None, "it runs already"
        lower = "".join(f"{layer}:" for layer in self.layers)
        script = ["sh", "-c", INIT, "sh", str(self.folder), lower, *map(str, self.binds)]
        spaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--ipc", "--uts", "--propagation=private"]
        spaces += ["--net"] * self.alone
        with (self.folder / "log").open("wb") as log:
            self._outer = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *spaces, *script],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**ENVIRONMENT, "SYSTEMD": str(SYSTEMD)},
            )  # fmt: skip
        try:
            self.wait_for(self._is_up, "systemd", seconds, every=0.02)
            state = self.run("systemctl", "is-system-running", "--wait", check=False, timeout=seconds).stdout.strip()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            state = str(error)
        if state not in ("running", "degraded"):
            self.kill()
            said = (self.folder / "log").read_text(errors="replace")[-1000:]
            raise Unavailable(f"systemd did not come up ({state}): {said}")

    def _is_up(self) -> bool:
        assert self._outer is not None
        assert self._outer.poll() is None, "the machine ended while it started"
        with suppress(OSError, LookupError):
            outer = self._outer.pid
            self.init = int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
            booting = Path(f"/proc/{self.init}/comm").read_text() != "systemd\n"
            return not booting and Path(f"/proc/{self.init}/root/run/systemd/private").is_socket()
        return False

    def start(self, *argv: str, env: dict[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
        """Starts a program in the machine, as root, in / and with a clean environment; pipes for what is not given."""
        assert self._outer is not None, "the machine is off"
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        enter = ["nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--net", "--"]
        # Without the second signal only nsenter would die of `kill`, and what it started would go on.
        clean = ["setpriv", "--pdeathsig", "KILL", "env", "-i"]
        variables = [f"{name}={value}" for name, value in {**ENVIRONMENT, **(env or {})}.items()]
        more = {"text": True, "start_new_session": True, **streams, **more}
        process = subprocess.Popen([*enter, *clean, *variables, *argv], **more)
        self._started.append(process)
        return process

    def run(
        self, *argv: str, timeout: float = 60, check: bool = True, input: str | None = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Runs a program in the machine to its end; with `check`, anything but exit code 0 is an AssertionError."""
        process = self.start(*argv, env=env, stdin=subprocess.DEVNULL if input is None else subprocess.PIPE)
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=10)
            raise
        finally:
            self._started.remove(process)
        assert not check or process.returncode == 0, f"{argv}: {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def write(self, path: str | Path, text: str, mode: str = "644") -> None:
        """Writes a file in the machine, at once as a whole, with the folders above it."""
        line = 'umask 022; mkdir -p -- "${1%/*}/" && cat >"$1.new" && chmod "$2" "$1.new" && mv -fT -- "$1.new" "$1"'
        self.run("sh", "-c", line, "sh", str(path), mode, input=text)

    def read(self, path: str | Path) -> str:
        """A file of the machine; FileNotFoundError where there is none."""
        done = self.run("cat", "--", str(path), check=False)
        if done.returncode:
            raise FileNotFoundError(done.stderr.strip())
        return done.stdout

    def names(self, path: str | Path) -> list[str]:
        """The names in a folder of the machine, hidden ones left out; empty where there is none."""
        return sorted(self.run("ls", "-1", "--", str(path), check=False).stdout.splitlines())

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = 20, every: float = 0.05) -> None:
        """Polls until the condition holds; AssertionError when it does not within that time."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
            time.sleep(every)

    def journal(self, *argv: str) -> str:
        """The messages of the journal, without times and names, or in the form that the arguments ask for."""
        self.run("journalctl", "--sync", check=False)
        return self.run("journalctl", "--quiet", "--no-pager", "--output=cat", *argv, check=False).stdout

    def kill(self) -> None:
        """Pulls the plug: every process of the machine is killed, nothing is shut down. What it wrote stays."""
        if self._outer is None:
            return
        for pid in filter(None, (self.init, self._outer.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._ended()

    def poweroff(self, seconds: float = 60) -> None:
        """Shuts the machine down in order."""
        assert self._outer is not None, "the machine is off"
        self.run("systemctl", "poweroff", check=False)
        try:
            self._outer.wait(seconds)
        finally:
            self.kill()

    def _ended(self) -> None:
        """Waits until the last process is gone; with it go the mounts."""
        assert self._outer is not None
        self._outer.wait(30)
        for process in self._started:
            process.wait(30)
            for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
                stream.close()
        self._outer, self.init, self._started = None, 0, []
        remove_group(self.folder.name)

    def remove(self) -> None:
        """Pulls the plug and removes the disk; again: does nothing."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._mine.close()


def check() -> None:
    """Raises Unavailable when something that every box needs is missing."""
    if os.geteuid() != 0:
        raise Unavailable("a machine with its own systemd can only be booted by root")
    missing = [tool for tool in TOOLS if not shutil.which(tool)] + [str(SYSTEMD)] * (not SYSTEMD.exists())
    if missing:
        raise Unavailable(f"not here: {', '.join(missing)}")
    if "overlay" not in Path("/proc/filesystems").read_text():
        subprocess.run(["modprobe", "overlay"], capture_output=True, check=False)
        if "overlay" not in Path("/proc/filesystems").read_text():
            raise Unavailable("the kernel has no overlayfs")


def clear_leftovers() -> None:
    """Removes the disks of boxes whose test process was killed; their processes ended with it."""
    for folder in DISK.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder / "lock", os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_group(folder.name)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def remove_group(name: str) -> None:
    """Removes the control group of a box that has ended, through a mount that nobody else sees."""
    # A group stays busy for a moment after its last process has been waited for.
    line = """
      mount -t cgroup2 cgroup2 "$1" && cd "$1" || exit
      for try in $(seq 200); do
        [ -d "$2" ] || exit 0
        find "$2" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
      done
    """
    subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", line, "sh", str(DISK), name],
        capture_output=True, check=False, timeout=30,
    )  # fmt: skip


@contextmanager
def booted(layers: Sequence[Path] = (), binds: Sequence[Path] = (), alone: bool = False) -> Iterator[Box]:
    """A machine that runs, and is gone afterwards."""
    box = Box(layers, binds, alone)
    try:
        box.boot()
        yield box
    finally:
        box.remove()
